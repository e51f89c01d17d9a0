"""Series, columns and views: NaN is data, and what is not there is empty."""

from __future__ import annotations

import math
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainhealth.errors import UsageError
from trainhealth.records import LayerEntry, ParameterEntry
from trainhealth.series import Columns, Epoch, RunView, Series, empty_series, once
from trainhealth.testing import make_run


def _series(values: dict[int, float], name: str = "train_loss") -> Series:
    return Series(name, np.array(list(values), np.int64), np.array(list(values.values()), np.float64))


GAPS = _series({0: 3.0, 2: math.nan, 5: math.inf, 7: 1.0})


def test_what_is_asked_once_is_worked_out_once_a_series() -> None:
    """Also where the answer is nothing."""
    asked: list[Series] = []
    answer = once(asked.append)
    other = _series({0: 3.0})
    assert [answer(series) for series in (GAPS, other, GAPS, other)] == [None] * 4
    assert asked == [GAPS, other]


@pytest.mark.parametrize("values", [{0: 3.0, 1: 1.0}, {0: 3.0, 1: math.nan}, {}], ids=["itself", "another", "empty"])
def test_an_answer_is_kept_no_longer_than_its_series(values: dict[int, float]) -> None:
    """A series that is its own answer is not held by it: a long run's memory is given back at once."""
    series = _series(values)
    finite = series.finite()
    assert series.finite() is finite
    assert (finite is series) == all(map(math.isfinite, values.values()))
    gone = weakref.ref(series), weakref.ref(finite)
    del series, finite
    assert [reference() for reference in gone] == [None, None]


def test_finite_leaves_out_nan_and_infinity() -> None:
    """With their steps."""
    assert GAPS.finite().steps.tolist() == [0, 7]
    assert GAPS.finite().finite().values.tolist() == [3.0, 1.0]


@pytest.mark.parametrize(
    ("first", "last", "steps"), [(0, 7, [0, 2, 5, 7]), (1, 5, [2, 5]), (3, 4, []), (-9, 0, [0]), (8, 99, [])]
)
def test_between_takes_both_ends(first: int, last: int, steps: list[int]) -> None:
    """Steps need not be in the series."""
    assert GAPS.between(first, last).steps.tolist() == steps


@pytest.mark.parametrize(("step", "value"), [(-1, math.nan), (0, 3.0), (1, 3.0), (5, math.inf), (99, 1.0)])
def test_at_is_the_latest_value_at_or_before_a_step(step: int, value: float) -> None:
    """NaN before the first."""
    assert GAPS.at(step) == pytest.approx(value, nan_ok=True)


def test_an_empty_series_answers_everything() -> None:
    """So that a rule needs no special case."""
    empty = empty_series("train_loss")
    assert len(empty.finite()) == len(empty.between(0, 9)) == 0
    assert math.isnan(empty.at(3))
    assert empty.last_step == -1


# --- columns ----------------------------------------------------------------------------------------------------------

COLUMNS = Columns(
    "activation_std",
    np.array([0, 4, 8]),
    ("a", "b", "c"),
    np.array([[1, 2, math.nan], [3, math.nan, math.nan], [math.inf, math.nan, math.nan]], np.float32),
)


def test_a_place_is_a_series_without_the_steps_at_which_it_has_no_value() -> None:
    """An unknown place has none at all."""
    assert COLUMNS.place("a").values.tolist() == [1, 3, math.inf]
    assert COLUMNS.place("b").steps.tolist() == [0]
    assert len(COLUMNS.place("c")) == len(COLUMNS.place("nowhere")) == 0


def test_latest_is_every_places_last_value_that_is_no_nan() -> None:
    """Infinity is a value; a place that never had one is NaN."""
    np.testing.assert_array_equal(COLUMNS.latest(), [math.inf, 2, math.nan])


@given(st.lists(st.lists(st.sampled_from([math.nan, 1.0, 2.0, math.inf]), min_size=3, max_size=3), max_size=6))
def test_latest_is_what_a_loop_over_the_places_finds(rows: list[list[float]]) -> None:
    """A second, naive computation."""
    values = np.array(rows, np.float32).reshape(-1, 3)
    found = Columns("x", np.arange(len(rows)), ("a", "b", "c"), values).latest()
    for place in range(3):
        known = [row[place] for row in rows if not math.isnan(row[place])]
        np.testing.assert_array_equal(found[place], known[-1] if known else math.nan)


# --- the view ---------------------------------------------------------------------------------------------------------


def test_a_signal_that_is_not_logged_is_empty() -> None:
    """In every form in which it can be asked for."""
    view = RunView()
    assert not view.has("train_loss")
    assert len(view.series("train_loss")) == len(view.columns("activation_std")) == len(view.epoch_series("x")) == 0
    assert len(view.learning_rate) == 0
    assert view.last_step == -1
    assert math.isnan(view.steps_per_second)
    assert view.layer("a") is None


def test_a_value_that_is_nan_is_there() -> None:
    """A NaN loss is the clearest of findings."""
    assert make_run([math.nan]).has("train_loss")


def test_the_last_step_is_the_newest_step_not_the_number_of_finished_ones() -> None:
    """An epoch's record after step 9 says 10 steps; without step records it is all there is."""
    assert make_run([1.0] * 10, epochs=[{"validation_loss": 1.0}]).last_step == 9
    assert make_run([], evaluations={7: {"validation_loss": 1.0}}).last_step == 7


