"""Records -> `RunView`: collects what the readers deliver, piece by piece, and merges the ranks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from trainhealth.growing import GrowingSeries
from trainhealth.logged_numbers import to_float
from trainhealth.merging import MergedSamples, MergedScalars, batch_sizes, merge_epochs, norm_over_all
from trainhealth.rank_noise import noise_scale
from trainhealth.records import (
    EndRecord,
    EpochRecord,
    ErrorRecord,
    EvaluationRecord,
    EventRecord,
    LayoutRecord,
    Record,
    RunInfo,
    SampleRecord,
    Skipped,
    StartRecord,
    StepRecord,
)
from trainhealth.samples import Samples
from trainhealth.scalars import Scalars
from trainhealth.series import IMPORTED, Epoch, IntArray, RunView
from trainhealth.step_lines import Portion, Steps, steps_of

_NEVER = 2**62


class _Rank:
    """What one process has logged."""

    def __init__(self) -> None:
        self.scalars = Scalars()
        self.times = GrowingSeries()
        self.samples = Samples()
        self.epochs: list[Epoch] = []
        self.events: list[EventRecord] = []
        self.skipped: list[Skipped] = []
        self.skipped_steps: list[int] = []
        self.resumed: list[int] = []
        self.next_step = 0  # the first step that is not there yet
        self.changed_since = 0  # lowest step that has changed since the last view
        self.ended: str | None = None
        self.error: ErrorRecord | None = None
        self.last_time = 0.0
        self.pid, self.host = 0, ""

    def feed(self, records: Sequence[Record | Skipped] | Portion) -> None:
        """Add records in their order; whether they come one by one or all at once makes no difference.

        The steps among them come first, all at once, then the others one by one: the order counts only around a start
        or an end, and where steps go back.
        """
        if isinstance(records, Portion):
            if records.steps.numbers[0] >= self.next_step:
                self._feed_steps(records.steps)
                self._feed_others(records.others)
                return
            records = records.records()
        steps = [record for record in records if type(record) is StepRecord]
        others = [record for record in records if type(record) is not StepRecord] if len(steps) < len(records) else []
        if any(isinstance(record, StartRecord | EndRecord) for record in others):
            self._feed_around_bounds(records)
            return
        if steps:
            numbers = np.array([record.step for record in steps], np.int64)
            back = np.flatnonzero(numbers <= np.concatenate([[self.next_step - 1], numbers[:-1]]))
            if len(back):
                self._feed_resumed(records, back)
                return
            self._feed_steps(steps_of(steps))
        self._feed_others(others)

    def _feed_others(self, records: Sequence[Record | Skipped]) -> None:
        evaluations = [record for record in records if type(record) is EvaluationRecord]
        if not evaluations or len(evaluations) < len(records):
            for record in records:
                self._feed_other(record)
            return
        # a portion of a foreign log, most of which hold nothing else
        self.last_time = max(self.last_time, *(record.time for record in evaluations))
        self.changed_since = min(self.changed_since, *(record.step for record in evaluations))
        self.scalars.evaluate_all(evaluations)

    def _feed_around_bounds(self, records: Sequence[Record | Skipped]) -> None:
        """Add records with starts or ends among them."""
        begin = 0
        for place, record in enumerate(records):
            if isinstance(record, StartRecord | EndRecord):
                self.feed(records[begin:place])
                self._feed_other(record)
                begin = place + 1
        self.feed(records[begin:])

    def _feed_resumed(self, records: Sequence[Record | Skipped], back: IntArray) -> None:
        """Add records among which steps go back (the run was resumed): the steps with the numbers `back`."""
        places = [place for place, record in enumerate(records) if type(record) is StepRecord]
        bounds = [places[i] for i in back] + [len(records)]
        self.feed(records[: bounds[0]])
        for low, high in pairwise(bounds):
            self._resume(records[low].step)
            self.feed(records[low:high])

    def _feed_steps(self, steps: Steps) -> None:
        self.ended = None  # whoever writes steps has not ended
        self.next_step = int(steps.numbers[-1]) + 1
        self.changed_since = min(self.changed_since, int(steps.numbers[0]))
        self.last_time = max(self.last_time, float(steps.times.max()))
        self.times.extend(steps.numbers, steps.times)
        for name, (numbers, values) in steps.values.items():
            self.scalars.extend(name, numbers, values)
        self.skipped_steps += steps.skipped

    def _feed_other(self, record: Record | Skipped) -> None:
        if isinstance(record, Skipped):
            self.skipped.append(record)
            return
        self.last_time = max(self.last_time, record.time)
        match record:
            case StartRecord():
                self.pid, self.host, self.ended, self.error = record.pid, record.host, None, None
                if record.step < self.next_step or (record.resumed and not self.next_step):  # a log of evaluations only
                    self._resume(record.step)
                elif record.resumed and record.step:
                    self.resumed.append(record.step)
            case EndRecord():
                self.ended = record.reason
            case LayoutRecord():
                self.samples.set_layout(record)
                self.changed_since = 0  # merged dead units depend on which ranks know a layer
            case SampleRecord():
                self.changed_since = min(self.changed_since, record.step)
                fault = self.samples.add(record)
                if fault is not None:
                    self.skipped.append(Skipped(0, fault))
            case EpochRecord():
                values = {name: to_float(value) for name, value in record.values.items()}
                self._end_epoch(Epoch(record.epoch, record.step, values))
                self._evaluate(record.step, values)
            case EvaluationRecord():
                self._evaluate(record.step, {name: to_float(value) for name, value in record.values.items()})
            case EventRecord():
                self.events.append(record)
            case ErrorRecord():
                self.error = record

    def _end_epoch(self, epoch: Epoch) -> None:
        """Add an epoch; one that goes back replaces those from there on."""
        while self.epochs and (epoch.step, epoch.number) <= (self.epochs[-1].step, self.epochs[-1].number):
            self.epochs.pop()  # a log may hold thousands of rows an epoch: the list is not gone through for each
        self.epochs.append(epoch)

    def _evaluate(self, step: int, values: Mapping[str, float]) -> None:
        self.changed_since = min(self.changed_since, step)
        for name, value in values.items():
            self.scalars.evaluate(name, step, value)

    def _resume(self, step: int) -> None:
        """Forget everything from `step` on; what was evaluated when `step` steps were finished still holds."""
        finished = step + 1 if step else 0
        self.scalars.truncate(step, finished)
        self.times.truncate(step)
        self.samples.truncate(step)
        self.epochs = [epoch for epoch in self.epochs if epoch.step < finished]
        self.skipped_steps = [skipped for skipped in self.skipped_steps if skipped < step]
        self.resumed = [resumed for resumed in self.resumed if resumed < step] + ([step] if step else [])
        self.next_step = step
        self.changed_since = min(self.changed_since, step)

    def view(self) -> RunView:
        """Return the series and samples of this process alone."""
        samples = self.samples.table()
        return RunView(
            scalars=self.scalars.view(),
            columns_by_signal=samples.columns,
            layers=samples.layers,
            parameters=samples.parameters,
            times=self.times.view("time"),
            ended=self.ended,
            last_time=self.last_time,
            pid=self.pid,
            host=self.host,
        )


class RunBuilder:
    """Collects records (from one or several ranks, in any portions) and returns views of what is there so far."""

    def __init__(self, path: str = "", format: str = "trainhealth") -> None:  # noqa: A002  # the field's name
        self.path = path
        self.format = format
        self.info = RunInfo()
        self._ranks: dict[int, _Rank] = {}
        self._merged_scalars = MergedScalars()
        self._merged_samples = MergedSamples()

    def feed(self, records: Iterable[Record | Skipped] | Portion, rank: int = 0) -> None:
        """Add what a reader has delivered for one rank."""
        self._ranks.setdefault(rank, _Rank()).feed(records if isinstance(records, list | Portion) else list(records))

    def view(self) -> RunView:
        """Return everything read so far as a read-only view."""
        ranks = dict(sorted(self._ranks.items())) or {0: _Rank()}
        every = list(ranks.values())
        first = every[0]
        if len(every) == 1:
            scalars, samples, epochs = first.scalars.view(), first.samples.table(), tuple(first.epochs)
        else:
            since = min(rank.changed_since for rank in every)
            scalars = self._merged_scalars.update([rank.scalars for rank in every], since)
            samples = self._merged_samples.update([rank.samples for rank in every], since)
            epochs = merge_epochs([rank.epochs for rank in every], [batch_sizes(rank.scalars) for rank in every])
        for rank in every:
            rank.changed_since = _NEVER
        sharded = len(every) > 1 and any(parameter.sharded for parameter in samples.parameters)
        if sharded and "parameter_gradient_norm" in samples.columns:
            norms = norm_over_all(samples.columns["parameter_gradient_norm"])
            scalars = {**scalars, "gradient_norm": norms}
        if "gradient_norm" not in scalars and len(first.samples.gradient_norms):
            scalars = {**scalars, "gradient_norm": first.samples.gradient_norms.view("gradient_norm")}
        if "rank_gradient_ratio" in samples.columns and "batch_size" in scalars:
            ratios, world = samples.columns["rank_gradient_ratio"].place("batch"), max(self.info.world_size, len(every))
            scalars = {**scalars, "gradient_noise_scale": noise_scale(ratios, world, scalars["batch_size"])}
        events = sorted((event for rank in every for event in rank.events), key=lambda event: event.time)
        facts: dict[str, Any] = {}
        for event in events:
            if event.event == "facts":
                facts.update(event.data)
        ends = [rank.ended for rank in every]
        return RunView(
            path=self.path,
            info=self.info,
            scalars=scalars,
            columns_by_signal=samples.columns,
            layers=samples.layers,
            parameters=samples.parameters,
            epochs=epochs,
            events=tuple(event for event in events if event.event != "facts"),
            facts=facts,
            skipped=tuple(
                msgspec.structs.replace(line, rank=number) for number, rank in ranks.items() for line in rank.skipped
            ),
            skipped_steps=np.array(first.skipped_steps, np.int64),
            dead_window=samples.dead_window,
            sampling=first.samples.sampling(),
            thinned=tuple(sorted(set().union(*(rank.samples.thinned for rank in every)))),
            times=first.times.view("time"),
            ranks=tuple(ranks),
            by_rank={number: rank.view() for number, rank in ranks.items()} if len(ranks) > 1 else {},
            resumed=tuple(first.resumed),
            ended=ends[0] if all(ends) else None,
            error=next((rank.error for rank in every if rank.error), None),
            last_time=max(rank.last_time for rank in every),
            pid=first.pid,
            host=first.host,
            format=_imported_from(events) or self.format,
        )


def _imported_from(events: Iterable[EventRecord]) -> str | None:
    """Return the format of the log that this one was made of by ``trainhealth import``; None where it was not."""
    formats = (event.data.get("format") for event in events if event.event == IMPORTED)
    return next((name for name in formats if isinstance(name, str)), None)
