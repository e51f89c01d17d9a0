"""Copying from a terminal: the escape sequence OSC 52, and beside it the programs that put text where it is looked for.

OSC 52 reaches the clipboard of the machine that the person sits at, through ssh too, where the terminal allows it.
tmux by default keeps it from getting out; its own buffer and the clipboard of a desktop are reached by their programs.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress

_TIMEOUT = 2.0  # seconds; such a program is done at once, or hangs on a display that is gone


def copy_text(text: str, environment: Mapping[str, str], send: Callable[[str], None]) -> str:
    """Copy `text`; `send` writes OSC 52. Return where it went, for the person who looks for it."""
    send(text)
    for command, place in _programs(environment):
        if shutil.which(command[0]) and _handed_over(command, text):
            return place
    return "the terminal's clipboard"


def _programs(environment: Mapping[str, str]) -> list[tuple[list[str], str]]:
    """Return the programs that fit the surroundings; a desktop's clipboard is of no use to who comes by ssh."""
    if environment.get("TMUX"):
        return [(["tmux", "load-buffer", "-w", "-"], "tmux's buffer and the clipboard")]
    if environment.get("SSH_CONNECTION"):
        return []
    if sys.platform == "darwin":
        return [(["pbcopy"], "the clipboard")]
    programs = []
    if environment.get("WAYLAND_DISPLAY"):
        programs.append((["wl-copy"], "the clipboard"))
    if environment.get("DISPLAY"):
        programs.append((["xclip", "-selection", "clipboard"], "the clipboard"))
    return programs


def _handed_over(command: list[str], text: str) -> bool:
    with suppress(OSError, subprocess.SubprocessError):
        # no pipes to read from: wl-copy and xclip leave a process behind that would keep them open
        done = subprocess.run(
            command,
            input=text.encode(),
            timeout=_TIMEOUT,
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return done.returncode == 0
    return False
