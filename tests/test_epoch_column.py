"""Epochs of a table that counts steps, by the column that says of which epoch a row is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.readers.reading import read
from trainhealth.series import RunView


def of(folder: Path, epochs: Sequence[object], apart: int = 1) -> RunView:
    """Return the view of a table with a loss at each of so many steps, which lie `apart`."""
    rows = "".join(f"{number * apart},{epoch},1.5\n" for number, epoch in enumerate(epochs))
    return read(folder, f"step,epoch,loss\n{rows}", "log.csv")


def test_an_epoch_ends_where_the_next_one_begins(tmp_path: Path) -> None:
    """With the steps finished by then, as in a log of ours; the last one if it is as long as the others."""
    epochs = [0] * 10 + [1] * 10 + [2] * 10
    assert [(epoch.number, epoch.step) for epoch in of(tmp_path, epochs).epochs] == [(0, 10), (1, 20), (2, 30)]
    assert [epoch.step for epoch in of(tmp_path, epochs[:-1]).epochs] == [10, 20]


@pytest.mark.parametrize(
    ("epochs", "apart"),
    [
        ([0] * 30, 1),
        ([*range(30)], 1),
        ([0] * 10 + [1] * 10, 50),
        ([0] * 10 + [2] * 10, 1),
        ([step / 10 for step in range(30)], 1),
    ],
    ids=["one epoch", "a row an epoch", "a row for fifty steps", "epochs that jump", "parts of epochs"],
)
def test_where_rows_are_not_steps_nobody_knows_when_an_epoch_ended(
    epochs: Sequence[object], apart: int, tmp_path: Path
) -> None:
    """A value may be the mean of an epoch, or stand for one batch of many."""
    assert of(tmp_path, epochs, apart).epochs == ()
