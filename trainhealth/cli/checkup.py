"""``trainhealth checkup``: the look before the long run, at what a function of the user's returns."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from trainhealth.cli.check import FORMATS
from trainhealth.cli.failing import exit_code_of, fail_on_option
from trainhealth.cli.narration import say
from trainhealth.cli.target import returned_by
from trainhealth.diagnosis import Report
from trainhealth.errors import UsageError
from trainhealth.findings import Severity

_POSITIONS = ("model", "loss_fn", "batch_or_loader", "optimizer")
_NAMES = (*_POSITIONS, "validation", "forward", "total_steps")
_EPILOG = """\b
The function takes no arguments, and returns (model, loss_fn, loader, optimizer),
or a mapping with some of the names model, loss_fn, batch_or_loader, optimizer,
validation, forward, total_steps. In a script, say train.py:

\b
  def parts():
      model = Net()
      return model, F.cross_entropy, train_loader, AdamW(model.parameters())

\b
  if __name__ == "__main__":  # train.py:parts does not come by here
      train(*parts())
"""


@click.command(epilog=_EPILOG)
@click.argument("target", metavar="SCRIPT.py:FUNCTION|MODULE:FUNCTION")
@click.option("--quick", is_flag=True, help="Look at less, in a quarter of the time.")
@click.option("--only", metavar="NAMES", help="The checks to run, separated by commas.")
@click.option("--skip", metavar="NAMES", help="The checks to leave out.")
@click.option(
    "--save", type=click.Path(path_type=Path, file_okay=False), help="A folder to write the plan to, for you to edit."
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(sorted(FORMATS)),
    default="text",
    show_default=True,
    help="For people or for programs.",
)
@fail_on_option(Severity.CRITICAL, Severity.WARNING)
def checkup(
    target: str, quick: bool, only: str | None, skip: str | None, save: Path | None, format_name: str, fail_on: str
) -> int:
    """Look at a model, its data and its optimizer before the long run.

    It takes about a minute, and works on copies. What it finds goes to stdout, in the form of trainhealth check; what
    the script prints goes to stderr.
    """
    if save is not None:
        _make(save)  # before the minute, not after it
    with contextlib.redirect_stdout(sys.stderr):
        parts = _named(returned_by(target), target)
        from trainhealth.checkups.checkup import checkup as examine  # torch, after the script has set it up

        report: Report = examine(**parts, quick=quick, only=_split(only), skip=_split(skip) or (), name=target)
    FORMATS[format_name]().write([report], sys.stdout)
    if save is not None:
        _save(report, save)
    return exit_code_of(report.findings, fail_on)


def _named(parts: Any, target: str) -> dict[str, Any]:
    """Return what the function has returned as arguments of `checkup`.

    Raises:
        UsageError: it is neither a tuple nor a mapping of the right names.
    """
    if isinstance(parts, tuple) and 2 <= len(parts) <= len(_POSITIONS):
        return dict(zip(_POSITIONS, parts, strict=False))
    if isinstance(parts, Mapping):
        unknown = [name for name in parts if name not in _NAMES]
        if not unknown:
            return dict(parts)
        raise UsageError(f"{target} returns {unknown[0]!r}, which is no argument", f"There are: {', '.join(_NAMES)}.")
    raise UsageError(
        f"{target} returns a {type(parts).__name__}",
        f"Return a tuple ({', '.join(_POSITIONS)}), or a mapping of these names, validation, forward and total_steps.",
    )


def _split(names: str | None) -> list[str] | None:
    return None if names is None else [name.strip() for name in names.split(",") if name.strip()]


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} can't be made: {error.strerror or error}", "Name another folder.") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{folder} can't be written to", "Name another folder.")


def _save(report: Report, folder: Path) -> None:
    try:
        for name, text in report.documents.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder} can't be written: {error.strerror or error}", "Name another folder.") from error
    say(f"written to {folder}: {', '.join(report.documents) or 'nothing: the check named plan did not run'}")
