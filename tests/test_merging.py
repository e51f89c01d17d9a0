"""Several ranks become one run, computed here a second time from the concatenated batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from trainhealth.builder import RunBuilder
from trainhealth.logged_numbers import Number
from trainhealth.records import (
    EndRecord,
    EpochRecord,
    ErrorRecord,
    LayerEntry,
    LayoutRecord,
    ParameterEntry,
    Record,
    SampleRecord,
    Skipped,
    StepRecord,
)
from trainhealth.series import RunView

UNITS = 6
LAYERS = ("conv", "conv/relu")

Batch = dict[str, NDArray[np.float64]]  # layer -> outputs [examples, units]


def _merged(*logs: Sequence[Record | Skipped]) -> RunView:
    builder = RunBuilder()
    for rank, log in enumerate(logs):
        builder.feed(log, rank)
    return builder.view()


def _layout(*layers: str) -> LayoutRecord:
    entries = [LayerEntry(name=name, type="", units=UNITS) for name in layers]
    return LayoutRecord(
        step=0, time=0.0, layout=0, layers=entries, parameters=[ParameterEntry(name="weight", shape=[1])]
    )


def _measured(step: int, batch: Batch, rank: int) -> SampleRecord:
    """Return what a rank logs about its own batch."""
    outputs = list(batch.values())
    return SampleRecord(
        step=step,
        time=0.0,
        layout=0,
        batch_size=len(outputs[0]),
        layers={
            "activation_mean": [float(x.mean()) for x in outputs],
            "activation_std": [float(x.std()) for x in outputs],
            "activation_maximum": [float(abs(x).max()) for x in outputs],
            "activation_nonfinite": [rank + 1 for _ in outputs],
            "zero_fraction": [float((x == 0).mean()) for x in outputs],
        },
        parameters={"parameter_norm": [1.0 + rank]},
        batch={
            "input_minimum": float(outputs[0].min()),
            "input_mean": float(outputs[0].mean()),
            "input_std": float(outputs[0].std()),
        },
    )


@pytest.fixture
def batches() -> dict[int, dict[int, Batch]]:
    """Rank -> step -> batch: sizes differ, and each rank has a sampled step that others lack."""
    random = np.random.default_rng(0)

    def batch(rank: int) -> Batch:
        raw = random.normal(3.0 * rank, 1.0 + rank, (4 + 3 * rank, UNITS))
        return {"conv": raw, "conv/relu": np.maximum(raw, 0.0)}

    return {
        rank: {step: batch(rank) for step in steps} for rank, steps in {0: (0, 1, 4), 1: (0, 4), 2: (0, 2, 4)}.items()
    }


def _together(batches: dict[int, dict[int, Batch]], step: int, layer: str) -> NDArray[np.float64]:
    return np.concatenate([steps[step][layer] for steps in batches.values() if step in steps])


def _places(view: RunView, signal: str) -> Iterator[tuple[int, str, float]]:
    columns = view.columns(signal)
    for step, row in zip(columns.steps, columns.values, strict=True):
        for place, value in zip(columns.places, row, strict=True):
            yield int(step), place, float(value)


@pytest.fixture
def view(batches: dict[int, dict[int, Batch]]) -> RunView:
    logs: list[list[Record | Skipped]] = [
        [_layout(*LAYERS), *(_measured(step, batch, rank) for step, batch in steps.items())]
        for rank, steps in batches.items()
    ]
    return _merged(*logs)


def test_every_step_that_any_rank_sampled_is_there(view: RunView) -> None:
    """Ranks may sample different steps: their budgets differ."""
    assert view.columns("activation_mean").steps.tolist() == [0, 1, 2, 4]
    assert view.ranks == (0, 1, 2)


def test_statistics_are_those_of_the_concatenated_batches(view: RunView, batches: dict[int, dict[int, Batch]]) -> None:
    """Means, standard deviations, fractions and extremes, as if one process had seen all examples."""
    second: dict[str, Callable[[NDArray[np.float64]], float]] = {
        "activation_mean": np.mean,
        "activation_std": np.std,
        "activation_maximum": lambda x: float(abs(x).max()),
        "zero_fraction": lambda x: float((x == 0).mean()),
    }
    for signal, naive in second.items():
        found = list(_places(view, signal))
        assert len(found) == 8
        for step, place, value in found:
            assert value == pytest.approx(naive(_together(batches, step, place)), rel=1e-5), (signal, step, place)


def test_statistics_of_the_input_merge_likewise(view: RunView, batches: dict[int, dict[int, Batch]]) -> None:
    """Its place is "input"."""
    naive: Callable[[NDArray[np.float64]], float]
    for signal, naive in {"input_mean": np.mean, "input_std": np.std, "input_minimum": np.min}.items():
        for step, _, value in _places(view, signal):
            assert value == pytest.approx(float(naive(_together(batches, step, "conv"))), rel=1e-5), (signal, step)


def test_counts_add_up_and_parameters_are_the_lowest_ranks(view: RunView) -> None:
    """Replicated parameters are the same on every rank; where rank 0 did not sample, the next one tells."""
    counts = view.columns("activation_nonfinite").place("conv")
    assert dict(zip(counts.steps.tolist(), counts.values.tolist(), strict=True)) == {0: 6, 1: 1, 2: 3, 4: 6}
    norms = view.columns("parameter_norm").place("weight")
    assert dict(zip(norms.steps.tolist(), norms.values.tolist(), strict=True)) == {0: 1, 1: 1, 2: 3, 4: 1}


@pytest.mark.parametrize(
    ("values", "mean"),
    [(["NaN", 4.0], 4.0), ([None, 4.0], 4.0), (["NaN", None], math.nan), (["Infinity", 4.0], math.inf)],
)
def test_a_missing_statistic_does_not_count_and_an_infinite_one_does(values: list[Number | None], mean: float) -> None:
    """How many elements were not finite is a signal of its own."""
    logs: list[list[Record | Skipped]] = [
        [_layout("conv"), SampleRecord(step=0, time=0.0, layout=0, layers={"activation_mean": [value]})]
        for value in values
    ]
    np.testing.assert_array_equal(_merged(*logs).columns("activation_mean").values, [[mean]])


def test_layers_that_only_some_ranks_have_are_joined_in_order() -> None:
    """A pipeline: each rank holds some layers, and its statistics stand for them."""
    logs: list[list[Record | Skipped]] = [
        [_layout(name), SampleRecord(step=0, time=0.0, layout=0, layers={"activation_mean": [value]})]
        for name, value in (("encoder", 1.0), ("decoder", 2.0))
    ]
    view = _merged(*logs)
    assert [layer.name for layer in view.layers] == ["encoder", "decoder"]
    assert list(_places(view, "activation_mean")) == [(0, "encoder", 1.0), (0, "decoder", 2.0)]


# --- dead units -------------------------------------------------------------------------------------------------------


def _dead(step: int, *sets: str | None, batches: int = 8) -> SampleRecord:
    return SampleRecord(
        step=step, time=0.0, layout=0, dead_units=list(sets), dead_window=[batches, 64 * batches], batch_size=64
    )


def _fractions(*logs: Sequence[Record | Skipped]) -> dict[tuple[int, str], float]:
    found = _places(_merged(*logs), "dead_fraction")
    return {(step, place): value * UNITS for step, place, value in found if not math.isnan(value)}


def test_a_unit_is_dead_if_it_is_dead_on_every_rank() -> None:
    """The sets are merged with AND: fractions could not tell which units they stand for."""
    logs = [[_layout("a"), _dead(8, bits)] for bits in ("7", "e", "3f")]
    assert _fractions(*logs) == {(8, "a"): pytest.approx(2)}


def test_the_same_units_come_out_as_from_the_activations_of_all_ranks() -> None:
    """A second computation, from which units ever fired."""
    random = np.random.default_rng(1)
    fired = random.random((3, UNITS)) < 0.4
    logs: list[list[Record | Skipped]] = [
        [_layout("a"), _dead(8, f"{sum(1 << unit for unit in range(UNITS) if not alive[unit]):x}")] for alive in fired
    ]
    assert _fractions(*logs) == {(8, "a"): pytest.approx(int((~fired.any(axis=0)).sum()))}
    assert 0 < (~fired.any(axis=0)).sum() < UNITS


def test_windows_that_end_at_different_steps_are_compared_as_of_each_step() -> None:
    """The newest set of each rank; before a rank has one, its units may be alive."""
    first = [_layout("a"), _dead(4, "f"), _dead(12, "3")]
    second = [_layout("a"), _dead(8, "7"), _dead(16, "1")]
    expected = {8: 3, 12: 2, 16: 1}
    assert _fractions(first, second) == {(step, "a"): pytest.approx(dead) for step, dead in expected.items()}


def test_a_window_in_which_nothing_changed_counts_as_one() -> None:
    """Equal sets are kept once; each window has its row all the same, also after a rank has gone back."""
    first = [_layout("a"), _dead(4, "3"), _dead(8, "3"), _dead(12, "3")]
    second = [_layout("a"), _dead(4, "3"), _dead(8, "1"), _dead(12, "f"), _dead(8, "f"), _dead(12, "f")]
    assert _fractions(first, second) == {(step, "a"): pytest.approx(2) for step in (4, 8, 12)}


def test_each_layer_has_windows_of_its_own() -> None:
    """A layer that is called less often completes its window later."""
    first = [_layout("a", "b"), _dead(4, "1", None), _dead(8, None, "f")]
    second = [_layout("a", "b"), _dead(4, "3", "3")]
    assert _fractions(first, second) == {(4, "a"): pytest.approx(1), (8, "b"): pytest.approx(2)}


def test_a_layer_that_one_rank_has_alone_is_judged_by_that_rank() -> None:
    """In a pipeline the others never see it."""
    assert _fractions([_layout("a"), _dead(4, "3")], [_layout("b"), _dead(4, "1")]) == {
        (4, "a"): pytest.approx(2),
        (4, "b"): pytest.approx(1),
    }


def test_the_window_is_as_large_as_all_ranks_windows_together() -> None:
    """How much data the merged sets rest on."""
    view = _merged([_layout("a"), _dead(8, "1", batches=8)], [_layout("a"), _dead(8, "1", batches=10)])
    assert view.dead_window["batches"].values.tolist() == [18]
    assert view.dead_window["examples"].values.tolist() == [18 * 64]


# --- scalars ----------------------------------------------------------------------------------------------------------


def test_the_loss_is_the_mean_weighted_by_the_batch_sizes_in_force() -> None:
    """Batch sizes are logged only when they change; a step that one rank lacks is the others'."""
    first: list[Record | Skipped] = [
        StepRecord(step=0, time=0.0, train_loss=1.0, batch_size=10, learning_rate=0.1),
        StepRecord(step=1, time=0.0, train_loss=2.0),
        StepRecord(step=2, time=0.0, train_loss=3.0, batch_size=30),
    ]
    second: list[Record | Skipped] = [
        StepRecord(step=0, time=0.0, train_loss=4.0, batch_size=30, learning_rate=0.1),
        StepRecord(step=1, time=0.0, train_loss=6.0),
        StepRecord(step=3, time=0.0, train_loss="Infinity", learning_rate=0.2),
    ]
    view = _merged(first, second)
    losses = view.series("train_loss")
    assert losses.steps.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(losses.values, [(10 + 120) / 40, (20 + 180) / 40, 3.0, math.inf])
    sizes = view.series("batch_size")
    assert dict(zip(sizes.steps.tolist(), sizes.values.tolist(), strict=True)) == {0: 40, 2: 60}
    rates = view.series("learning_rate")
    assert dict(zip(rates.steps.tolist(), rates.values.tolist(), strict=True)) == {0: 0.1, 3: 0.2}


