"""Sampled steps become tables: layouts are joined by name, and what fits no layout is counted."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from trainhealth.builder import RunBuilder
from trainhealth.growing import joined_places
from trainhealth.records import (
    LayerEntry,
    LayoutRecord,
    ParameterEntry,
    SampleRecord,
    Skipped,
    StartRecord,
    StepRecord,
)
from trainhealth.series import Columns, RunView


def _layout(layers: str, number: int = 0, *, parameters: str = "", units: int = 8) -> LayoutRecord:
    return LayoutRecord(
        step=0,
        time=0.0,
        layout=number,
        layers=[LayerEntry(name=name, type="Linear", units=units) for name in layers],
        parameters=[ParameterEntry(name=name, shape=[1]) for name in parameters],
    )


def _sample(step: int, stds: Sequence[float | None], layout: int = 0) -> SampleRecord:
    return SampleRecord(step=step, time=0.0, layout=layout, layers={"activation_std": list(stds)})


def _view(*records: LayoutRecord | SampleRecord | StepRecord | StartRecord) -> RunView:
    builder = RunBuilder()
    builder.feed(list(records))
    return builder.view()


def _table(columns: Columns) -> dict[str, list[float | None]]:
    """Return place -> values, None for NaN."""
    rows = [[None if math.isnan(value) else value for value in row] for row in columns.values.tolist()]
    return {place: [row[i] for row in rows] for i, place in enumerate(columns.places)}


def test_columns_stand_under_the_names_of_their_layout() -> None:
    """A row a sampled step; null is a place without a value."""
    view = _view(_layout("ab"), _sample(0, [1, 2]), _sample(4, [3, None]))
    columns = view.columns("activation_std")
    assert columns.steps.tolist() == [0, 4]
    assert _table(columns) == {"a": [1, 3], "b": [2, None]}
    assert columns.place("b").steps.tolist() == [0]
    assert [layer.name for layer in view.layers] == ["a", "b"]


def test_numbers_that_are_not_finite_or_too_large_keep_their_meaning() -> None:
    """Statistics are kept in single precision, in which 1e300 is infinite."""
    record = SampleRecord(step=0, time=0.0, layout=0, layers={"activation_std": ["NaN", "-Infinity", 1e300]})
    values = _view(_layout("abc"), record).columns("activation_std").values
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, [[math.nan, -math.inf, math.inf]])


def test_a_signal_that_a_sample_lacks_is_missing_in_its_row() -> None:
    """All signals have the same rows, so that they can be compared row by row."""
    other = SampleRecord(step=1, time=0.0, layout=0, layers={"activation_mean": [7.0]})
    view = _view(_layout("a"), _sample(0, [1]), other, _sample(2, [2]))
    assert _table(view.columns("activation_std")) == {"a": [1, None, 2]}
    assert _table(view.columns("activation_mean")) == {"a": [None, 7, None]}


def test_the_batch_and_parameters_have_places_of_their_own() -> None:
    """A signal of the closed list or of a plugin's: what counts is where in the record it stands."""
    sample = SampleRecord(
        step=0, time=0.0, layout=0, parameters={"update_ratio": [0.5], "mine": [1.5]}, batch={"input_mean": 3.0}
    )
    view = _view(_layout("ab", parameters="w"), sample)
    assert _table(view.columns("update_ratio")) == {"w": [0.5]}
    assert _table(view.columns("mine")) == {"w": [1.5]}
    assert _table(view.columns("input_mean")) == {"batch": [3.0]}
    assert [view.columns(name).table for name in ("mine", "input_mean")] == ["parameters", "batch"]


def test_a_name_that_layers_and_parameters_share_gives_two_tables() -> None:
    """Neither hides the other."""
    sample = SampleRecord(step=0, time=0.0, layout=0, layers={"rank": [1.0, 2.0]}, parameters={"rank": [3.0]})
    view = _view(_layout("ab", parameters="w"), sample)
    assert _table(view.columns("rank")) == {"a": [1], "b": [2]}
    assert _table(view.columns("parameters/rank")) == {"w": [3]}


# --- layouts that change ----------------------------------------------------------------------------------------------


def test_a_layer_that_comes_later_stands_where_it_is_executed() -> None:
    """A lazy module, or a branch that is taken later: it has no values before."""
    view = _view(_layout("ac"), _sample(0, [1, 3]), _layout("abc", 1), _sample(1, [10, 20, 30], layout=1))
    columns = view.columns("activation_std")
    assert columns.places == ("a", "b", "c")
    assert _table(columns) == {"a": [1, 10], "b": [None, 20], "c": [3, 30]}
    assert [layer.name for layer in view.layers] == ["a", "b", "c"]


def test_a_layer_that_is_gone_keeps_its_values_and_its_place() -> None:
    """Behind the layer that it stood behind."""
    view = _view(_layout("abc"), _sample(0, [1, 2, 3]), _layout("cxa", 1), _sample(1, [30, 40, 10], layout=1))
    assert _table(view.columns("activation_std")) == {"c": [3, 30], "x": [None, 40], "a": [1, 10], "b": [2, None]}


def test_the_newest_layout_describes_a_layer() -> None:
    """A lazy layer does not know its units at first."""
    view = _view(_layout("a", units=0), _layout("a", 1, units=512))
    assert view.layers[0].units == 512


