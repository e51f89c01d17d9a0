"""Whether the training process is still there."""

from __future__ import annotations

import os
from pathlib import Path


def process_alive(pid: int) -> bool:
    """Tell whether a process of this machine has the number `pid`; one that has ended and waits for its parent is not.

    A run that trains on another machine, or in a container, is not visible here: False is no proof.
    """
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is somebody else's
        return True
    try:
        # "4242 (python) Z …": the state follows the name, which may hold brackets and blanks itself
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return True  # no /proc (macOS), or it has just ended
