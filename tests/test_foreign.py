"""Columns of foreign logs become signals over the whole run, and several logs of one run become one view."""

from __future__ import annotations

import numpy as np
import pytest

from trainhealth.foreign import joined, understood
from trainhealth.loss_parts import with_sums
from trainhealth.readers.base import PERCENT
from trainhealth.readers.names import Names
from trainhealth.series import Epoch, RunView, Series


def view_of(columns: dict[str, list[float]], log_format: str = "csv", first: int = 0) -> RunView:
    """Return a view whose columns have a value a step, from step `first` on."""
    scalars = {
        name: Series(name, np.arange(first, first + len(values)), np.array(values, float))
        for name, values in columns.items()
    }
    return RunView(scalars=scalars, format=log_format)


def said_of(view: RunView, column: str) -> str:
    """Return what the log says of a column."""
    [message] = [event.message for event in view.events if event.data["column"] == column]
    return message


@pytest.mark.parametrize(
    ("values", "percent"),
    [([0.1, 0.9], False), ([0.5, 1.0], False), ([1.0, 60.0], True), ([10.0, 100.0], True), ([1.0, 250.0], False)],
)
def test_an_accuracy_above_one_is_per_cent(values: list[float], percent: bool) -> None:
    """The whole series decides, so that its low beginning is scaled with the rest; above 100 it is neither."""
    view = understood(view_of({"acc": values}), Names())
    assert view.series("train_accuracy").values.tolist() == [value / 100 if percent else value for value in values]
    assert ("per cent" in said_of(view, "acc")) is percent


def test_a_format_may_say_that_a_column_is_per_cent() -> None:
    """Where all values are below one, nobody else could know."""
    view = understood(view_of({"acc": [0.1, 0.4]}), Names(), unit=lambda column: PERCENT)
    assert view.series("train_accuracy").values.tolist() == [0.001, 0.004]


def test_epochs_values_are_scaled_with_the_series() -> None:
    """They are the same numbers."""
    whole = view_of({"acc": [50.0, 60.0]})
    view = understood(
        RunView(scalars=whole.scalars, epochs=(Epoch(0, 0, {"acc": 50.0}), Epoch(1, 1, {"acc": 60.0}))), Names()
    )
    assert [epoch.values for epoch in view.epochs] == [{"train_accuracy": 0.5}, {"train_accuracy": 0.6}]


def test_of_two_columns_with_one_meaning_the_finer_one_is_taken() -> None:
    """The other keeps its name and is no signal."""
    columns = view_of({"train_loss_epoch": [2.0], "train_loss_step": [2.0, 1.9, 1.8]})
    view = understood(columns, Names())
    assert len(view.series("train_loss")) == 3
    assert "another column is read as train_loss" in said_of(view, "train_loss_epoch")


def test_of_two_columns_of_one_length_the_plainer_name_is_taken() -> None:
    """A smoothed loss hides what rules look for."""
    view = understood(view_of({"loss_smoothed": [1.0, 1.0], "loss": [2.0, 1.5]}), Names())
    assert view.series("train_loss").values.tolist() == [2.0, 1.5]


def test_a_mapped_column_goes_before_all_others() -> None:
    """However short it is."""
    view = understood(view_of({"loss": [3.0, 2.0, 1.0], "mine": [9.0]}), Names({"train_loss": "mine"}))
    assert view.series("train_loss").values.tolist() == [9.0]


def test_a_test_split_that_is_watched_while_training_is_read_as_validation() -> None:
    """Many call it so; evaluated once, at the end, it is a test."""
    watched = understood(view_of({"loss": [2.0, 1.0, 0.5], "test_loss": [2.1, 1.2, 0.9]}), Names())
    assert watched.has("validation_loss")
    assert "no validation split is" in said_of(watched, "test_loss")
    once = understood(view_of({"loss": [2.0, 1.0, 0.5], "test_loss": [0.9]}), Names())
    assert once.has("test_loss")
    assert not once.has("validation_loss")


def test_beside_a_validation_split_a_test_split_stays_one() -> None:
    """Who has both means them."""
    columns = {"loss": [2.0] * 3, "val_loss": [2.0] * 3, "test_loss": [2.0] * 3}
    assert understood(view_of(columns), Names()).has("test_loss")


