"""A run that is resumed replaces what it repeats, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from trainhealth.builder import RunBuilder
from trainhealth.records import (
    EpochRecord,
    EvaluationRecord,
    Record,
    Skipped,
    StartRecord,
    StepRecord,
)
from trainhealth.series import RunView, Series

Log = list[Record | Skipped]


def _built(*ranks: Log) -> RunView:
    builder = RunBuilder()
    for rank, log in enumerate(ranks):
        builder.feed(log, rank)
    return builder.view()


def _steps(losses: Mapping[int, float], **fields: Any) -> Log:
    return [StepRecord(step=step, time=float(step), train_loss=loss, **fields) for step, loss in losses.items()]


def _pairs(series: Series) -> dict[int, float]:
    return dict(zip(series.steps.tolist(), series.values.tolist(), strict=True))


FIRST: Log = [
    *_steps({i: float(i) for i in range(6)}),
    EpochRecord(step=3, time=0.0, epoch=0, values={"validation_loss": 1.0}),
    EpochRecord(step=6, time=0.0, epoch=1, values={"validation_loss": 2.0}),
]


@pytest.mark.parametrize("start", [[], [StartRecord(step=3, time=9.0, resumed=True)]], ids=["without start", "start"])
def test_a_resumed_run_replaces_the_later_steps(start: Log) -> None:
    """With or without a start record that says so; the epoch that ended where it goes on still holds."""
    view = _built([*FIRST, *start, *_steps({3: 30.0, 4: 40.0})])
    assert _pairs(view.series("train_loss")) == {0: 0, 1: 1, 2: 2, 3: 30, 4: 40}
    assert _pairs(view.times) == {0: 0, 1: 1, 2: 2, 3: 3, 4: 4}
    assert _pairs(view.series("validation_loss")) == {3: 1.0}
    assert [epoch.number for epoch in view.epochs] == [0]


def test_a_start_record_alone_voids_what_follows_its_step() -> None:
    """Before the first step of the resumed run is there."""
    view = _built([*FIRST, StartRecord(step=3, time=9.0, resumed=True)])
    assert view.series("train_loss").last_step == 2


def test_a_run_resumed_at_its_end_loses_nothing() -> None:
    """The usual case: a checkpoint at the end of an epoch."""
    view = _built([*FIRST, StartRecord(step=6, time=9.0, resumed=True), *_steps({6: 6.0})])
    assert len(view.series("train_loss")) == 7
    assert len(view.epochs) == 2


def test_a_run_that_begins_again_keeps_nothing() -> None:
    """Not even what was evaluated before the first step: it is another model."""
    evaluated = EvaluationRecord(step=0, time=0.0, values={"validation_loss": 9.0})
    view = _built([evaluated, *FIRST, StartRecord(step=0, time=9.0)])
    assert not view.has("train_loss")
    assert not view.has("validation_loss")
    assert view.epochs == ()


def test_an_older_view_of_a_resumed_run_shows_what_it_showed() -> None:
    """The arrays that it shares are not written over."""
    builder = RunBuilder()
    builder.feed(FIRST)
    view = builder.view()
    builder.feed(_steps({1: 10.0, 2: 20.0}))
    assert view.series("train_loss").values.tolist() == [0, 1, 2, 3, 4, 5]
    assert builder.view().series("train_loss").values.tolist() == [0, 10, 20]


@pytest.mark.parametrize("start", [[], [StartRecord(step=3, time=9.0, resumed=True)]], ids=["without start", "start"])
def test_a_view_says_where_a_later_process_went_on(start: Log) -> None:
    """Where steps go back, and where a start record says so; a run that begins anew was not resumed."""
    assert _built([*FIRST, *start, *_steps({3: 30.0})]).resumed == (3,)
    assert _built([*FIRST, StartRecord(step=6, time=9.0, resumed=True), *_steps({6: 6.0})]).resumed == (6,)
    assert _built([*FIRST, StartRecord(step=0, time=9.0), *_steps({0: 5.0})]).resumed == ()
    assert _built(FIRST).resumed == ()
