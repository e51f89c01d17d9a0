"""What happens to an exception in the dashboard: a file gets the traceback, the user gets the file's name."""

from __future__ import annotations

import tempfile
import time
import traceback
from pathlib import Path

LARGEST_FILE = 1 << 20  # bytes: beyond this the file begins anew


def record_failure(error: BaseException) -> Path | None:
    """Append the traceback to the log file; return its path, None where no file can be written."""
    from platformdirs import user_log_path

    text = f"{time.strftime('%Y-%m-%d %H:%M:%S')}\n{''.join(traceback.format_exception(error))}\n"
    for folder in (user_log_path("trainhealth", appauthor=False), Path(tempfile.gettempdir())):
        path = folder / "trainhealth-dashboard.log"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            anew = path.exists() and path.stat().st_size > LARGEST_FILE
            with path.open("w" if anew else "a", encoding="utf-8") as file:
                file.write(text)
        except OSError:
            continue
        return path
    return None


def failure_text(error: BaseException, path: Path | None) -> str:
    """Return what to tell the user: the exception in one line, and where the rest stands."""
    where = f"; the details are in {path}" if path else ""
    return f"trainhealth failed ({type(error).__name__}: {error}){where}"