@pytest.mark.parametrize(
    ("columns", "signal"),
    [
        (("train_loss", "valid_loss", "accuracy"), "validation_accuracy"),
        (("loss", "val_loss", "accuracy"), "train_accuracy"),
        (("loss", "accuracy"), "train_accuracy"),
        (("train_loss", "val_loss", "accuracy", "val_accuracy"), "train_accuracy"),
    ],
)
def test_an_accuracy_without_a_split(columns: tuple[str, ...], signal: str) -> None:
    """It is validation's where the losses say their splits and it does not (fastai), and training's in Keras."""
    view = understood(view_of({column: [float(len(column)) / 20] for column in columns}), Names())
    assert view.series(signal).values.tolist() == [len("accuracy") / 20]


def test_losses_beside_rewards_are_not_read_as_losses() -> None:
    """Unless the user says so."""
    columns = {"loss": [1.0, 2.0], "ep_rew_mean": [1.0, 5.0]}
    assert not understood(view_of(columns), Names()).has("train_loss")
    assert "need not fall" in said_of(understood(view_of(columns), Names()), "loss")
    assert understood(view_of(columns), Names({"train_loss": "loss"})).has("train_loss")


# --- sums of parts ---


def test_parts_are_summed_where_no_column_holds_the_whole() -> None:
    """At the steps at which all of them have a value; also in the epochs' values."""
    columns = {"train/box_loss": [1.0, 2.0], "train/cls_loss": [0.5, 0.25, 0.125]}
    epochs = (Epoch(0, 0, {"train/box_loss": 1.0, "train/cls_loss": 0.5}),)
    view = understood(RunView(scalars=view_of(columns).scalars, epochs=epochs), Names())
    assert view.series("train_loss").values.tolist() == [1.5, 2.25]
    assert view.epochs[0].values["train_loss"] == 1.5


@pytest.mark.parametrize(
    "columns",
    [
        {"train_loss": [9.0], "train/box_loss": [1.0], "train/cls_loss": [0.5]},
        {"train/box_loss": [1.0]},
        {"box_loss": [], "cls_loss": [1.0]},
    ],
    ids=["a whole", "one part", "no common step"],
)
def test_no_sum_is_made_of(columns: dict[str, list[float]]) -> None:
    """A whole that is there, one part alone, parts that never come together."""
    view = understood(view_of(columns), Names())
    assert view.series("train_loss").values.tolist() == columns.get("train_loss", [])


def test_validations_parts_are_summed_only_if_they_are_trainings() -> None:
    """Else the gap between the two sums would mean nothing."""
    parts = {
        name: [1.0] for name in ("train/box_loss", "train/cls_loss", "train/dfl_loss", "val/box_loss", "val/cls_loss")
    }
    view = understood(view_of(parts), Names())
    assert view.has("train_loss")
    assert not view.has("validation_loss")


def test_a_sum_with_nan_is_nan() -> None:
    """A part that has become NaN is not passed over."""
    parts = view_of({"a": [1.0, float("nan")], "b": [1.0, 1.0]})
    view = with_sums(parts, {"a": ("train_loss", "box"), "b": ("train_loss", "cls")})
    assert view.series("train_loss").values[0] == 2.0
    assert np.isnan(view.series("train_loss").values[1])


def test_a_sum_of_zero_was_not_measured() -> None:
    """Ultralytics writes zeros where it does not validate; an epoch that is validated has its sum."""
    columns = {"val/box_loss": [0.0, 1.0], "val/cls_loss": [0.0, 0.5]}
    epochs = tuple(Epoch(at, at, {name: values[at] for name, values in columns.items()}) for at in (0, 1))
    view = understood(RunView(scalars=view_of(columns).scalars, epochs=epochs), Names())
    assert view.series("validation_loss").values.tolist() == [1.5]
    assert "validation_loss" not in view.epochs[0].values
    assert not understood(view_of({"val/box_loss": [0.0], "val/cls_loss": [0.0]}), Names()).has("validation_loss")


