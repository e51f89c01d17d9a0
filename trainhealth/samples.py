"""One rank's sampled steps as tables: a row a sampled step, a column a place, layouts joined by name."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from trainhealth.growing import GrowingColumns, GrowingSeries, joined_places
from trainhealth.logged_numbers import Number
from trainhealth.records import LayerEntry, LayoutRecord, ParameterEntry, SampleRecord
from trainhealth.series import Columns, FloatArray, Series, Table, empty_series

Entry = TypeVar("Entry", LayerEntry, ParameterEntry)

_BATCH = ("batch",)


@dataclass(frozen=True, eq=False)
class SampleTable:
    """All sampled steps: columns by signal, the union of all layouts, how much data the dead-unit windows held."""

    columns: Mapping[str, Columns] = field(default_factory=dict)
    layers: tuple[LayerEntry, ...] = ()
    parameters: tuple[ParameterEntry, ...] = ()
    dead_window: Mapping[str, Series] = field(default_factory=dict)  # "batches", "examples"
    batch_sizes: Series = field(default_factory=lambda: empty_series("batch_size"))  # one a row


class _Layout(NamedTuple):
    """A layout, and where its places stand in the tables."""

    record: LayoutRecord
    layer_slots: NDArray[np.intp] | slice
    parameter_slots: NDArray[np.intp] | slice


class DeadUnits:
    """The dead units of one rank: a bit set a place, from each completed window."""

    def __init__(self) -> None:
        self._steps: list[int] = []
        self._places: list[tuple[str, ...]] = []  # of the windows completed at each step
        self._changes: dict[str, tuple[list[int], list[int]]] = {}  # place -> steps, bit sets; equal ones once

    def add(self, step: int, windows: Mapping[str, int]) -> None:
        """Add the windows that were completed at `step`: the bit set of each place."""
        places = tuple(windows)
        self._steps.append(step)
        self._places.append(self._places[-1] if self._places and self._places[-1] == places else places)
        for place, dead in windows.items():
            steps, sets = self._changes.setdefault(place, ([], []))
            if not sets or sets[-1] != dead:
                steps.append(step)
                sets.append(dead)

    def newest(self, place: str, step: int) -> int | None:
        """Return the bit set of the last window at or before `step`; None where none was completed."""
        steps, sets = self._changes.get(place, ([], []))
        index = bisect_right(steps, step)
        return sets[index - 1] if index else None

    def since(self, step: int) -> list[tuple[int, str]]:
        """Return the (step, place) of the windows completed at or after `step`."""
        first = bisect_left(self._steps, step)
        return [
            (at, place)
            for at, places in zip(self._steps[first:], self._places[first:], strict=True)
            for place in places
        ]

    def truncate(self, step: int) -> None:
        """Forget the windows from `step` on."""
        keep = bisect_left(self._steps, step)
        del self._steps[keep:], self._places[keep:]
        for steps, sets in self._changes.values():
            keep = bisect_left(steps, step)
            del steps[keep:], sets[keep:]


class Samples:
    """Collects one rank's samples, each with the layout that was in force; adding one costs no more in a long run."""

    def __init__(self) -> None:
        self.dead_units = DeadUnits()
        self.gradient_norms = GrowingSeries()  # over all parameters: follows from the parameters' own
        self._layouts: dict[int, _Layout] = {}
        self._layers: dict[str, LayerEntry] = {}
        self._parameters: dict[str, ParameterEntry] = {}
        self._rows = GrowingSeries()  # the batch size of each row
        self._columns: dict[str, GrowingColumns] = {}
        self._windows = {"batches": GrowingSeries(), "examples": GrowingSeries()}
        self._sampling = {"interval": GrowingSeries(), "cost": GrowingSeries(), "overhead": GrowingSeries()}
        self.thinned: set[str] = set()  # layers of which only a part was looked at

    def set_layout(self, layout: LayoutRecord) -> None:
        """Make `layout` known to the samples that will name it."""
        self._layers = joined_entries(self._layers, layout.layers)
        self._parameters = joined_entries(self._parameters, layout.parameters)
        for column in self._columns.values():
            column.rearrange(self._places(column.table))
        records = {number: known.record for number, known in self._layouts.items()} | {layout.layout: layout}
        self._layouts = {number: self._placed(record) for number, record in records.items()}

    def add(self, sample: SampleRecord) -> str | None:
        """Add a sample; where it does not fit its layout, leave it out and return why."""
        layout = self._layouts.get(sample.layout)
        if layout is None:
            return f"the sample of step {sample.step} names layout {sample.layout}, which never came"
        if (misfit := _misfit(sample, layout.record)) is not None:
            return f"the sample of step {sample.step} does not fit its layout: {misfit}"
        if sample.step <= self._rows.last_step:
            self.truncate(sample.step)
        row = len(self._rows)
        self._rows.append(sample.step, sample.batch_size or 1)
        with np.errstate(over="ignore"):  # beyond float32 is infinity: as good as infinite for a statistic
            for signal, values in sample.layers.items():
                self._column(signal, "layers").write_row(row, values, layout.layer_slots)
            for signal, values in sample.parameters.items():
                self._column(signal, "parameters").write_row(row, values, layout.parameter_slots)
            if "parameter_gradient_norm" in sample.parameters:
                known = sample.parameters["parameter_gradient_norm"]
                norms = _floats([value for value in known if value is not None] if None in known else known)
                self.gradient_norms.append(sample.step, float(np.sqrt(np.sum(np.square(norms)))))
            for signal, value in sample.batch.items():
                self._column(signal, "batch").write_row(row, [value], slice(None))
            if sample.dead_units:
                fractions = self._add_dead(sample.step, layout.record.layers, sample.dead_units)
                self._column("dead_fraction", "layers").write_row(row, fractions, layout.layer_slots)
        for series, held in zip(self._windows.values(), sample.dead_window or (), strict=False):
            series.append(sample.step, held)
        for name, series in self._sampling.items():
            if (logged := getattr(sample, name)) is not None:
                series.append(sample.step, logged)
        self.thinned.update(sample.thinned or ())
        return None

    def truncate(self, step: int) -> None:
        """Forget the samples from `step` on."""
        length = len(self._rows)
        for series in (self._rows, self.gradient_norms, *self._windows.values(), *self._sampling.values()):
            series.truncate(step)
        if len(self._rows) < length:
            self.dead_units.truncate(step)
            for column in self._columns.values():
                column.truncate(len(self._rows))

    def sampling(self) -> dict[str, Series]:
        """Return what is logged of the interval between samples, what each cost (ms), and what all has cost (share)."""
        return {name: series.view(name) for name, series in self._sampling.items() if len(series)}

    def table(self) -> SampleTable:
        """Return everything so far, one row a sampled step; later samples do not show in it."""
        rows = self._rows.view("batch_size")
        return SampleTable(
            columns={name: column.view(name, rows.steps) for name, column in self._columns.items() if len(rows)},
            layers=tuple(self._layers.values()),
            parameters=tuple(self._parameters.values()),
            dead_window={name: series.view(name) for name, series in self._windows.items() if len(series)},
            batch_sizes=rows,
        )

    def _places(self, table: Table) -> tuple[str, ...]:
        return (
            tuple(self._layers) if table == "layers" else tuple(self._parameters) if table == "parameters" else _BATCH
        )

    def _placed(self, layout: LayoutRecord) -> _Layout:
        layers = {name: i for i, name in enumerate(self._layers)}
        parameters = {name: i for i, name in enumerate(self._parameters)}
        return _Layout(
            layout,
            _slots([layers[entry.name] for entry in layout.layers], len(layers)),
            _slots([parameters[entry.name] for entry in layout.parameters], len(parameters)),
        )

    def _column(self, signal: str, table: Table) -> GrowingColumns:
        known = self._columns.get(signal)
        if known is not None and known.table == table:
            return known
        name = signal if known is None else f"{table}/{signal}"  # a signal of layers and of parameters
        if name not in self._columns:
            self._columns[name] = GrowingColumns(table, self._places(table))
        return self._columns[name]

    def _add_dead(self, step: int, layers: Sequence[LayerEntry], sets: Sequence[str | None]) -> list[float]:
        dead = [None if digits is None else int(digits or "0", 16) for digits in sets]
        known = {layer.name: units for layer, units in zip(layers, dead, strict=True) if units is not None}
        self.dead_units.add(step, known)
        return [dead_fraction(units, layer) for layer, units in zip(layers, dead, strict=True)]