def test_a_layout_number_that_is_given_again_does_not_rename_older_samples() -> None:
    """A resumed run counts its layouts from 0 again, for a model that may have changed."""
    view = _view(
        _layout("ab"),
        _sample(0, [1, 2]),
        StartRecord(step=1, time=0.0, resumed=True),
        _layout("bc"),
        _sample(1, [20, 30]),
    )
    assert _table(view.columns("activation_std")) == {"a": [1, None], "b": [2, 20], "c": [None, 30]}


def test_an_older_view_keeps_its_places() -> None:
    """When a later layout moves the columns."""
    builder = RunBuilder()
    builder.feed([_layout("ac"), _sample(0, [1, 3])])
    view = builder.view()
    builder.feed([_layout("abc", 1), _sample(1, [10, 20, 30], layout=1)])
    assert _table(view.columns("activation_std")) == {"a": [1], "c": [3]}


@pytest.mark.parametrize(
    ("old", "new", "joined"),
    [
        ("", "ab", "ab"),
        ("ab", "", "ab"),
        ("ab", "ab", "ab"),
        ("abc", "ac", "abc"),
        ("abc", "c", "abc"),
        ("ab", "cd", "abcd"),
        ("abcd", "dxa", "dxabc"),
    ],
)
def test_places_are_joined_in_the_newest_order(old: str, new: str, joined: str) -> None:
    """With those that are gone behind the one that they stood behind."""
    assert "".join(joined_places(old, new)) == joined


# --- samples that do not fit ------------------------------------------------------------------------------------------


def test_a_sample_whose_layout_never_came_is_counted() -> None:
    """Its columns have no names. The line that held the layout may be the corrupt one above."""
    view = _view(_sample(8, [1, 2], layout=3))
    assert view.skipped == (Skipped(0, "the sample of step 8 names layout 3, which never came"),)
    assert not view.has("activation_std")


@pytest.mark.parametrize(
    "fields",
    [{"layers": {"activation_std": [1.0]}}, {"parameters": {"update_ratio": [1.0]}}, {"dead_units": ["f"]}],
    ids=str,
)
def test_a_sample_that_has_not_one_value_a_place_is_counted(fields: dict[str, object]) -> None:
    """Which values belong to which layer would be a guess."""
    sample = SampleRecord(step=8, time=0.0, layout=0, **fields)  # type: ignore[arg-type]
    view = _view(_layout("ab", parameters="vw"), sample)
    [skipped] = view.skipped
    assert "the sample of step 8 does not fit its layout" in skipped.reason
    assert "1 values for 2 places" in skipped.reason


# --- steps that go back -----------------------------------------------------------------------------------------------


def test_a_resumed_run_replaces_later_samples() -> None:
    """Of every signal, and the dead units and windows with them."""

    def dead(step: int, bits: str) -> SampleRecord:
        return SampleRecord(step=step, time=0.0, layout=0, dead_units=[bits], dead_window=[step, 100])

    view = _view(
        _layout("a"),
        StepRecord(step=9, time=0.0),
        dead(0, "1"),
        dead(4, "3"),
        dead(8, "f"),
        StepRecord(step=4, time=0.0),
        dead(4, "ff"),
    )
    assert _table(view.columns("dead_fraction")) == {"a": [0.125, 1.0]}
    assert view.dead_window["batches"].values.tolist() == [0, 4]


def test_a_sampled_step_that_repeats_is_replaced() -> None:
    """Also where no step record tells that the run was resumed."""
    view = _view(_layout("a"), _sample(0, [1]), _sample(4, [2]), _sample(8, [3]), _sample(4, [20]))
    assert view.columns("activation_std").steps.tolist() == [0, 4]
    assert _table(view.columns("activation_std")) == {"a": [1, 20]}


def test_many_samples_keep_their_order() -> None:
    """Beyond the first capacity of the arrays, with views taken in between and one signal that comes and goes."""
    builder = RunBuilder()
    builder.feed([_layout("a")])
    for step in range(300):
        name = "activation_std" if step % 3 else "activation_mean"
        builder.feed([SampleRecord(step=step, time=0.0, layout=0, layers={name: [float(step)]})])
        assert len(builder.view().columns(name)) == step + 1
    view = builder.view()
    assert view.columns("activation_mean").place("a").steps.tolist() == list(range(0, 300, 3))
    assert view.columns("activation_std").place("a").values.sum() == sum(i for i in range(300) if i % 3)


# --- dead units -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bits", "fraction"), [("", 0.0), ("0", 0.0), ("a1", 0.375), ("ff", 1.0), (None, None)])
def test_the_dead_fraction_is_the_share_of_bits_that_are_set(bits: str | None, fraction: float | None) -> None:
    """Null: no window of this layer was completed."""
    view = _view(_layout("a"), SampleRecord(step=0, time=0.0, layout=0, dead_units=[bits]))
    assert _table(view.columns("dead_fraction")) == {"a": [fraction]}


def test_dead_units_of_a_layer_without_known_units_have_no_fraction() -> None:
    """Of how many the set is taken is not known."""
    layout = LayoutRecord(step=0, time=0.0, layout=0, layers=[LayerEntry(name="a", type="Lazy")])
    view = _view(layout, SampleRecord(step=0, time=0.0, layout=0, dead_units=["1"]))
    assert _table(view.columns("dead_fraction")) == {"a": [None]}
