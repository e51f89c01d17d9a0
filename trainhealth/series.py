"""Read-only, NaN-aware access to a run's series: what rules, reports and the dashboard see of a log.

`RunBuilder` (in ``builder.py``) makes a `RunView` out of records; a view never changes afterwards, so it can be handed
to another thread while the log grows on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, wraps
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, cast, get_args
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from trainhealth.errors import UsageError
from trainhealth.paging import room
from trainhealth.records import ErrorRecord, EventRecord, LayerEntry, ParameterEntry, RunInfo, Skipped

if TYPE_CHECKING:
    import pandas as pd

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Table: TypeAlias = Literal["layers", "parameters", "batch"]
Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
IMPORTED = "imported"  # name of the event in a log of ours that was made of another tool's, whose `format` it says


def once(function: Callable[[Asked], Answer]) -> Callable[[Asked], Answer]:
    """Have `function` work out its answer for a series, or a view, once: they never change, and many rules ask.

    An answer is kept as long as what it is of; it may be that itself, but must not hold it.
    """
    answers: WeakKeyDictionary[Asked, tuple[Answer, ...]] = WeakKeyDictionary()  # empty: what was asked about itself

    @wraps(function)
    def answered(of: Asked) -> Answer:
        known = answers.get(of)
        if known is None:
            answer = function(of)
            answers[of] = () if answer is of else (answer,)
            return answer
        return known[0] if known else cast(Answer, of)

    return answered


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Series:
    """A signal over steps: `steps` int64 [n], not decreasing; `values` float64 [n]; NaN and infinity are data."""

    name: str
    steps: IntArray
    values: FloatArray

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def last_step(self) -> int:
        """Step of the last value; -1 where there is none."""
        return int(self.steps[-1]) if len(self.steps) else -1

    @once
    def finite(self) -> Series:
        """Return the series without NaN and infinity."""
        keep = np.isfinite(self.values)
        if keep.all():
            return self
        count = int(np.count_nonzero(keep))
        steps, values = room((count,), np.int64), room((count,), np.float64)  # kept as long as the series
        np.compress(keep, self.steps, out=steps)
        np.compress(keep, self.values, out=values)
        return Series(self.name, steps, values)

    def between(self, first_step: int, last_step: int) -> Series:
        """Return the part with ``first_step <= step <= last_step``."""
        low, high = np.searchsorted(self.steps, [first_step, last_step + 1])
        return Series(self.name, self.steps[low:high], self.values[low:high])

    def at(self, step: int) -> float:
        """Return the latest value at or before `step`; NaN where there is none."""
        index = int(np.searchsorted(self.steps, step, side="right")) - 1
        return float(self.values[index]) if index >= 0 else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """A per-layer or per-parameter signal: `values` float32 [sampled steps, places]; NaN where a place has no value."""

    signal: str
    steps: IntArray
    places: tuple[str, ...]
    values: NDArray[np.float32]
    table: Table = "layers"  # what the places are

    def __len__(self) -> int:
        return len(self.steps)

    def place(self, name: str) -> Series:
        """Return the series of one place, without the steps at which it has no value."""
        if name not in self.places:
            return empty_series(self.signal)
        column = self.values[:, self.places.index(name)].astype(np.float64)
        keep = ~np.isnan(column)
        return Series(self.signal, self.steps[keep], column[keep])

    def latest(self) -> FloatArray:
        """Return every place's last value that is no NaN, float64 [places]."""
        if not len(self.values):
            return np.full(len(self.places), np.nan)
        result: FloatArray = self.values[-1].astype(np.float64)
        missing = np.flatnonzero(np.isnan(result))  # few, so that this costs little in a long run
        known = ~np.isnan(self.values[:, missing])
        last = len(known) - 1 - np.argmax(known[::-1], axis=0)
        result[missing] = self.values[last, missing]
        return result


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch that has ended: its number (from 0), the steps finished by then, and what was logged with it."""

    number: int
    step: int
    values: Mapping[str, float]


def empty_series(name: str) -> Series:
    """Return a series without values."""
    return Series(name, np.empty(0, np.int64), np.empty(0, np.float64))


def _empty_columns(signal: str) -> Columns:
    return Columns(signal, np.empty(0, np.int64), (), np.empty((0, 0), np.float32))


@dataclass(frozen=True, eq=False)
class RunView:
    """A run as far as it has been read.

    Series are asked for by signal name and are empty where the log holds none, so that a rule needs no special case:
    `has` tells whether there is anything.
    """

    path: str = ""
    info: RunInfo = field(default_factory=RunInfo)
    scalars: Mapping[str, Series] = field(default_factory=dict)
    columns_by_signal: Mapping[str, Columns] = field(default_factory=dict)
    layers: tuple[LayerEntry, ...] = ()  # in order of execution
    parameters: tuple[ParameterEntry, ...] = ()
    epochs: tuple[Epoch, ...] = ()
    events: tuple[EventRecord, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)  # what the hooks found out: task, classes, loss function …
    skipped: tuple[Skipped, ...] = ()
    skipped_steps: IntArray = field(default_factory=lambda: np.empty(0, np.int64))  # updates that a loss scaler skipped
    dead_window: Mapping[str, Series] = field(default_factory=dict)  # "batches", "examples" of the dead-unit windows
    # "interval" (steps, in force from there), "cost" (ms a sample), "overhead" (share of the time, since the start)
    sampling: Mapping[str, Series] = field(default_factory=dict)
    thinned: tuple[str, ...] = ()  # layers whose statistics come from an evenly spaced part of their output
    times: Series = field(default_factory=lambda: empty_series("time"))  # seconds since 1970 a step
    ranks: tuple[int, ...] = (0,)
    by_rank: Mapping[int, RunView] = field(default_factory=dict)  # what each process logged, where there are several
    resumed: tuple[int, ...] = ()  # steps from which a later process went on
    ended: str | None = None  # reason, where the log says that it ended
    error: ErrorRecord | None = None
    last_time: float = 0.0  # of the newest record, seconds since 1970
    pid: int = 0
    host: str = ""  # fingerprint of the machine on which the process has that number
    format: str = "trainhealth"  # of the log, or of the one that it was imported from

    @property
    def watched(self) -> bool:
        """Whether `trainhealth.watch` wrote the log: then it holds every step, and how the run ended.

        Another tool's may not, also where ``trainhealth import`` has kept it in a log of ours.
        """
        return self.format == "trainhealth"

    # --- series ---

    def series(self, name: str) -> Series:
        """Return the scalar signal `name` over steps (over epochs where that is all there is); empty if not logged.

        A signal with one value a sampled step is one too.
        """
        if name in self.scalars:
            return self.scalars[name]
        columns = self.columns_by_signal.get(name)
        return columns.place("batch") if columns is not None and columns.table == "batch" else empty_series(name)

    def columns(self, signal: str) -> Columns:
        """Return the per-layer or per-parameter signal over the sampled steps; empty if not logged."""
        return self.columns_by_signal.get(signal) or _empty_columns(signal)

    def has(self, name: str) -> bool:
        """Tell whether the log holds at least one value of the signal, be it NaN."""
        return len(self.series(name)) > 0 or len(self.columns(name)) > 0

    def epoch_series(self, name: str) -> Series:
        """Return `name` at the ends of epochs: as logged with them, else the mean of its steps in each epoch."""
        logged = [(epoch.step, epoch.values[name]) for epoch in self.epochs if name in epoch.values]
        if logged:
            steps, values = zip(*logged, strict=True)
            return Series(name, np.array(steps, np.int64), np.array(values, np.float64))
        whole = self.series(name)
        if not len(whole) or not self.epochs:
            return empty_series(name)
        ends = np.array([epoch.step for epoch in self.epochs], np.int64)
        bounds = np.searchsorted(whole.steps, np.concatenate([[-1], ends]), side="left")
        parts = [whole.values[low:high] for low, high in pairwise(bounds)]
        keep = np.array([len(part) > 0 for part in parts], bool)
        with np.errstate(invalid="ignore"):  # infinities of both signs have no mean: NaN
            means = np.array([part.mean() for part in parts if len(part)], np.float64)
        return Series(name, ends[keep], means)

    # --- place and time ---

    @property
    def last_step(self) -> int:
        """The newest step; where the log has no steps, that of the newest evaluation; -1 before the first."""
        return max(
            (series.last_step for series in ([self.times] if len(self.times) else self.scalars.values())), default=-1
        )

    @property
    def steps_per_second(self) -> float:
        """Speed over the last 100 steps; NaN while unknown."""
        if len(self.times) < 2:
            return float("nan")
        tail = slice(-101, None)
        seconds = float(self.times.values[tail][-1] - self.times.values[tail][0])
        steps = int(self.times.steps[tail][-1] - self.times.steps[tail][0])
        return steps / seconds if seconds > 0 else float("nan")

    @cached_property
    def learning_rate(self) -> Series:
        """The learning rate in force at every step (it is logged only when it changes)."""
        changes, steps = self.series("learning_rate"), self.series("train_loss").steps
        if not len(changes) or not len(steps):
            return changes
        starts = np.maximum.accumulate(np.searchsorted(steps, changes.steps))  # none backwards, whatever a log holds
        known = steps[starts[0] :]
        values = room(known.shape, np.float64)  # as long as the run, and kept as long as the view
        values[:] = np.repeat(changes.values, np.diff(starts, append=len(steps)))
        return Series("learning_rate", known, values)

    def layer(self, name: str) -> LayerEntry | None:
        """Return the layout's entry for a layer; None if there is none of that name."""
        return next((entry for entry in self.layers if entry.name == name), None)

    def location(self, step: int) -> str:
        """Return where in the log `step` stands, for a person: the file and the step's number."""
        return f"{self.path}: step {step}" if self.path else f"step {step}"

    # --- pandas, at the edge ---

    def to_pandas(self, table: str = "scalars") -> pd.DataFrame:
        """Return the run as a DataFrame.

        `table` is "scalars" (a row a step, a column a signal; the learning rate filled forward), or "layers",
        "parameters" or "batch" (long form: step, place, signal, value; without the values that are missing or NaN).

        Raises:
            UsageError: there is no such table.
        """
        import pandas as pd

        if table == "scalars":
            filled = {**self.scalars, "learning_rate": self.learning_rate}
            named = {name: pd.Series(s.values, index=s.steps) for name, s in filled.items() if len(s)}
            frame = pd.DataFrame({name: s[~s.index.duplicated(keep="last")] for name, s in named.items()})
            return frame.rename_axis("step")
        if table not in get_args(Table):
            raise UsageError(f"there is no table {table!r}", f"Name one of: scalars, {', '.join(get_args(Table))}.")
        parts = [
            pd.DataFrame(columns.values, index=pd.Index(columns.steps, name="step"), columns=list(columns.places))
            .melt(ignore_index=False, var_name="place", value_name="value")
            .assign(signal=signal)
            .reset_index()
            for signal, columns in self.columns_by_signal.items()
            if columns.table == table
        ]
        frame = pd.concat(parts) if parts else pd.DataFrame(columns=["step", "place", "signal", "value"])
        return frame[["step", "place", "signal", "value"]].dropna().reset_index(drop=True)
