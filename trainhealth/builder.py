"""Records -> `RunView`: collects what the readers deliver, piece by piece, and merges the ranks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

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
    to_float,
)
from trainhealth.samples import Samples, merge_samples
from trainhealth.series import Epoch, FloatArray, IntArray, RunView, Series, empty_series
from trainhealth.signals import SIGNALS, Merge

_STEP_FIELDS = ("train_loss", "train_accuracy", "gradient_norm", "learning_rate", "batch_size")


class _Growing:
    """A series that grows: amortised appends; what `view` has returned never changes."""

    def __init__(self) -> None:
        self._steps: IntArray = np.empty(64, np.int64)
        self._values: FloatArray = np.empty(64, np.float64)
        self._length = 0

    def extend(self, steps: IntArray, values: FloatArray) -> None:
        needed = self._length + len(steps)
        if needed > len(self._steps):
            capacity = max(needed, 2 * len(self._steps))
            self._steps = np.concatenate([self._steps[: self._length], np.empty(capacity - self._length, np.int64)])
            self._values = np.concatenate([self._values[: self._length], np.empty(capacity - self._length, np.float64)])
        self._steps[self._length : needed] = steps
        self._values[self._length : needed] = values
        self._length = needed

    def truncate(self, step: int) -> None:
        """Forget everything from `step` on (in new arrays: older views keep theirs)."""
        keep = int(np.searchsorted(self._steps[: self._length], step))
        if keep < self._length:
            self._steps, self._values = self._steps.copy(), self._values.copy()
            self._length = keep

    def view(self, name: str) -> Series:
        return Series(name, self._steps[: self._length], self._values[: self._length])


class _Rank:
    """What one process has logged."""

    def __init__(self) -> None:
        self.scalars: dict[str, _Growing] = {}
        self.times = _Growing()
        self.samples = Samples()
        self.epochs: list[Epoch] = []
        self.events: list[EventRecord] = []
        self.skipped_steps: list[int] = []
        self.next_step = 0  # the first step that is not there yet
        self.ended: str | None = None
        self.error: ErrorRecord | None = None
        self.last_time = 0.0
        self.pid = 0

    def feed(self, records: Sequence[Record]) -> None:
        begin = 0
        for index, record in enumerate(records):
            if type(record) is not StepRecord:
                self._feed_steps(records[begin:index])  # type: ignore[arg-type]  # only steps stand between
                self._feed_other(record)
                begin = index + 1
        self._feed_steps(records[begin:])  # type: ignore[arg-type]  # only steps are left
        if records:
            self.last_time = max(self.last_time, records[-1].time)

    def _feed_steps(self, records: Sequence[StepRecord]) -> None:
        if not records:
            return
        self.ended = None  # whoever writes steps has not ended
        steps = np.fromiter((record.step for record in records), np.int64, len(records))
        back = np.flatnonzero(np.diff(steps) <= 0)
        if len(back):  # a resumed run: steps go back
            middle = int(back[0]) + 1
            self._feed_steps(records[:middle])
            self._feed_steps(records[middle:])
            return
        if int(steps[0]) < self.next_step:
            self._truncate(int(steps[0]))
        self.next_step = int(steps[-1]) + 1
        self.times.extend(steps, np.fromiter((record.time for record in records), np.float64, len(records)))
        for name in _STEP_FIELDS:
            self._extend(name, steps, [getattr(record, name) for record in records])
        for record in records:
            if record.losses:
                for name, loss in record.losses.items():
                    self._append(f"loss/{name}", record.step, to_float(loss))
            if record.skipped:
                self.skipped_steps.append(record.step)

    def _extend(self, name: str, steps: IntArray, values: list[Any]) -> None:
        absent = values.count(None)
        if absent == len(values):
            return
        if absent:
            present = np.array([value is not None for value in values])
            steps, values = steps[present], [value for value in values if value is not None]
        # numpy reads "NaN", "Infinity" and "-Infinity" as the floats that they stand for
        self.scalars.setdefault(name, _Growing()).extend(steps, np.array(values, dtype=np.float64))

    def _append(self, name: str, step: int, value: float) -> None:
        self.scalars.setdefault(name, _Growing()).extend(np.array([step], np.int64), np.array([value]))

    def _feed_other(self, record: Record) -> None:
        match record:
            case StartRecord():
                self.pid, self.ended, self.error = record.pid, None, None
                if record.step < self.next_step:
                    self._truncate(record.step)
            case LayoutRecord():
                self.samples.set_layout(record)
            case SampleRecord():
                self.samples.add(record)
            case EpochRecord():
                values = {name: to_float(value) for name, value in record.values.items()}
                self.epochs.append(Epoch(record.epoch, record.step, values))
                self._feed_values(record.step, values)
            case EvaluationRecord():
                self._feed_values(record.step, {name: to_float(value) for name, value in record.values.items()})
            case EventRecord():
                self.events.append(record)
            case ErrorRecord():
                self.error = record
            case EndRecord():
                self.ended = record.reason

    def _feed_values(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            # a value an epoch of a signal that has one a step (train_loss) is the epoch's mean: it stays with the epoch
            if name in _STEP_FIELDS and name in self.scalars and self.scalars[name].view(name).last_step >= step - 1:
                continue
            self._append(name, step, value)

    def _truncate(self, step: int) -> None:
        for growing in (*self.scalars.values(), self.times):
            growing.truncate(step)
        self.samples.truncate(step)
        self.epochs = [epoch for epoch in self.epochs if epoch.step < step]
        self.skipped_steps = [skipped for skipped in self.skipped_steps if skipped < step]
        self.next_step = step


class RunBuilder:
    """Collects records (from one or several ranks, in any portions) and returns views of what is there so far."""

    def __init__(self, path: str = "", format: str = "trainhealth") -> None:  # noqa: A002  # the field's name
        self.path = path
        self.format = format
        self.info = RunInfo()
        self._ranks: dict[int, _Rank] = {}
        self._skipped: list[Skipped] = []

    def feed(self, records: Iterable[Record | Skipped], rank: int = 0) -> None:
        """Add what a reader has delivered for one rank."""
        good: list[Record] = []
        for record in records:
            if type(record) is Skipped:
                self._skipped.append(record)
            else:
                good.append(record)  # type: ignore[arg-type]  # the union without Skipped
        self._ranks.setdefault(rank, _Rank()).feed(good)

    def view(self) -> RunView:
        """Return everything read so far as a read-only view."""
        ranks = dict(sorted(self._ranks.items())) or {0: _Rank()}
        first = next(iter(ranks.values()))
        alone = len(ranks) == 1
        samples = first.samples.table() if alone else merge_samples([rank.samples.table() for rank in ranks.values()])
        events = sorted((event for rank in ranks.values() for event in rank.events), key=lambda event: event.time)
        facts: dict[str, Any] = {}
        for event in events:
            if event.event == "facts":
                facts.update(event.data)
        ends = [rank.ended for rank in ranks.values()]
        return RunView(
            path=self.path,
            info=self.info,
            scalars=_scalars(list(ranks.values())),
            columns_by_signal=samples.columns,
            layers=samples.layers,
            parameters=samples.parameters,
            epochs=tuple(first.epochs),
            events=tuple(event for event in events if event.event != "facts"),
            facts=facts,
            skipped=tuple(self._skipped),
            skipped_steps=np.array(first.skipped_steps, np.int64),
            dead_window=samples.dead_window,
            sampling=samples.sampling,
            times=first.times.view("time"),
            ranks=tuple(ranks),
            ended=ends[0] if all(ends) else None,
            error=next((rank.error for rank in ranks.values() if rank.error), None),
            last_time=max(rank.last_time for rank in ranks.values()),
            pid=first.pid,
            format=self.format,
        )


def _scalars(ranks: list[_Rank]) -> dict[str, Series]:
    names = dict.fromkeys(name for rank in ranks for name in rank.scalars)
    if len(ranks) == 1:
        views = ((name, ranks[0].scalars[name].view(name)) for name in names)
        return {name: series for name, series in views if len(series)}
    merged = {
        name: _merge_scalar(name, [rank.scalars[name].view(name) for rank in ranks if name in rank.scalars], ranks)
        for name in names
    }
    return {name: series for name, series in merged.items() if len(series)}


def _merge_scalar(name: str, parts: list[Series], ranks: list[_Rank]) -> Series:
    """Merge a scalar over ranks: the mean weighted by batch size, the sum, or rank 0's, as `signals` says."""
    merge = SIGNALS[name].merge if name in SIGNALS else Merge.MEAN
    if merge is Merge.FIRST or len(parts) == 1:
        return parts[0]
    if merge is Merge.SUM:  # batch sizes are logged when they change: at each change the sum of those in force
        steps = np.unique(np.concatenate([part.steps for part in parts]))
        return Series(name, steps, np.nansum([[part.at(int(step)) for step in steps] for part in parts], axis=0))
    sizes = [
        rank.scalars["batch_size"].view("batch_size") if "batch_size" in rank.scalars else empty_series("")
        for rank in ranks
    ]
    steps, index = np.unique(np.concatenate([part.steps for part in parts]), return_inverse=True)
    weights = np.concatenate([_in_force(size, part.steps) for size, part in zip(sizes, parts, strict=False)])
    values = np.concatenate([part.values for part in parts])
    total = np.bincount(index, weights, len(steps))
    return Series(name, steps, np.bincount(index, weights * values, len(steps)) / total)


def _in_force(changes: Series, steps: IntArray) -> FloatArray:
    """Return the value in force at each step of a series that is logged when it changes; 1 where unknown."""
    if not len(changes):
        return np.ones(len(steps))
    index = np.searchsorted(changes.steps, steps, side="right") - 1
    return np.where(index >= 0, changes.values[np.maximum(index, 0)], 1.0)