# --- several logs of one run ---


def test_a_second_log_of_one_format_goes_on_where_the_first_ended() -> None:
    """A run that was started again writes another file."""
    first, second = view_of({"train_loss": [4.0, 3.0, 2.0]}), view_of({"train_loss": [2.5, 1.0]}, first=2)
    view = joined([first, second])
    assert view.series("train_loss").steps.tolist() == [0, 1, 2, 3]
    assert view.series("train_loss").values.tolist() == [4.0, 3.0, 2.5, 1.0]


def test_of_two_formats_that_hold_a_signal_the_first_is_taken() -> None:
    """The other adds what only it has."""
    view = joined(
        [view_of({"train_loss": [2.0]}), view_of({"train_loss": [9.0], "gradient_norm": [1.0]}, "tensorboard")]
    )
    assert view.series("train_loss").values.tolist() == [2.0]
    assert view.has("gradient_norm")
    assert view.format == "csv + tensorboard"


def test_of_two_formats_that_hold_a_signal_the_longer_one_is_taken() -> None:
    """The state in a checkpoint ends before the event file, which may hold the run's ruin."""
    state, events = view_of({"train_loss": [3.0, 2.0]}, "json"), view_of({"train_loss": [3.0, 2.0, float("nan")]})
    assert len(joined([state, events]).series("train_loss")) == 3
    assert len(joined([events, state]).series("train_loss")) == 3


def test_what_two_logs_say_alike_is_said_once() -> None:
    """Ten checkpoints hold the same columns."""
    view = joined([understood(view_of({"loss": [2.0, 1.0]}), Names())] * 2)
    assert [event.data["column"] for event in view.events] == ["loss"]


def test_an_empty_series_takes_nobodys_place() -> None:
    """A header without rows, beside a log of another format that has the values."""
    view = joined([view_of({"train_loss": []}), view_of({"train_loss": [2.0]}, "tensorboard")])
    assert view.series("train_loss").values.tolist() == [2.0]


def test_a_column_called_like_a_signal_that_another_column_is_keeps_apart() -> None:
    """Both are there, under two names."""
    view = understood(view_of({"gradient_norm": [1.0], "grad_norm": [1.0, 2.0]}), Names())
    assert view.series("gradient_norm").values.tolist() == [1.0, 2.0]
    assert view.series("gradient_norm (column)").values.tolist() == [1.0]


def test_accuracies_in_per_cent_of_a_test_split_become_fractions_of_validation() -> None:
    """Renaming and scaling go together, also in the epochs' values."""
    columns = view_of({"loss": [2.0, 1.0, 0.5], "test_acc": [50.0, 60.0, 70.0]})
    epochs = (Epoch(0, 0, {"test_acc": 50.0}),)
    view = understood(RunView(scalars=columns.scalars, epochs=epochs), Names())
    assert view.series("validation_accuracy").values.tolist() == [0.5, 0.6, 0.7]
    assert view.epochs[0].values == {"validation_accuracy": 0.5}


@pytest.mark.parametrize("values", [[], [float("nan")] * 3, [float("inf"), float("nan")]])
def test_columns_without_a_finite_value_are_understood(values: list[float]) -> None:
    """Nothing can be said of their unit, and nothing is changed."""
    view = understood(view_of({"acc": values, "epoch": values}), Names())
    assert str(view.series("train_accuracy").values) == str(np.array(values))


def test_a_name_that_says_more_goes_before_one_that_comes_a_little_more_often() -> None:
    """An epoch's `train_loss` before the last `loss` of its progress bar, a loss before the likelihood in it."""
    said = understood(view_of({"loss": [1.0] * 4, "train_loss": [2.0] * 3}), Names())
    assert said.series("train_loss").values.tolist() == [2.0] * 3
    finer = understood(view_of({"loss": [1.0] * 9, "train_loss": [2.0] * 3}), Names())
    assert finer.series("train_loss").values.tolist() == [1.0] * 9
    whole = understood(view_of({"train_nll": [1.0] * 3, "train_loss": [2.0] * 3}), Names())
    assert whole.series("train_loss").values.tolist() == [2.0] * 3
