"""``trainhealth import``: another tool's log becomes a run folder of ours."""

from __future__ import annotations

from pathlib import Path

import click

from trainhealth.cli.mapping import map_option, names_of
from trainhealth.cli.narration import say
from trainhealth.cli.paths import GivenPath
from trainhealth.diagnosis import load
from trainhealth.exporting import write_run


@click.command("import")
@click.argument("path", type=GivenPath())
@click.argument("folder", type=GivenPath(path_type=Path))
@map_option
def import_(path: str, folder: Path, mapped: tuple[str, ...]) -> None:
    """Keep the log at PATH, whatever tool wrote it, as the run folder FOLDER."""
    run = load(path, names=names_of(mapped))
    write_run(run.view, folder)
    say(f"written: {folder}; see trainhealth info {folder}")