def test_the_learning_rate_is_filled_forward() -> None:
    """From the first step at which it is known."""
    rate = _series({2: 0.1, 4: 0.05}, "learning_rate")
    view = RunView(scalars={"train_loss": _series(dict.fromkeys(range(6), 1.0)), "learning_rate": rate})
    assert view.learning_rate.steps.tolist() == [2, 3, 4, 5]
    assert view.learning_rate.values.tolist() == [0.1, 0.1, 0.05, 0.05]


def test_the_learning_rate_without_a_loss_is_as_it_was_logged() -> None:
    """There are no steps to fill."""
    rate = _series({2: 0.1}, "learning_rate")
    assert RunView(scalars={"learning_rate": rate}).learning_rate is rate


def test_an_epochs_value_is_the_one_logged_with_it() -> None:
    """Rather than the mean of its steps."""
    view = make_run([4.0, 2.0, 2.0, 0.0], epochs=[{"train_loss": 9.0}, {}])
    assert view.epoch_series("train_loss").values.tolist() == [9.0]


def test_an_epochs_value_that_was_not_logged_is_the_mean_of_its_steps() -> None:
    """An epoch without steps has none."""
    epochs = tuple(Epoch(number, step, {}) for number, step in enumerate((2, 2, 5)))
    view = RunView(scalars={"train_loss": _series({0: 4.0, 1: 2.0, 2: 1.0, 4: math.inf})}, epochs=epochs)
    means = view.epoch_series("train_loss")
    assert means.steps.tolist() == [2, 5]
    assert means.values.tolist() == [3.0, math.inf]


def test_an_epoch_of_infinities_of_both_signs_has_no_mean() -> None:
    """And no warning on the terminal."""
    epochs = (Epoch(0, 2, {}),)
    view = RunView(scalars={"train_loss": _series({0: math.inf, 1: -math.inf})}, epochs=epochs)
    assert math.isnan(view.epoch_series("train_loss").values[0])


def test_the_speed_is_that_of_the_last_hundred_steps() -> None:
    """Not of the whole run: a job may have waited long for its first batch."""
    seconds = {step: (0.0 if step == 0 else 1000.0 + step / 50) for step in range(200)}
    assert RunView(times=_series(seconds, "time")).steps_per_second == pytest.approx(50)


def test_the_speed_of_steps_at_the_same_time_is_unknown() -> None:
    """Not infinite."""
    assert math.isnan(RunView(times=_series({0: 5.0, 1: 5.0}, "time")).steps_per_second)


def test_a_place_in_the_log_is_named_for_people() -> None:
    """The file and the step."""
    assert RunView(path="runs/base").location(7) == "runs/base: step 7"
    assert RunView().location(7) == "step 7"


# --- pandas -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def run() -> RunView:
    return make_run(
        [2.0, math.nan, 1.0],
        learning_rate=0.1,
        batch_size=64,
        epochs=[{"validation_loss": 1.5}],
        layers=[LayerEntry(name="a", type="Linear"), LayerEntry(name="b", type="Linear")],
        parameters=[ParameterEntry(name="w", shape=[2])],
        samples={0: {"activation_std": [0.5, None], "update_ratio": [0.001], "mine": [1.0, 2.0]}},
        batch={0: {"input_mean": 0.25}},
    )


def test_the_scalars_are_a_row_a_step(run: RunView) -> None:
    """The learning rate in force stands at every step; an epoch's value at the number of finished steps."""
    frame = run.to_pandas()
    assert frame.index.name == "step"
    assert frame.index.tolist() == [0, 1, 2, 3]
    assert frame["learning_rate"].tolist()[:3] == [0.1, 0.1, 0.1]
    np.testing.assert_array_equal(frame["train_loss"], [2.0, math.nan, 1.0, math.nan])
    assert frame["validation_loss"].dropna().to_dict() == {3: 1.5}


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ("layers", {(0, "a", "activation_std", 0.5), (0, "a", "mine", 1.0), (0, "b", "mine", 2.0)}),
        ("parameters", {(0, "w", "update_ratio", 0.001)}),
        ("batch", {(0, "batch", "input_mean", 0.25)}),
    ],
)
def test_the_other_tables_are_a_row_a_value(run: RunView, table: str, rows: set[tuple[int, str, str, float]]) -> None:
    """Also of signals that are not in the closed list."""
    frame = run.to_pandas(table)
    assert list(frame.columns) == ["step", "place", "signal", "value"]
    found = {
        (step, place, signal, round(float(value), 6)) for step, place, signal, value in frame.itertuples(index=False)
    }
    assert found == rows


def test_tables_of_an_empty_run_are_empty() -> None:
    """With their columns, so that code that selects them works."""
    assert len(RunView().to_pandas()) == 0
    assert list(RunView().to_pandas("layers").columns) == ["step", "place", "signal", "value"]


def test_an_unknown_table_is_an_error_that_names_the_known_ones() -> None:
    """Rather than an empty table."""
    with pytest.raises(UsageError, match="no table 'layer'") as raised:
        RunView().to_pandas("layer")
    assert "layers, parameters" in raised.value.hint