def test_a_loss_that_is_nan_on_one_rank_is_nan() -> None:
    """The mean over all examples is NaN: hiding it would be a lie."""
    logs: list[list[Record | Skipped]] = [[StepRecord(step=0, time=0.0, train_loss=loss)] for loss in (1.0, "NaN")]
    assert math.isnan(_merged(*logs).series("train_loss").values[0])


def test_huge_losses_have_a_mean() -> None:
    """The sum of two of them would overflow."""
    log: list[Record | Skipped] = [StepRecord(step=0, time=0.0, train_loss=1.5e308, batch_size=64)]
    assert _merged(log, log).series("train_loss").values[0] == pytest.approx(1.5e308)


def test_epochs_are_merged_by_step_and_number() -> None:
    """Each rank may validate its share of the split: the mean of what they found, weighted by batch size."""

    def log(size: int, loss: float, **more: float) -> list[Record | Skipped]:
        values: dict[str, Number] = {"validation_loss": loss, **more}
        return [
            StepRecord(step=0, time=0.0, train_loss=1.0, batch_size=size),
            EpochRecord(step=1, time=0.0, epoch=0, values=values),
        ]

    view = _merged(log(10, 1.0), log(30, 2.0, f1=0.5))
    [epoch] = view.epochs
    assert (epoch.number, epoch.step) == (0, 1)
    assert epoch.values == {"validation_loss": pytest.approx(1.75), "f1": 0.5}
    assert view.series("validation_loss").values.tolist() == [pytest.approx(1.75)]


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_a_run_has_ended_when_all_ranks_have() -> None:
    """One rank's error is the run's."""
    end, error = EndRecord(step=1, time=5.0), ErrorRecord(step=1, time=4.0, type="ValueError")
    assert _merged([end], [StepRecord(step=0, time=6.0)]).ended is None
    view = _merged([end], [error, end])
    assert (view.ended, view.error, view.last_time) == ("closed", error, 5.0)


def test_skipped_lines_name_their_rank() -> None:
    """A line number alone would not say which file is meant."""
    view = _merged([Skipped(7, "junk")], [Skipped(3, "junk")])
    assert [(skipped.rank, skipped.line) for skipped in view.skipped] == [(0, 7), (1, 3)]


def test_a_view_keeps_what_each_rank_logged() -> None:
    """What should be equal on all ranks, and is not, shows only in their own series; one rank alone has no need."""
    builder = RunBuilder()
    builder.feed([StepRecord(step=0, time=1.0, train_loss=1.0)], 0)
    assert builder.view().by_rank == {}
    builder.feed([StepRecord(step=0, time=1.0, train_loss=3.0)], 1)
    view = builder.view()
    assert {rank: own.series("train_loss").values.tolist() for rank, own in view.by_rank.items()} == {
        0: [1.0],
        1: [3.0],
    }
    assert view.series("train_loss").values.tolist() == [2.0]
