"""The signals of layers and parameters: how each is shown, its scale, and what stands for several of its values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainhealth.series import Columns, RunView
from trainhealth.signals import SIGNALS
from trainhealth.tui.ramps import Reduction, Scale

_SHARE = Scale("inferno", 0, 1, False)
_DECADES = 8  # that a scale spans at most: one value of 1e-38 must not paint all others alike


@dataclass(frozen=True)
class Kind:
    """How a signal is shown: its name for people, its scale (None: as the data are), and what a cell stands for."""

    signal: str
    title: str
    scale: Scale | None = None
    reduction: Reduction = Reduction.MAXIMUM
    holds: bool = False  # a value stays in force until the next one comes
    weights_only: bool = False  # biases and scales start near zero, where any update is large

    @property
    def meaning(self) -> str:
        """What the signal is, in a sentence; nothing where it is not one of ours."""
        return SIGNALS[self.signal].meaning if self.signal in SIGNALS else ""


# those that tell most come first; the others follow as the run holds them
KINDS = (
    Kind("activation_std", "activation std", Scale("diverging", -2, 2, True), Reduction.MEAN),
    Kind("dead_fraction", "dead units", _SHARE, holds=True),
    Kind("update_ratio", "update ratio", Scale("diverging", -5, -1, True), weights_only=True),
    Kind("parameter_gradient_norm", "gradient norm"),
    Kind("saturated_fraction", "saturated share", _SHARE),
    Kind("zero_fraction", "zero share", _SHARE),
    Kind("activation_mean", "activation mean", reduction=Reduction.MEAN),
    Kind("activation_maximum", "activation maximum"),
    Kind("example_std", "std over examples", reduction=Reduction.MEAN),
    Kind("parameter_norm", "parameter norm", reduction=Reduction.MEAN),
    Kind("weight_std", "weight std", reduction=Reduction.MEAN, holds=True),
    Kind("weight_mean", "weight mean", reduction=Reduction.MEAN, holds=True),
    Kind("equal_units", "equal units", _SHARE, holds=True),
    Kind("effective_learning_rate", "effective learning rate", reduction=Reduction.MEAN),
    Kind("second_moment", "second moment", reduction=Reduction.MEAN),
    Kind("batchnorm_variance_ratio", "batch over running variance", Scale("diverging", -2, 2, True), Reduction.MEAN),
    Kind("batchnorm_mean_gap", "batch against running mean"),
)
_KNOWN = {kind.signal: kind for kind in KINDS}

# what shows the same where a run does not hold the signal: whether a unit is dead takes a window of data to tell
_INSTEAD = {"dead_fraction": "zero_fraction"}


def kind_of(signal: str) -> Kind:
    """Return how a signal is shown; one that nobody has thought of is shown as its values are."""
    return _KNOWN.get(signal) or Kind(signal, signal.replace("_", " "))


def held_signal(signal: str, view: RunView) -> str:
    """Return the signal that shows what a finding means by `signal`: itself where the run holds it."""
    return signal if view.has(signal) else _INSTEAD.get(signal, signal)


def kinds_in(view: RunView) -> tuple[Kind, ...]:
    """Return the kinds for which the run holds at least one value."""
    held = [name for name, columns in view.columns_by_signal.items() if _is_shown(columns)]
    return tuple(kind_of(name) for name in _in_order(held))


def _is_shown(columns: Columns) -> bool:
    """Tell whether there is a value; most signals have one in the first sampled step or in the newest."""
    values = columns.values
    if columns.table == "batch" or not len(values):
        return False
    return any(not np.isnan(rows).all() for rows in (values[-1], values[0], values))


def _in_order(signals: Iterable[str]) -> list[str]:
    order = {name: place for place, name in enumerate(dict.fromkeys([*_KNOWN, *SIGNALS]))}
    return sorted(signals, key=lambda name: (order.get(name, len(order)), name))


def scale_of(kind: Kind, values: NDArray[np.float32]) -> Scale:
    """Return the kind's own scale, or one that fits the values: powers of ten, and around zero where signs differ."""
    if kind.scale is not None:
        return kind.scale
    finite = values[np.isfinite(values)]
    if not len(finite):
        return Scale("viridis", -3, 0, True)
    if finite.min() < 0:
        reach = _rounded_up(float(np.abs(finite).max()))
        return Scale("diverging", -reach, reach, False)
    if not finite.max() > 0:
        return Scale("viridis", -3, 0, True)
    high = np.ceil(np.log10(float(finite.max())))
    low = np.floor(np.log10(float(finite[finite > 0].min())))
    return Scale("viridis", float(max(low, high - _DECADES)), float(max(high, low + 1)), True)


def _rounded_up(value: float) -> float:
    """Return the next larger number with one digit: a scale that changes with every value would flicker."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(np.ceil(value / power - 1e-6) * power)  # what is logged as 0.3 may be read as 0.30000001
