"""Records, in any portions and from any ranks, become one view."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.same_view import assert_same_view, frozen_copy
from trainhealth.builder import RunBuilder
from trainhealth.logged_numbers import to_float
from trainhealth.records import (
    EndRecord,
    EpochRecord,
    ErrorRecord,
    EvaluationRecord,
    EventRecord,
    LayerEntry,
    LayoutRecord,
    ParameterEntry,
    Record,
    SampleRecord,
    Skipped,
    StartRecord,
    StepRecord,
)
from trainhealth.series import RunView, Series

Log = list[Record | Skipped]

# --- strategies: logs in which steps repeat, go back and come from several ranks --------------------------------------

STEPS = st.integers(0, 9)
NUMBERS: st.SearchStrategy[Any] = st.floats(-5, 5, width=16) | st.sampled_from(["NaN", "Infinity", "-Infinity"])
NAMES = st.sampled_from(["train_loss", "validation_loss", "f1"])
LAYERS = st.lists(st.sampled_from("abcd"), max_size=3, unique=True)
COLUMN: st.SearchStrategy[Any] = st.none() | NUMBERS


def _record(cls: type[Any], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(cls, step=STEPS, time=STEPS.map(float), **fields)


@st.composite
def _samples(draw: st.DrawFn) -> SampleRecord:
    layers, parameters = draw(st.integers(0, 3)), draw(st.integers(0, 2))
    bits = st.none() | st.sampled_from(["", "1", "3", "f"])
    columns = st.lists(COLUMN, min_size=layers, max_size=layers)
    return SampleRecord(
        step=draw(STEPS),
        time=0.0,
        layout=draw(st.integers(0, 2)),
        batch_size=draw(st.sampled_from([None, 1, 64])),
        layers=draw(st.dictionaries(st.sampled_from(["activation_mean", "activation_std", "mine"]), columns)),
        parameters={"update_ratio": draw(st.lists(COLUMN, min_size=parameters, max_size=parameters))},
        batch=draw(st.dictionaries(st.just("input_mean"), NUMBERS)),
        dead_units=draw(st.none() | st.lists(bits, min_size=layers, max_size=layers)),
        dead_window=draw(st.none() | st.just([8, 3000])),
    )


RECORDS: st.SearchStrategy[Record | Skipped] = st.one_of(
    _record(
        StepRecord,
        train_loss=st.none() | NUMBERS,
        gradient_norm=st.none() | NUMBERS,
        learning_rate=st.none() | st.just(0.1),
        batch_size=st.none() | st.integers(1, 9),
        losses=st.none() | st.dictionaries(st.sampled_from("gd"), NUMBERS, min_size=1),
        skipped=st.booleans(),
    ),
    _record(StartRecord, pid=STEPS, resumed=st.booleans()),
    _record(
        LayoutRecord,
        layout=st.integers(0, 2),
        layers=LAYERS.map(lambda names: [LayerEntry(name=name, type="", units=4) for name in names]),
        parameters=st.lists(st.sampled_from("wb"), max_size=2, unique=True).map(
            lambda names: [ParameterEntry(name=name, shape=[1]) for name in names]
        ),
    ),
    _samples(),
    _record(EpochRecord, epoch=st.integers(0, 3), values=st.dictionaries(NAMES, NUMBERS)),
    _record(EvaluationRecord, values=st.dictionaries(NAMES, NUMBERS)),
    _record(EventRecord, event=st.sampled_from(["facts", "note"]), data=st.dictionaries(NAMES, STEPS)),
    _record(ErrorRecord, type=st.just("ValueError")),
    _record(EndRecord),
    st.builds(Skipped, line=STEPS, reason=st.just("junk")),
)
LOGS = st.lists(RECORDS, max_size=25)


def _built(*ranks: Log) -> RunView:
    builder = RunBuilder()
    for rank, log in enumerate(ranks):
        builder.feed(log, rank)
    return builder.view()


def _steps(losses: Mapping[int, float], **fields: Any) -> Log:
    return [StepRecord(step=step, time=float(step), train_loss=loss, **fields) for step, loss in losses.items()]


def _pairs(series: Series) -> dict[int, float]:
    return dict(zip(series.steps.tolist(), series.values.tolist(), strict=True))


# --- portions ---------------------------------------------------------------------------------------------------------


@given(log=LOGS, cuts=st.lists(st.integers(0, 25)))
def test_the_portions_in_which_records_come_make_no_difference(log: Log, cuts: list[int]) -> None:
    """Live is the same as post-hoc, whatever the log: every series and every field of the view."""
    builder = RunBuilder()
    bounds = [0, *sorted(cuts), len(log)]
    for low, high in pairwise(bounds):
        builder.feed(log[low:high])
        builder.view()
    assert_same_view(builder.view(), _built(log))


@given(logs=st.lists(LOGS, min_size=2, max_size=3), order=st.lists(st.integers(0, 2), max_size=60))
def test_the_order_in_which_ranks_come_makes_no_difference(logs: list[Log], order: list[int]) -> None:
    """Record by record from one rank or another, with a view after each, ends as all of them at once."""
    builder = RunBuilder()
    for rank in range(len(logs)):
        builder.feed([], rank)
    waiting = [list(log) for log in logs]
    for rank in [*order, *(i for i, log in enumerate(logs) for _ in log)]:
        if rank < len(logs) and waiting[rank]:
            builder.feed([waiting[rank].pop(0)], rank)
            builder.view()
    assert_same_view(builder.view(), _built(*logs))


@given(before=LOGS, after=LOGS, ranks=st.integers(1, 2))
def test_a_view_never_changes_afterwards(before: Log, after: Log, ranks: int) -> None:
    """It can be drawn by one thread while another feeds records, also those of a resumed run."""
    builder = RunBuilder()
    for rank in range(ranks):
        builder.feed(before, rank)
    view = builder.view()
    copy = frozen_copy(view)
    for record in after:
        builder.feed([record], ranks - 1)
        builder.view()
    assert_same_view(view, copy)


def test_a_new_rank_that_appears_late_is_merged_from_the_beginning() -> None:
    """Its file may be created, or synced, minutes after the first one's."""
    builder = RunBuilder()
    builder.feed(_steps({0: 1.0, 1: 1.0, 2: 1.0}), 0)
    builder.view()
    builder.feed(_steps({0: 3.0, 1: 3.0}), 1)
    assert _pairs(builder.view().series("train_loss")) == {0: 2.0, 1: 2.0, 2: 1.0}


