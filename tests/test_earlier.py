"""A run as it was earlier."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tests.same_view import assert_same_view
from trainhealth.builder import RunBuilder
from trainhealth.diagnosis import load
from trainhealth.earlier import as_of
from trainhealth.records import Record, Skipped, StepRecord, decode_lines
from trainhealth.series import RunView, Series
from trainhealth.testing import make_run

SAMPLES = Path(__file__).parent.parent / "sample_logs"
LOGS = ["overfitting/sick", "dead-relu-units/sick", "exploding-activations/sick", "missing-warmup/healthy"]


def dated(view: RunView) -> RunView:
    """Return the view without what it does not date."""
    return dataclasses.replace(view, facts={}, layers=(), parameters=(), thinned=(), last_time=0.0)


def view_of(records: list[Record | Skipped]) -> RunView:
    builder = RunBuilder()
    builder.feed(records)
    return builder.view()


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_it_is_what_a_reader_had_at_that_step(log: str, share: float) -> None:
    """The log as it was just before the next step's record came."""
    records, _ = decode_lines((SAMPLES / log / "events-0.jsonl").read_bytes(), 1)
    places = [place for place, record in enumerate(records) if isinstance(record, StepRecord)]
    number = int(share * (len(places) - 1))
    until = [*places[1:], len(records)][number]
    newest = records[places[number]]
    assert isinstance(newest, StepRecord)
    assert_same_view(dated(as_of(view_of(records), newest.step)), dated(view_of(records[:until])))


def test_the_last_step_is_the_whole_run() -> None:
    """With the way in which it ended."""
    view = dataclasses.replace(make_run([2.0] * 10), ended="closed")
    assert as_of(view, 9) is view
    assert as_of(view, 8).ended is None


def test_a_foreign_log_counts_its_evaluations() -> None:
    """It has no steps of its own: what stands at an epoch came with it."""
    view = load(SAMPLES / "overfitting" / "sick").view
    foreign = RunView(scalars={"validation_loss": Series("validation_loss", np.arange(5), np.ones(5))})
    assert as_of(foreign, 2).last_step == 2
    assert as_of(view, 2).last_step == 2


def test_every_rank_is_as_it_was() -> None:
    """What one process logged later is not there either."""
    view = dataclasses.replace(make_run([2.0] * 10), by_rank={0: make_run([2.0] * 10), 1: make_run([3.0] * 10)})
    assert [one.last_step for one in as_of(view, 4).by_rank.values()] == [4, 4]


def test_nothing_before_the_first_step() -> None:
    """No value, no epoch, no sample."""
    view = as_of(load(SAMPLES / "overfitting" / "sick").view, -1)
    assert view.last_step == -1
    assert not view.has("train_loss")
    assert not view.columns_by_signal
