"""``trainhealth export``: a run's numbers for other programs."""

from __future__ import annotations

import csv
import json
import sys
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from trainhealth.cli.mapping import map_option, names_of
from trainhealth.cli.narration import say
from trainhealth.cli.paths import GivenPath
from trainhealth.diagnosis import Run, load
from trainhealth.errors import UsageError
from trainhealth.exporting import write_run
from trainhealth.logged_numbers import to_number

if TYPE_CHECKING:
    import pandas as pd

_TABLES = ("scalars", "layers", "parameters", "batch")


@click.command()
@click.argument("path", type=GivenPath())
@click.option(
    "--format",
    "format_",
    type=click.Choice(["csv", "jsonl", "parquet", "trainhealth"]),
    default="csv",
    show_default=True,
)
@click.option("--table", type=click.Choice(_TABLES), default="scalars", show_default=True, help="What to write.")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="The file (a folder for trainhealth); else stdout."
)
@map_option
def export(path: str, format_: str, table: str, output: Path | None, mapped: tuple[str, ...]) -> None:
    """Write the numbers of the run at PATH: a row a step (layers and parameters: a row a value)."""
    run = load(path, names=names_of(mapped))
    if output is None and format_ in ("parquet", "trainhealth"):
        raise UsageError(f"{format_} is not written to stdout", "Name the file with --output.")
    try:
        if format_ == "trainhealth" and output is not None:
            write_run(run.view, output)
        elif format_ == "parquet" and output is not None:
            _write_parquet(run.to_pandas(table), output)
        else:
            with nullcontext(sys.stdout) if output is None else output.open("w", encoding="utf-8", newline="") as out:
                _WRITERS[format_](_rows(run, table), out)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"{output}: {error.strerror or error}", "Name a file that may be written.") from error
    if output is not None:
        say(f"written: {output}")


def _rows(run: Run, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table; numbers that are not finite as the strings that the log uses, missing ones not."""
    if table != "scalars":
        frame = run.to_pandas(table)
        frame["value"] = [to_number(value) for value in frame["value"].tolist()]
        return [dict(zip(frame.columns, row, strict=True)) for row in frame.itertuples(index=False)]
    rows: dict[int, dict[str, Any]] = {}
    for name, series in run.view.scalars.items():
        for step, value in zip(series.steps.tolist(), series.values.tolist(), strict=True):
            rows.setdefault(step, {"step": step})[name] = to_number(value)
    return [rows[step] for step in sorted(rows)]


def _write_csv(rows: list[dict[str, Any]], out: TextIO) -> None:
    columns = dict.fromkeys(column for row in rows for column in row)
    writer = csv.DictWriter(out, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _write_lines(rows: list[dict[str, Any]], out: TextIO) -> None:
    out.writelines(f"{json.dumps(row, allow_nan=False)}\n" for row in rows)


def _write_parquet(frame: pd.DataFrame, output: Path) -> None:
    if find_spec("pyarrow") is None:
        advice = "Install it: pip install 'trainhealth[parquet]'."
        raise UsageError("Parquet needs pyarrow, which is not installed", advice)
    frame.to_parquet(output)


_WRITERS = {"csv": _write_csv, "jsonl": _write_lines}