def dead_fraction(dead: int | None, layer: LayerEntry) -> float:
    """Return the share of the layer's units in a bit set of dead ones; NaN where either is not known."""
    return math.nan if dead is None or not layer.units else dead.bit_count() / layer.units


def joined_entries(old: Mapping[str, Entry], new: Sequence[Entry]) -> dict[str, Entry]:
    """Return the entries of both by name, in the order of `joined_places`; where both have one, the new one."""
    known = {**old, **{entry.name: entry for entry in new}}
    return {name: known[name] for name in joined_places(tuple(old), [entry.name for entry in new])}


def _misfit(sample: SampleRecord, layout: LayoutRecord) -> str | None:
    """Say which column has not one value a place; None where all have."""
    lengths = [(name, len(column), len(layout.layers)) for name, column in sample.layers.items()]
    lengths += [(name, len(column), len(layout.parameters)) for name, column in sample.parameters.items()]
    lengths += [("dead_units", len(sample.dead_units), len(layout.layers))] if sample.dead_units else []
    return next((f"{name} has {n} values for {places} places" for name, n, places in lengths if n != places), None)


def _slots(places: Sequence[int], count: int) -> NDArray[np.intp] | slice:
    """Return an index for these of `count` places: for all of them in order, as nearly every layout has, a slice."""
    return slice(None) if list(places) == list(range(count)) else np.array(places, np.intp)


def _floats(values: Sequence[Number | None]) -> FloatArray:
    # numpy reads "NaN", "Infinity" and "-Infinity" as the floats that they stand for, and None as NaN
    return np.array(values, np.float64)
