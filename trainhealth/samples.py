"""The sampled steps of a run as tables: layouts joined by name, ranks merged as `signals` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainhealth.records import LayerEntry, LayoutRecord, ParameterEntry, SampleRecord, to_float
from trainhealth.series import Columns, Series
from trainhealth.signals import SIGNALS, Merge


@dataclass(frozen=True, eq=False)
class SampleTable:
    """All sampled steps: columns by signal, the union of all layouts, how much data the dead-unit windows held."""

    columns: Mapping[str, Columns] = field(default_factory=dict)
    layers: tuple[LayerEntry, ...] = ()
    parameters: tuple[ParameterEntry, ...] = ()
    dead_window: Mapping[str, Series] = field(default_factory=dict)
    batch_sizes: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    dead_bits: tuple[Mapping[str, int], ...] = ()  # a sampled step: place -> bit set of dead units
    sampling: Mapping[str, Series] = field(default_factory=dict)


class Samples:
    """Collects one rank's samples, each with the layout that was in force."""

    def __init__(self) -> None:
        self._layouts: dict[int, LayoutRecord] = {}
        self._samples: list[SampleRecord] = []
        self._rows: list[dict[str, NDArray[np.float32]]] = []
        self._table: SampleTable | None = None

    def set_layout(self, layout: LayoutRecord) -> None:
        """Make `layout` known to the samples that will name it."""
        self._layouts[layout.layout] = layout

    def add(self, sample: SampleRecord) -> None:
        """Add a sample; one that names a layout which never came is dropped: its columns have no names."""
        if sample.layout not in self._layouts:
            return
        row = {name: _row(values) for name, values in (*sample.layers.items(), *sample.parameters.items())}
        row |= {name: _row([value]) for name, value in sample.inputs.items()}
        self._rows.append(row)
        # the numbers are kept as arrays only: the record's lists would be ten times as large
        self._samples.append(
            SampleRecord(step=sample.step, time=sample.time, layout=sample.layout, batch_size=sample.batch_size,
                         dead_units=sample.dead_units, dead_window=sample.dead_window,
                         interval=sample.interval, cost=sample.cost)
        )  # fmt: skip
        self._table = None

    def truncate(self, step: int) -> None:
        """Forget the samples from `step` on."""
        keep = sum(sample.step < step for sample in self._samples)
        if keep < len(self._samples):
            self._samples, self._rows, self._table = self._samples[:keep], self._rows[:keep], None

    def table(self) -> SampleTable:
        """Return everything so far, one row a sampled step."""
        if self._table is None:
            self._table = self._build()
        return self._table

    def _build(self) -> SampleTable:
        layers: dict[str, LayerEntry] = {}
        parameters: dict[str, ParameterEntry] = {}
        for layout in self._layouts.values():
            layers |= {entry.name: entry for entry in layout.layers}
            parameters |= {entry.name: entry for entry in layout.parameters}
        if not self._samples:
            return SampleTable(layers=tuple(layers.values()), parameters=tuple(parameters.values()))
        steps = np.array([sample.step for sample in self._samples], np.int64)
        columns: dict[str, Columns] = {}
        for signal in dict.fromkeys(name for row in self._rows for name in row):
            places = self._places(signal, layers, parameters)
            columns[signal] = Columns(signal, steps, places, self._values(signal, places))
        bits = tuple(self._bits(sample) for sample in self._samples)
        if any(bits):
            columns["dead_fraction"] = _dead_fraction(steps, layers, bits)
        windowed = [(sample.step, sample.dead_window) for sample in self._samples if sample.dead_window]
        window_steps = np.array([step for step, _ in windowed], np.int64)
        window = {
            name: Series(name, window_steps, np.array([held[i] for _, held in windowed], np.float64))
            for i, name in enumerate(("batches", "examples"))
        }
        sizes = np.array([sample.batch_size or 1 for sample in self._samples], np.float64)
        sampling = {name: self._logged(name) for name in ("interval", "cost")}
        return SampleTable(columns, tuple(layers.values()), tuple(parameters.values()), window, sizes, bits, sampling)

    def _logged(self, name: str) -> Series:
        """Return a field of the sample records as a series, where it was logged."""
        logged = [(sample.step, getattr(sample, name)) for sample in self._samples if getattr(sample, name) is not None]
        steps, values = zip(*logged, strict=True) if logged else ((), ())
        return Series(name, np.array(steps, np.int64), np.array(values, np.float64))

    def _places(self, signal: str, layers: Mapping[str, Any], parameters: Mapping[str, Any]) -> tuple[str, ...]:
        scope = SIGNALS[signal].scope.value if signal in SIGNALS else "layer"
        return tuple(parameters) if scope == "parameter" else ("input",) if scope == "input" else tuple(layers)

    def _values(self, signal: str, places: tuple[str, ...]) -> NDArray[np.float32]:
        """Return [samples, places]; a layout that lacks a place, and a row that lacks the signal, give NaN."""
        values = np.full((len(self._rows), len(places)), np.nan, np.float32)
        index = {place: i for i, place in enumerate(places)}
        scope = SIGNALS[signal].scope.value if signal in SIGNALS else "layer"
        targets: dict[int, NDArray[np.intp]] = {}
        for key, layout in self._layouts.items():
            entries: list[str] = [e.name for e in (layout.parameters if scope == "parameter" else layout.layers)]
            targets[key] = np.array([0] if scope == "input" else [index[name] for name in entries], np.intp)
        for i, (sample, row) in enumerate(zip(self._samples, self._rows, strict=True)):
            if signal in row:
                target = targets[sample.layout][: len(row[signal])]
                values[i, target] = row[signal][: len(target)]
        return values

    def _bits(self, sample: SampleRecord) -> dict[str, int]:
        names = [entry.name for entry in self._layouts[sample.layout].layers]
        return {
            name: int(bits, 16) if bits else 0
            for name, bits in zip(names, sample.dead_units or (), strict=False)
            if bits is not None
        }