# --- one rank ---------------------------------------------------------------------------------------------------------


def test_what_is_logged_only_when_it_changes_stays_as_it_was_logged() -> None:
    """The view fills it forward where it is asked for the value in force."""
    log: Log = [
        StepRecord(step=0, time=0.0, train_loss=1.0, learning_rate=0.1, batch_size=64),
        StepRecord(step=1, time=0.1, train_loss="NaN"),
        StepRecord(step=2, time=0.2, train_loss="-Infinity", learning_rate=0.05, skipped=True),
    ]
    view = _built(log)
    np.testing.assert_array_equal(view.series("train_loss").values, [1.0, math.nan, -math.inf])
    assert _pairs(view.series("learning_rate")) == {0: 0.1, 2: 0.05}
    assert view.learning_rate.values.tolist() == [0.1, 0.1, 0.05]
    assert view.skipped_steps.tolist() == [2]
    assert view.last_step == 2


def test_the_parts_of_a_loss_are_series_of_their_own() -> None:
    """A GAN's two losses, of which a step may lack one."""
    log = [
        StepRecord(step=0, time=0.0, train_loss=3.0, losses={"generator": 1.0, "critic": 2.0}),
        StepRecord(step=1, time=0.0, train_loss=2.5, losses={"critic": 2.5}),
    ]
    view = _built(list(log))
    assert _pairs(view.series("loss/generator")) == {0: 1.0}
    assert _pairs(view.series("loss/critic")) == {0: 2.0, 1: 2.5}


def test_an_epochs_mean_of_a_signal_that_every_step_has_stays_with_the_epoch() -> None:
    """The curve over steps is not mixed with means."""
    log = [*_steps({0: 4.0, 1: 2.0}), EpochRecord(step=2, time=2.0, epoch=0, values={"train_loss": 3.0})]
    view = _built(log)
    assert _pairs(view.series("train_loss")) == {0: 4.0, 1: 2.0}
    assert _pairs(view.epoch_series("train_loss")) == {2: 3.0}


