"""Several ranks as one run: their series, samples and epochs merged as `signals` says.

Everything here is brought up to date from the lowest step that has changed, so that following a long run costs no more
than a short one. That is right because a merged value depends on nothing that lies behind its step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import chain

import numpy as np

from trainhealth.growing import GrowingColumns, GrowingSeries, joined_places
from trainhealth.records import LayerEntry, ParameterEntry
from trainhealth.samples import Samples, SampleTable, dead_fraction, joined_entries
from trainhealth.scalars import Scalars
from trainhealth.series import Columns, Epoch, FloatArray, IntArray, Series, empty_series
from trainhealth.signals import SIGNALS, Merge

_FOREVER = 2**62


class MergedScalars:
    """The scalar signals of all ranks as one."""

    def __init__(self) -> None:
        self._merged = Scalars()

    def update(self, ranks: Sequence[Scalars], since: int) -> dict[str, Series]:
        """Return all series after merging the steps from `since` on again."""
        self._merged.truncate(since, since)
        sizes = [batch_sizes(rank) for rank in ranks]
        _extend(self._merged.of_steps, [rank.of_steps for rank in ranks], sizes, since)
        _extend(self._merged.of_evaluations, [rank.of_evaluations for rank in ranks], sizes, since)
        return self._merged.view()


def batch_sizes(scalars: Scalars) -> Series:
    """Return the batch sizes of a rank: its weights."""
    sizes = scalars.of_steps.get("batch_size")
    return sizes.view("batch_size") if sizes else empty_series("batch_size")


def _extend(
    merged: dict[str, GrowingSeries], ranks: Sequence[dict[str, GrowingSeries]], sizes: Sequence[Series], since: int
) -> None:
    for name in dict.fromkeys(chain.from_iterable(ranks)):
        have = [(rank[name].view(name), size) for rank, size in zip(ranks, sizes, strict=True) if name in rank]
        merge = SIGNALS[name].merge if name in SIGNALS else Merge.MEAN
        steps, values = _merge_scalar(merge, [part for part, _ in have], [size for _, size in have], since)
        merged.setdefault(name, GrowingSeries()).extend(steps, values)


def _merge_scalar(
    merge: Merge, ranks: Sequence[Series], sizes: Sequence[Series], since: int
) -> tuple[IntArray, FloatArray]:
    """Merge a scalar over the ranks that have it, from step `since` on."""
    parts = [rank.between(since, _FOREVER) for rank in ranks]
    every = np.concatenate([part.steps for part in parts])
    values = np.concatenate([part.values for part in parts])
    if merge is Merge.FIRST:
        steps, first = np.unique(every, return_index=True)
        return steps, values[first]
    if merge is Merge.SUM:  # batch sizes are logged when they change: at each change the sum of those in force
        steps = np.unique(every)
        return steps, np.sum([in_force(rank, steps, 0.0) for rank in ranks], axis=0)
    weights = np.concatenate([in_force(size, part.steps, 1.0) for size, part in zip(sizes, parts, strict=True)])
    steps, index = np.unique(every, return_inverse=True)
    shares = weights / _sums(index, weights, len(steps))[index]
    return steps, _sums(index, shares * values, len(steps))


def _sums(index: IntArray, values: FloatArray, length: int) -> FloatArray:
    """Return, for each number below `length`, the sum of the values with that number."""
    return np.bincount(index, values, length).astype(np.float64, copy=False)


def in_force(changes: Series, steps: IntArray, unknown: float) -> FloatArray:
    """Return the value in force at each step of a series that is logged when it changes."""
    if not len(changes):
        return np.full(len(steps), unknown)
    index = np.searchsorted(changes.steps, steps, side="right") - 1
    return np.where(index >= 0, changes.values[np.maximum(index, 0)], unknown)


def merge_epochs(ranks: Sequence[Sequence[Epoch]], sizes: Sequence[Series]) -> tuple[Epoch, ...]:
    """Return the ranks' epochs as one: values are means weighted by batch size."""
    ends: dict[tuple[int, int], dict[str, list[tuple[float, float]]]] = {}
    for epochs, size in zip(ranks, sizes, strict=True):
        for epoch in epochs:
            values = ends.setdefault((epoch.step, epoch.number), {})
            weight = float(in_force(size, np.array([epoch.step]), 1.0)[0])
            for name, value in epoch.values.items():
                values.setdefault(name, []).append((value, weight))
    return tuple(
        Epoch(number, step, {name: _weighted_mean(pairs) for name, pairs in values.items()})
        for (step, number), values in sorted(ends.items())
    )


def _weighted_mean(pairs: Sequence[tuple[float, float]]) -> float:
    total = sum(weight for _, weight in pairs)
    return sum(value * (weight / total) for value, weight in pairs)


