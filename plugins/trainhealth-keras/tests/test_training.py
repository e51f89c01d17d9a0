"""The callback in real trainings: what the log holds, what it leaves alone, and how it ends one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trainhealth

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras", reason="keras is not installed: pip install keras")
if keras.backend.backend() != "torch":
    pytest.skip("keras does not run on torch here", allow_module_level=True)

from trainhealth_keras import TrainHealthCallback  # noqa: E402  # imports keras

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's own calls of numpy and torch
BATCH, EXAMPLES = 10, 60


def fit(callback: Any = None, *, poisoned: bool = False, **settings: Any) -> tuple[Any, Any]:
    """Return the model and its history after two epochs of 6 batches, each validated on 20 examples."""
    keras.utils.set_random_seed(7)
    inputs = np.random.default_rng(1).normal(size=(EXAMPLES + 20, 4)).astype("float32")
    labels = inputs[:, :3].argmax(1)
    if poisoned:
        inputs[2 * BATCH] = np.nan  # in the third batch
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01, **settings), loss, metrics=["accuracy"])
    validation = (inputs[EXAMPLES:], labels[EXAMPLES:])
    history = model.fit(
        inputs[:EXAMPLES],
        labels[:EXAMPLES],
        batch_size=BATCH,
        epochs=2,
        shuffle=False,
        verbose=0,
        validation_data=validation,
        callbacks=[callback] if callback else [],
    )
    return model, history.history


def view(tmp_path: Path) -> Any:
    return trainhealth.load(tmp_path / "run").view


def test_losses_are_those_of_the_batches_and_validation_is_keras_own(tmp_path: Path) -> None:
    """The mean of an epoch's losses is what Keras calls the epoch's loss."""
    _, history = fit(TrainHealthCallback(tmp_path / "run"))
    run = view(tmp_path)
    losses = run.series("train_loss")
    assert list(losses.steps) == list(range(12))
    assert [losses.values[:6].mean(), losses.values[6:].mean()] == pytest.approx(history["loss"], rel=1e-5)
    assert run.series("validation_loss").values == pytest.approx(history["val_loss"], rel=1e-6)
    assert run.series("validation_accuracy").values == pytest.approx(history["val_accuracy"], rel=1e-6)
    assert run.series("learning_rate").values == pytest.approx([0.01, 0.01], rel=1e-6)
    assert len(run.series("gradient_norm")) > 2
    assert run.ended == "closed"


def test_watching_changes_no_bit(tmp_path: Path) -> None:
    """Weights are the same without the callback, and the model is as it was."""
    with_it, _ = fit(TrainHealthCallback(tmp_path / "run"))
    without, _ = fit()
    assert all(map(np.array_equal, with_it.get_weights(), without.get_weights()))
    assert "compute_loss" not in vars(with_it)


def test_accumulated_batches_are_one_step(tmp_path: Path) -> None:
    """As many as the optimizer was told to accumulate."""
    fit(TrainHealthCallback(tmp_path / "run"), gradient_accumulation_steps=3)
    assert list(view(tmp_path).series("train_loss").steps) == [0, 1, 2, 3]


def test_gradients_are_those_before_clipping(tmp_path: Path) -> None:
    """Keras clips inside its optimizer, which gets a norm of 1e-3."""
    fit(TrainHealthCallback(tmp_path / "run", overhead=1.0), global_clipnorm=1e-3)
    assert view(tmp_path).series("gradient_norm").values.min() > 1e-2


def test_mixed_precision_keeps_the_loss_that_keras_has(tmp_path: Path) -> None:
    """In bfloat16, which needs no scale."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model, history = fit(TrainHealthCallback(tmp_path / "run"))
    finally:
        keras.config.set_dtype_policy("float32")
    losses = view(tmp_path).series("train_loss").values
    assert model.layers[0].compute_dtype == "bfloat16"
    assert [losses[:6].mean(), losses[6:].mean()] == pytest.approx(history["loss"], rel=1e-5)


def test_a_nan_ends_the_training_where_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In Keras's own way, and it says why."""
    _, history = fit(TrainHealthCallback(tmp_path / "run", stop_on="critical"), poisoned=True)
    assert len(history["loss"]) == 1
    assert "trainhealth: training ends: " in capsys.readouterr().err