def _row(values: list[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # beyond float32 is infinity: as good as infinite for a statistic
        return np.array([to_float(value) for value in values], np.float64).astype(np.float32)


def _dead_fraction(
    steps: NDArray[np.int64], layers: Mapping[str, LayerEntry], bits: tuple[Mapping[str, int], ...]
) -> Columns:
    places = tuple(layers)
    values = np.full((len(steps), len(places)), np.nan, np.float32)
    for i, sets in enumerate(bits):
        for place, dead in sets.items():
            units = layers[place].units
            if units:
                values[i, places.index(place)] = dead.bit_count() / units
    return Columns("dead_fraction", steps, places, values)


def merge_samples(tables: list[SampleTable]) -> SampleTable:
    """Merge the ranks' tables; a step that only some ranks sampled has the values of those.

    Statistics merge exactly: means by weight, standard deviations as those of the mixture of the ranks' batches.
    """
    layers = tuple({entry.name: entry for table in tables for entry in table.layers}.values())
    parameters = tuple({entry.name: entry for table in tables for entry in table.parameters}.values())
    names = dict.fromkeys(name for table in tables for name in table.columns)
    every = [columns.steps for table in tables for columns in table.columns.values()]
    if not every:
        return SampleTable(layers=layers, parameters=parameters)
    steps = np.unique(np.concatenate(every))
    columns: dict[str, Columns] = {}
    for name in names:
        if name == "dead_fraction":
            continue
        have = [(table.columns[name], table) for table in tables if name in table.columns]
        places = tuple(dict.fromkeys(place for part, _ in have for place in part.places))
        stacked = np.stack([_aligned(part, steps, places) for part, _ in have])
        weights = np.stack([_aligned_weights(table, part, steps) for part, table in have])[:, :, None] * ~np.isnan(
            stacked
        )
        means = (
            [_aligned(t.columns[name.removesuffix("_std") + "_mean"], steps, places) for _, t in have]
            if name.endswith("_std")
            else None
        )
        columns[name] = Columns(name, steps, places, _merge(name, stacked, weights, means))
    bits = tuple(_merge_bits(tables, int(step)) for step in steps)
    if any(bits):
        columns["dead_fraction"] = _dead_fraction(steps, {entry.name: entry for entry in layers}, bits)
    window, sampling = tables[0].dead_window, tables[0].sampling
    return SampleTable(columns, layers, parameters, window, np.ones(len(steps)), bits, sampling)


def _aligned(part: Columns, steps: NDArray[np.int64], places: tuple[str, ...]) -> NDArray[np.float64]:
    values = np.full((len(steps), len(places)), np.nan)
    rows = np.searchsorted(steps, part.steps)
    values[np.ix_(rows, np.array([places.index(place) for place in part.places], np.intp))] = part.values
    return values


def _aligned_weights(table: SampleTable, part: Columns, steps: NDArray[np.int64]) -> NDArray[np.float64]:
    weights = np.zeros(len(steps))
    weights[np.searchsorted(steps, part.steps)] = table.batch_sizes
    return weights


def _merge(
    name: str,
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    means: list[NDArray[np.float64]] | None,
) -> NDArray[np.float32]:
    """Merge [ranks, steps, places] over ranks by the signal's rule."""
    merge = SIGNALS[name].merge if name in SIGNALS else Merge.MEAN
    filled = np.where(np.isnan(values), 0.0, values)
    nowhere = np.isnan(values).all(axis=0)
    total = np.where(weights.sum(axis=0) > 0, weights.sum(axis=0), 1.0)
    if merge is Merge.MAXIMUM:
        result = np.where(np.isnan(values), -np.inf, values).max(axis=0)
    elif merge is Merge.MINIMUM:
        result = np.where(np.isnan(values), np.inf, values).min(axis=0)
    elif merge is Merge.SUM:
        result = filled.sum(axis=0)
    elif merge is Merge.FIRST:
        first = np.argmax(~np.isnan(values), axis=0)
        result = np.take_along_axis(values, first[None], axis=0)[0]
    elif merge is Merge.MOMENTS and means is not None:
        centres = np.stack([np.where(np.isnan(mean), 0.0, mean) for mean in means])
        centre = (weights * centres).sum(axis=0) / total
        squares = (weights * (filled**2 + centres**2)).sum(axis=0) / total
        result = np.sqrt(np.maximum(squares - centre**2, 0.0))
    else:
        result = (weights * filled).sum(axis=0) / total
    with np.errstate(over="ignore"):
        return np.where(nowhere, np.nan, result).astype(np.float32)


def _merge_bits(tables: list[SampleTable], step: int) -> dict[str, int]:
    """Return the units dead on every rank, by each rank's newest window at `step`."""
    merged: dict[str, int] = {}
    newest: list[Mapping[str, int]] = []
    for table in tables:
        steps = next((columns.steps for columns in table.columns.values()), np.empty(0, np.int64))
        index = int(np.searchsorted(steps, step, side="right")) - 1
        if index < 0 or not table.dead_bits[index]:
            return {}  # a rank that has not finished a window may have the unit alive
        newest.append(table.dead_bits[index])
    for place in newest[0]:
        if all(place in bits for bits in newest):
            dead = newest[0][place]
            for bits in newest[1:]:
                dead &= bits[place]
            merged[place] = dead
    return merged
