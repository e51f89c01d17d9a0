"""Text that calls no number a loss: a regression's errors stand there by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.readers.reading import read, said, signals


@pytest.mark.parametrize(
    "line",
    [
        "Epoch {0}: train mse 2.{0}5, val mse 3.5",
        "Epoch {0} | Train MSE: 2.{0}5 | Gate Loss: 0.5 | Val MSE: 3.5",
        "Epoch {0} - train_mae: 9.5 - train_mse: 2.{0}5 - val_mae: 8.5 - val_mse: 3.5",
    ],
    ids=["words", "beside a part", "beside another error"],
)
def test_the_error_that_both_splits_have_is_the_loss(line: str, tmp_path: Path) -> None:
    """Of several the one that is most likely to have been minimised; the report says what it took."""
    view = read(tmp_path, "".join(line.format(epoch) + "\n" for epoch in (1, 2)))
    assert signals(view) == {"train_loss": {1: 2.15, 2: 2.25}, "validation_loss": {1: 3.5, 2: 3.5}}
    assert "there is no other loss" in said(view)


def test_an_error_beside_a_loss_is_a_metric(tmp_path: Path) -> None:
    """The loss was minimised, whatever the error says."""
    log = "".join(f"Epoch {epoch}: train loss 2.5, val loss 3.5, train mse 0.5, val mse 0.75\n" for epoch in (1, 2))
    assert signals(read(tmp_path, log)) == {"train_loss": {1: 2.5, 2: 2.5}, "validation_loss": {1: 3.5, 2: 3.5}}


def test_errors_stand_at_the_steps_of_their_lines(tmp_path: Path) -> None:
    """A training error moves the clock as a loss does."""
    log = "".join(f"Epoch: [{epoch}][{step}/20] train rmse 2.5\n" for epoch in (0, 1) for step in (10, 20))
    assert [*signals(read(tmp_path, log))["train_loss"]] == [10, 20, 30, 40]
