"""The public way from a path to a diagnosis: `load` and `check`, and the objects that they return."""

from __future__ import annotations

import json
import os
import shlex
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainhealth.config import load_config
from trainhealth.errors import LogError
from trainhealth.figures import Figure
from trainhealth.findings import Diagnosis, Finding, NotChecked
from trainhealth.following import EVENTS, INFO, Follower, foreign_files
from trainhealth.readers.names import Names
from trainhealth.rules.engine import diagnose
from trainhealth.series import RunView
from trainhealth.unread_text import why_unread

if TYPE_CHECKING:
    import pandas as pd

REPORT_SCHEMA_VERSION = 1


@dataclass(frozen=True, eq=False)
class Run:
    """A loaded run: its path and a read-only view of everything in its log."""

    path: str
    view: RunView

    def to_pandas(self, table: str = "scalars") -> pd.DataFrame:
        """Return the run as a DataFrame; see `RunView.to_pandas`."""
        return self.view.to_pandas(table)


@dataclass(frozen=True, eq=False)
class Report:
    """The diagnosis of one run."""

    run: Run
    diagnosis: Diagnosis
    figures: tuple[Figure, ...] = ()  # this and what follows: of a checkup
    advice: Mapping[str, Any] = field(default_factory=dict)  # values to use, such as learning_rate -> 0.01
    documents: Mapping[str, str] = field(default_factory=dict)  # file name -> text, such as plan.md
    looked_at: tuple[str, ...] | None = None  # what a checkup's checks looked at; None where all rules have read a log

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings in the order in which a person should read them."""
        return self.diagnosis.findings

    @property
    def not_checked(self) -> tuple[NotChecked, ...]:
        """The rules that could not decide, and why."""
        return self.diagnosis.not_checked

    @cached_property
    def entry(self) -> dict[str, Any]:
        """The run's entry in the JSON of ``trainhealth check``; a checkup's has more keys."""
        entry = {
            "path": self.run.path,
            "findings": [finding.to_dict() for finding in self.findings],
            "not_checked": [item.to_dict() for item in self.not_checked],
        }
        if self.looked_at is None:
            return entry
        return entry | {
            "looked_at": list(self.looked_at),
            "figures": [figure.to_dict() for figure in self.figures],
            "advice": dict(self.advice),
            "documents": dict(self.documents),
        }

    def to_json(self) -> str:
        """Return the same text that ``trainhealth check --format json`` prints for this run."""
        return report_json([self.entry])


def report_json(entries: list[dict[str, Any]]) -> str:
    """Return the JSON document of ``trainhealth check`` for the entries of its runs."""
    document = {"schema_version": REPORT_SCHEMA_VERSION, "runs": entries}
    # in ASCII: the same bytes whatever the stream's encoding, and file names need not be valid UTF-8
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def load(path: str | os.PathLike[str], *, names: Mapping[str, str] | None = None) -> Run:
    """Return the run at `path`: a run folder, or a log file of any supported format.

    `names` maps signals to the columns of a foreign log that hold them; by default as the project has set it
    (``[tool.trainhealth.map]``).

    Raises:
        LogError: nothing is there, or what is there is no log that can be read.
        UsageError: the names, or the project's settings, are off.
    """
    target = resolve(path)
    follower = Follower(target, load_config().names if names is None else Names(names))
    follower.poll()
    follower.settle()
    view = follower.view()
    if (nothing := why_empty(target, view, follower.unfinished)) is not None:
        raise nothing
    return Run(str(path), view)


def why_empty(target: Path, view: RunView, unfinished: int = 0) -> LogError | None:
    """Return the error for a log without a record, which says what there is instead; None where there are records."""
    if view.format == "text" and (unread := why_unread(target, view)) is not None:
        return unread
    if view.last_step >= 0 or view.pid or view.events:
        return None
    if view.skipped:
        first = view.skipped[0]
        return LogError(
            f"{target}: none of {len(view.skipped)} lines can be read; line {first.line}: {first.reason}",
            "Is this the file that you meant?",
        )
    if view.format != "trainhealth":
        return LogError(
            f"{target}: not a log that can be understood: no loss and no accuracy was found (read as {view.format})",
            "Name a log of trainhealth or of another tool; --map SIGNAL=COLUMN says what a column means.",
        )
    torn = f", only {unfinished} bytes of an unfinished line" if unfinished else ""
    return LogError(f"{target}: the log is empty: no record has been written{torn}", "Has the training begun?")


def check(
    path_or_run: str | os.PathLike[str] | Run,
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    names: Mapping[str, str] | None = None,
) -> Report:
    """Return the diagnosis of a run.

    `options` maps rule names to the options that differ from the defaults; by default as the project has set them
    (``[tool.trainhealth.rules.<name>]``). `names` as in `load`.

    Raises:
        LogError: as `load`.
        UsageError: as `load`; or an option is unknown.
    """
    run = path_or_run if isinstance(path_or_run, Run) else load(path_or_run, names=names)
    return Report(run, diagnose(run.view, load_config().rules if options is None else options))


def resolve(path: str | os.PathLike[str]) -> Path:
    """Return the run folder or log file that `path` means.

    Raises:
        LogError: nothing is there, or the folder holds no run.
    """
    target = Path(path)
    try:
        mode = target.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        hint = "Name a run folder, such as runs/baseline."
        raise LogError(f"{target}: there is no such file or folder", hint) from None
    except OSError as error:
        raise LogError(f"{target}: {error.strerror or error}", "Check that you may read it.") from error
    if stat.S_ISREG(mode):
        return target.parent if target.name == INFO else target
    if not stat.S_ISDIR(mode):
        raise LogError(f"{target}: neither a file nor a folder", "Name a run folder, such as runs/baseline.")
    if not os.access(target, os.R_OK | os.X_OK):
        raise LogError(f"{target}: permission denied", "Check that you may read the folder.")
    if any(_log_files(target)) or foreign_files(target):
        return target
    below = sorted({file.parent for depth in ("*/", "*/*/") for file in _log_files(target, depth)})
    if below:
        names = " ".join(shlex.quote(str(folder)) for folder in below[:3])
        raise LogError(
            f"{target}: the folder is no run, but holds {len(below)}",
            f"Name one: {names}{' …' if len(below) > 3 else ''}",
        )
    raise LogError(
        f"{target}: the folder holds no run (no {INFO}, no {EVENTS})", "Name the folder that watch() logs to."
    )


def _log_files(folder: Path, below: str = "") -> Iterator[Path]:
    return chain(folder.glob(below + INFO), folder.glob(below + EVENTS))
