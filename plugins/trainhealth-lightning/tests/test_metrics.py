"""Names of metrics: which are understood, and which keep their own."""

from __future__ import annotations

import pytest

from trainhealth_lightning.metrics import signals


@pytest.mark.parametrize(
    "name", ["val_loss", "val/loss", "loss_val", "Valid-Loss", "validation_loss", "val_loss_epoch"]
)
def test_spellings_of_validation_loss(name: str) -> None:
    """As tutorials and templates have them."""
    assert signals({name: 1.0, "train_loss": 2.0}, "validation") == {"validation_loss": 1.0}


@pytest.mark.parametrize("name", ["val_acc", "val/accuracy", "valid_acc"])
def test_spellings_of_validation_accuracy(name: str) -> None:
    """Likewise."""
    assert signals({name: 0.5}, "validation") == {"validation_accuracy": 0.5}


def test_anything_else_of_the_split_keeps_its_name() -> None:
    """A part of a loss is not the loss, nor is top-5 the accuracy; "valve" and "retrain" say nothing of a split."""
    metrics = {"val_box_loss": 1.0, "val_acc_top5": 0.9, "valve_loss": 3.0, "retrain_loss": 4.0}
    assert signals(metrics, "validation") == {"val_box_loss": 1.0, "val_acc_top5": 0.9}
