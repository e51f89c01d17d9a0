"""The option ``--map SIGNAL=COLUMN``: what the columns of a foreign log mean."""

from __future__ import annotations

import click

from trainhealth.config import load_config
from trainhealth.errors import UsageError

map_option = click.option(
    "--map",
    "mapped",
    metavar="SIGNAL=COLUMN",
    multiple=True,
    help="What a column of a foreign log means, such as train_loss=my_loss (also [tool.trainhealth.map]).",
)


def names_of(mapped: tuple[str, ...]) -> dict[str, str]:
    """Return the project's map of names, with the options' on top.

    Raises:
        UsageError: an option has no "=".
    """
    names = dict(load_config().names.chosen)
    for option in mapped:
        signal, equals, column = option.partition("=")
        if not (signal and equals and column):
            raise UsageError(f"--map {option}: not SIGNAL=COLUMN", "Write, say, --map train_loss=my_loss.")
        names[signal.strip()] = column.strip()
    return names