def test_a_signal_that_only_epochs_have_is_a_series_over_their_ends() -> None:
    """A log without step records: all epochs are there, also where they are one step apart."""
    log: Log = [EpochRecord(step=i + 1, time=0.0, epoch=i, values={"train_loss": 3.0 - i}) for i in range(3)]
    assert _pairs(_built(log).series("train_loss")) == {1: 3.0, 2: 2.0, 3: 1.0}


def test_epochs_without_any_step_are_all_kept() -> None:
    """A script that calls `watch.epoch` and never `watch.step`: every record says step 0."""
    log: Log = [EpochRecord(step=0, time=0.0, epoch=i, values={"train_loss": 3.0 - i}) for i in range(3)]
    assert [epoch.number for epoch in _built(log).epochs] == [0, 1, 2]
    assert _built(log).series("train_loss").values.tolist() == [3.0, 2.0, 1.0]


def test_facts_add_up_and_are_no_events() -> None:
    """Later ones add to earlier ones, in order of time."""
    log: Log = [
        EventRecord(step=0, time=2.0, event="facts", data={"classes": 10}),
        EventRecord(step=0, time=1.0, event="facts", data={"classes": 2, "task": "classification"}),
        EventRecord(step=0, time=3.0, event="note", message="hello"),
    ]
    view = _built(log)
    assert view.facts == {"classes": 10, "task": "classification"}
    assert [event.event for event in view.events] == ["note"]


def test_a_run_has_ended_until_somebody_goes_on_writing() -> None:
    """An end, or an error, before a new start is history."""
    failed: Log = [
        *_steps({0: 1.0}),
        ErrorRecord(step=1, time=1.0, type="E"),
        EndRecord(step=1, time=1.0, reason="exception"),
    ]
    assert _built(failed).ended == "exception"
    assert _built(failed).error == failed[1]
    resumed = _built([*failed, StartRecord(step=1, time=9.0, pid=7, resumed=True)])
    assert (resumed.ended, resumed.error, resumed.pid) == (None, None, 7)
    assert _built([*failed, *_steps({1: 1.0})]).ended is None


def test_the_newest_record_tells_the_time_also_where_the_last_line_is_junk() -> None:
    """A stalled run is recognised by it."""
    assert _built([*_steps({7: 1.0}), Skipped(9, "junk")]).last_time == 7.0


@given(LOGS)
def test_scalars_are_what_a_naive_reader_keeps(log: Log) -> None:
    """One record at a time, with lists: a step that is not above the last one voids everything from there on."""
    kept: list[StepRecord] = []
    evaluations: list[tuple[str, int, float]] = []

    def void(step: int) -> None:
        kept[:] = [record for record in kept if record.step < step]
        evaluations[:] = [entry for entry in evaluations if entry[1] <= step and step > 0]

    next_step = 0
    for record in log:
        if isinstance(record, StepRecord | StartRecord) and record.step < next_step:
            void(record.step)
            next_step = record.step
        if isinstance(record, StartRecord) and record.resumed and next_step == 0:
            void(record.step)
            next_step = record.step
        if isinstance(record, StepRecord):
            kept.append(record)
            next_step = record.step + 1
        elif isinstance(record, EpochRecord | EvaluationRecord):
            for name, value in record.values.items():
                if max((at for known, at, _ in evaluations if known == name), default=-1) > record.step:
                    evaluations[:] = [e for e in evaluations if e[0] != name or e[1] < record.step]
                evaluations.append((name, record.step, to_float(value)))
    view = _built(log)
    losses = [(record.step, to_float(record.train_loss)) for record in kept if record.train_loss is not None]
    evaluated = {
        name: [(step, value) for known, step, value in evaluations if known == name] for name in ("f1", "train_loss")
    }
    losses = losses or evaluated["train_loss"]
    np.testing.assert_array_equal(view.series("train_loss").steps, [step for step, _ in losses])
    np.testing.assert_array_equal(view.series("train_loss").values, [value for _, value in losses])
    np.testing.assert_array_equal(view.series("f1").steps, [step for step, _ in evaluated["f1"]])
    np.testing.assert_array_equal(view.series("f1").values, [value for _, value in evaluated["f1"]])
    assert view.times.steps.tolist() == [record.step for record in kept]
    assert view.skipped_steps.tolist() == [record.step for record in kept if record.skipped]