class MergedSamples:
    """The sampled steps of all ranks as one table; a step that only some ranks sampled has the values of those.

    Statistics merge exactly: means by weight, standard deviations as those of the mixture of the ranks' batches.
    A rank whose value is missing or NaN does not count: how many elements were not finite is a signal of its own.
    """

    def __init__(self) -> None:
        self._rows = GrowingSeries()  # the batch size of each row, over all ranks
        self._columns: dict[str, GrowingColumns] = {}
        self._windows = {"batches": GrowingSeries(), "examples": GrowingSeries()}

    def update(self, ranks: Sequence[Samples], since: int) -> SampleTable:
        """Return the table after merging the steps from `since` on again."""
        tables = [rank.table() for rank in ranks]
        layers = reduce(joined_entries, [table.layers for table in tables], dict[str, LayerEntry]())
        parameters = reduce(joined_entries, [table.parameters for table in tables], dict[str, ParameterEntry]())
        self._truncate(since)
        row = len(self._rows)
        sizes = [table.batch_sizes.between(since, _FOREVER) for table in tables]
        steps, index = np.unique(np.concatenate([size.steps for size in sizes]), return_inverse=True)
        self._rows.extend(steps, _sums(index, np.concatenate([size.values for size in sizes]), len(steps)))
        for name in dict.fromkeys(name for table in tables for name in table.columns):
            self._merge_column(name, [table for table in tables if name in table.columns], steps, row)
        self._merge_shards(tables, parameters, steps, row)
        self._merge_dead_units(ranks, tables, layers, since)
        rows = self._rows.view("batch_size")
        return SampleTable(
            columns={name: column.view(name, rows.steps) for name, column in self._columns.items() if len(rows)},
            layers=tuple(layers.values()),
            parameters=tuple(parameters.values()),
            dead_window={name: series.view(name) for name, series in self._windows.items() if len(series)},
            batch_sizes=rows,
        )

    def _truncate(self, step: int) -> None:
        for series in (self._rows, *self._windows.values()):
            series.truncate(step)
        for column in self._columns.values():
            column.truncate(len(self._rows))

    def _merge_column(self, name: str, tables: Sequence[SampleTable], steps: IntArray, row: int) -> None:
        parts = [table.columns[name] for table in tables]
        places = reduce(joined_places, [part.places for part in parts])
        column = self._columns.setdefault(name, GrowingColumns(parts[0].table, places))
        column.rearrange(places)
        merge = SIGNALS[name].merge if name in SIGNALS else Merge.MEAN
        if merge is Merge.UNITS or not len(steps):
            return  # from the bit sets, below
        values = np.stack([_aligned(part, steps, places) for part in parts])
        weights = np.stack([_weights(table.batch_sizes, steps) for table in tables])[:, :, None]
        centre = name.removesuffix("_std") + "_mean"
        means = [_aligned(table.columns.get(centre), steps, places) for table in tables if merge is Merge.MOMENTS]
        with np.errstate(over="ignore"):  # beyond float32 is infinity, as for one rank
            column.write(row, _merge(merge, values, weights * ~np.isnan(values), means))

    def _merge_shards(
        self, tables: Sequence[SampleTable], parameters: Mapping[str, ParameterEntry], steps: IntArray, row: int
    ) -> None:
        """Of parameters that lie in parts on the ranks, put the value of the whole in the place of a part's."""
        sharded = [name for name, entry in parameters.items() if entry.sharded]
        if not sharded or not len(steps):
            return
        every = tuple(parameters)
        chosen = np.array([every.index(name) for name in sharded], np.intp)
        norms = np.stack([_aligned(table.columns.get("parameter_norm"), steps, every) for table in tables])
        for name, column in self._columns.items():
            if column.table == "parameters":
                parts = np.stack([_aligned(table.columns.get(name), steps, every) for table in tables])
                slots = np.array([column.places.index(place) for place in sharded], np.intp)
                column.write(row, merged_shards(name, parts[:, :, chosen], norms[:, :, chosen]), slots)

    def _merge_dead_units(
        self,
        ranks: Sequence[Samples],
        tables: Sequence[SampleTable],
        layers: Mapping[str, LayerEntry],
        since: int,
    ) -> None:
        """A unit is dead if it is in every rank's newest window; a rank without a window may have it alive."""
        column = self._columns.get("dead_fraction")
        if column is None:
            return
        slots = {place: i for i, place in enumerate(column.places)}
        known = [{layer.name for layer in table.layers} for table in tables]
        steps = self._rows.view("").steps
        for step, place in {window for rank in ranks for window in rank.dead_units.since(since)}:
            sets = [
                rank.dead_units.newest(place, step) for rank, names in zip(ranks, known, strict=True) if place in names
            ]
            complete = [dead for dead in sets if dead is not None]
            if len(complete) == len(sets):
                fraction = dead_fraction(reduce(int.__and__, complete), layers[place])
                row = int(np.searchsorted(steps, step))
                column.write(row, [fraction], np.array([slots[place]]))
        for name, merged in self._windows.items():
            parts = [table.dead_window[name] for table in tables if name in table.dead_window]
            if len(parts) == len(tables):
                new = np.unique(np.concatenate([part.between(since, _FOREVER).steps for part in parts]))
                held = np.sum([in_force(part, new, np.nan) for part in parts], axis=0)
                merged.extend(new[~np.isnan(held)], held[~np.isnan(held)])


