"""Views of foreign logs: their columns become signals, and several logs of one run become one view.

Everything here happens on the whole view, so that a log that is read while it grows ends in the same series as one that
is read at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from trainhealth.empty_cells import with_nan_restored
from trainhealth.epoch_column import epochs_beside_steps
from trainhealth.error_losses import of_errors
from trainhealth.evaluation_sets import of_evaluation_sets
from trainhealth.lone_losses import of_lone_numbers
from trainhealth.loss_parts import COLUMN, with_sums
from trainhealth.readers.base import PERCENT
from trainhealth.readers.names import AN_AXIS, Axis, Meaning, Names, of_reinforcement
from trainhealth.records import EventRecord
from trainhealth.series import Epoch, RunView, Series
from trainhealth.signals import SIGNALS
from trainhealth.standing_axis import with_rows_counted

MOST_FRACTION = 1.5  # an accuracy above it is per cent; fractions exceed 1 by rounding only
_UNSAID = 2  # how much less a name without a split is wanted
LEAST_EVALUATIONS = 3  # of the test split, beside which it plays the part of a validation split


def understood(
    view: RunView,
    names: Names,
    split: Callable[[str], str] | None = None,
    unit: Callable[[str], str] | None = None,
) -> RunView:
    """Return the view with its columns renamed to the signals that they mean.

    `split` says to which split a column belongs whose name does not say it ("train" for all by default), `unit` what
    its numbers are where the format says it ("in bits"). Of several columns with one meaning the one that says so most
    plainly is taken, among those with more than two thirds of the values of the longest; the others keep their names.
    An event for each column says what it was taken for.
    """
    meanings = {column: names.meaning(column, split(column) if split else "train") for column in view.scalars}
    if any(of_reinforcement(column) for column in view.scalars):
        meanings = {column: _reinforced(meaning) for column, meaning in meanings.items()}
    meanings |= of_errors(meanings, names)
    meanings |= of_lone_numbers(view, meanings, names)
    meanings |= _accuracy_of_validation(meanings)
    meanings |= of_evaluation_sets(meanings, names)
    view, standing = with_rows_counted(view, meanings)
    meanings |= standing
    view, emptied = with_nan_restored(view, meanings)
    meanings |= emptied
    lengths = {column: len(series) for column, series in view.scalars.items()}
    longest: dict[str, int] = {}
    for meaning in meanings.values():
        longest[meaning.name] = max(longest.get(meaning.name, 0), lengths[meaning.column])
    wanted = sorted(meanings.values(), key=lambda m: _wish(m, lengths[m.column], longest[m.name]))
    taken: dict[str, Meaning] = {}
    for meaning in wanted:
        if meaning.axis is None:
            taken.setdefault(meaning.name, meaning)
    signals = {meaning.column: meaning.name for meaning in taken.values()}
    signals |= _tested_as_validated(view, {c: name for c, name in signals.items() if meanings[c].preference >= 0})
    reserved = {*signals.values(), *(axis.value for axis in Axis)}
    named = {c: signals.get(c, f"{c} (column)" if c in reserved else c) for c in meanings}
    percent = {
        column: _percent(view.scalars[column], meanings[column], unit(column) if unit else "") for column in signals
    }
    scalars = {
        named[column]: _scaled(series, named[column], percent.get(column, False))
        for column, series in view.scalars.items()
        if meanings[column].axis is None
    }
    epochs = tuple(
        Epoch(
            epoch.number,
            epoch.step,
            {
                named[column]: value / 100 if percent.get(column) else value
                for column, value in epoch.values.items()
                if meanings[column].axis is None
            },
        )
        for epoch in epochs_beside_steps(view, meanings)
    )
    events = tuple(_event(view, meaning, signals, percent, unit) for meaning in meanings.values())
    whole = replace(view, scalars=scalars, epochs=epochs, events=(*events, *view.events))
    parts = {column: names.part(column, split(column) if split else "train") for column in meanings}
    return with_sums(whole, {named[column]: part for column, part in parts.items() if part and named[column] == column})


def _reinforced(meaning: Meaning) -> Meaning:
    """Return what a column means beside rewards: no loss that has to fall."""
    if not meaning.name.endswith("_loss") or meaning.preference < 0:
        return meaning
    return Meaning(meaning.column, meaning.column, "a loss of reinforcement learning, which need not fall")


def _accuracy_of_validation(meanings: Mapping[str, Meaning]) -> dict[str, Meaning]:
    """Return new meanings for an accuracy without a split where the losses have theirs: it is validation's.

    So it is in the tables of fastai and of Hugging Face's notebooks, and in most people's own.
    """
    said = {meaning.name for meaning in meanings.values() if not meaning.guessed}
    unsaid = [meaning for meaning in meanings.values() if meaning.guessed and meaning.name == "train_accuracy"]
    if not {"train_loss", "validation_loss"} <= said or said & {"train_accuracy", "validation_accuracy"}:
        return {}
    because = "of the validation split, since it names none and the losses do"
    return {m.column: replace(m, name="validation_accuracy", because=because) for m in unsaid}


def _wish(meaning: Meaning, length: int, longest: int) -> tuple[bool, bool, int, int]:
    """Return what orders columns of one meaning: the user's choice, a fine one, the plainest name, the longest.

    An epoch's own `train_loss` goes before the last `loss` that a progress bar showed: both come once an epoch.
    """
    plainness = meaning.preference + _UNSAID * meaning.guessed
    return meaning.preference >= 0, 3 * length <= 2 * longest, plainness, -length


def _tested_as_validated(view: RunView, signals: Mapping[str, str]) -> dict[str, str]:
    """Return new names for the test split's columns where it is evaluated all the time and no validation split is.

    Many scripts call the split that they watch while training their test split.
    """
    names = set(signals.values())
    if any(name.startswith("validation_") for name in names):
        return {}
    return {
        column: name.replace("test_", "validation_")
        for column, name in signals.items()
        if name.startswith("test_") and len(view.scalars[column]) >= LEAST_EVALUATIONS
    }


def _percent(series: Series, meaning: Meaning, unit: str) -> bool:
    if not meaning.name.endswith("accuracy"):
        return False
    finite = series.finite().values
    return meaning.percent or unit == PERCENT or bool(len(finite) and MOST_FRACTION < finite.max() <= 100)


def _scaled(series: Series, name: str, percent: bool) -> Series:
    return Series(name, series.steps, series.values / 100 if percent else series.values)


def _event(
    view: RunView,
    meaning: Meaning,
    signals: Mapping[str, str],
    percent: Mapping[str, bool],
    unit: Callable[[str], str] | None,
) -> EventRecord:
    name = signals.get(meaning.column, meaning.column)
    because = meaning.because
    if meaning.axis is not None:
        because = _counted(view, meaning)
    elif meaning.column not in signals:
        because = f"another column is read as {meaning.name}"
    elif name != meaning.name:
        because = f"{because}; it is evaluated all along, and no validation split is"
    if percent.get(meaning.column):
        because += f", {PERCENT}"
    elif unit is not None and name in SIGNALS and unit(meaning.column):
        because += f", {unit(meaning.column)}"
    data = {"column": meaning.column, "signal": name if name in SIGNALS else None, "because": because}
    taken = f"{meaning.column} is read as {name}" if name != meaning.column else meaning.column
    return EventRecord(step=0, time=view.last_time, event=COLUMN, message=f"{taken}: {because}", data=data)


def _counted(view: RunView, meaning: Meaning) -> str:
    """Say of an axis how it counts, where it is epochs: everybody begins at 0 or at 1."""
    values = view.scalars[meaning.column].finite().values
    if meaning.axis is not Axis.EPOCH or not len(values) or meaning.because != AN_AXIS:
        return meaning.because
    if (values != np.floor(values)).any():
        return f"{meaning.because}, in parts of epochs"
    return f"{meaning.because}, which begins at {int(values.min())}"


def joined(views: Sequence[RunView]) -> RunView:
    """Return several logs of one run as one view; the first says what the others don't say differently.

    A signal in two logs of one format goes on in the later one (a run that was started again writes another file); of
    two formats that both hold it, that with most values is taken (a checkpoint's state ends before the event file), or
    the first of them.
    """
    first = views[0]
    by_format: dict[str, dict[str, Series]] = {}
    for view in views:
        found = by_format.setdefault(view.format, {})
        for name, series in view.scalars.items():
            if len(series):
                found[name] = _continued(found[name], series) if name in found else series
    scalars: dict[str, Series] = {}
    for found in by_format.values():
        for name, series in found.items():
            if name not in scalars or len(series) > len(scalars[name]):
                scalars[name] = series
    epochs = next((view.epochs for view in views if view.epochs), ())
    return replace(
        first,
        scalars=scalars,
        epochs=epochs,
        events=tuple({(e.step, e.event, e.message): e for view in views for e in view.events}.values()),
        skipped=tuple(line for view in views for line in view.skipped),
        last_time=max(view.last_time for view in views),
        format=" + ".join(dict.fromkeys(view.format for view in views)),
    )


def _continued(before: Series, after: Series) -> Series:
    """Return `before` up to where `after` begins, and then `after`."""
    keep = int(np.searchsorted(before.steps, after.steps[0]))
    return Series(
        before.name,
        np.concatenate([before.steps[:keep], after.steps]),
        np.concatenate([before.values[:keep], after.values]),
    )