def _aligned(part: Columns | None, steps: IntArray, places: tuple[str, ...]) -> FloatArray:
    """Return [steps, places] with NaN where the part has no such step or place."""
    values = np.full((len(steps), len(places)), np.nan)
    if part is None:
        return values
    first = int(np.searchsorted(part.steps, steps[0]))
    slots = {place: i for i, place in enumerate(places)}
    rows = np.searchsorted(steps, part.steps[first:])
    values[np.ix_(rows, np.array([slots[place] for place in part.places], np.intp))] = part.values[first:]
    return values


def _weights(sizes: Series, steps: IntArray) -> FloatArray:
    weights = np.zeros(len(steps))
    tail = sizes.between(int(steps[0]), _FOREVER)
    weights[np.searchsorted(steps, tail.steps)] = tail.values
    return weights


def _merge(merge: Merge, values: FloatArray, weights: FloatArray, means: Sequence[FloatArray]) -> FloatArray:
    """Merge [ranks, steps, places] over ranks by the signal's rule; weights are 0 where a rank has no value."""
    missing = np.isnan(values)
    if merge is Merge.MAXIMUM:
        result = np.where(missing, -np.inf, values).max(axis=0)
    elif merge is Merge.MINIMUM:
        result = np.where(missing, np.inf, values).min(axis=0)
    elif merge is Merge.SUM:
        result = np.where(missing, 0.0, values).sum(axis=0)
    elif merge is Merge.FIRST:
        result = np.take_along_axis(values, np.argmax(~missing, axis=0)[None], axis=0)[0]
    else:
        shares = weights / np.maximum(weights.sum(axis=0), 1e-300)
        with np.errstate(invalid="ignore", over="ignore"):  # infinities and what comes of them are data
            if merge is Merge.MOMENTS:
                centres = np.stack(means)
                result = np.sqrt(_weighted(shares, values**2 + (centres - _weighted(shares, centres)) ** 2))
            else:
                result = _weighted(shares, values)
    return np.where(missing.all(axis=0), np.nan, result)


def _weighted(shares: FloatArray, values: FloatArray) -> FloatArray:
    """Return the sum over ranks; a share of 0 leaves out whatever stands there, be it NaN."""
    return np.asarray(np.where(shares > 0, shares * values, 0.0).sum(axis=0), np.float64)


def merged_shards(signal: str, parts: FloatArray, norms: FloatArray) -> FloatArray:
    """Return [steps, places] of whole parameters from what the ranks measured of their parts [ranks, steps, places].

    `norms` are the parts' own. The parts are disjoint, so that squares add; a place has a value where all ranks have
    one. An empty part, or one of zeros, has no update ratio and no say in that of the whole. NaN for signals that do
    not follow from the parts'.

    >>> merged_shards("parameter_norm", np.array([[[3.0]], [[4.0]]]), np.array([[[3.0]], [[4.0]]]))
    array([[5.]])
    >>> merged_shards("update_ratio", np.array([[[0.1]], [[np.nan]]]), np.array([[[3.0]], [[0.0]]]))
    array([[0.1]])
    """
    if signal in ("parameter_nonfinite", "gradient_nonfinite"):
        return np.asarray(parts.sum(axis=0), np.float64)
    if signal in ("parameter_norm", "parameter_gradient_norm"):
        return np.asarray(np.sqrt((parts**2).sum(axis=0)), np.float64)
    if signal != "update_ratio":
        return np.full(parts.shape[1:], np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        moved = np.where(norms == 0, 0.0, parts * norms)
        return np.asarray(np.sqrt((moved**2).sum(axis=0) / (norms**2).sum(axis=0)), np.float64)


def norm_over_all(norms: Columns) -> Series:
    """Return the L2 norm over all places, at the steps at which one has a value."""
    known = ~np.isnan(norms.values)
    whole = np.sqrt(np.where(known, norms.values.astype(np.float64) ** 2, 0.0).sum(axis=1))
    seen = known.any(axis=1)
    return Series("gradient_norm", norms.steps[seen], whole[seen])
