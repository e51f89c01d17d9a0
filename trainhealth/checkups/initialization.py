"""The signal before the first update: activations and gradients by layer, and the weights that would suit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from trainhealth.checkups.base import Check, Outcome
from trainhealth.checkups.subject import Subject, Trial
from trainhealth.checkups.watched import observed
from trainhealth.figures import Figure
from trainhealth.rules.signal_chains import BOUNDED, UNBOUNDED, spread
from trainhealth.series import Columns, RunView

SHOWN = 24  # layers in a picture; of more, evenly spaced ones
_SIMPLE = ("Linear", "Conv", "LazyLinear", "LazyConv")


@dataclass(frozen=True, slots=True)
class _Weight:
    """A weight before an activation function: how it was drawn, and what would suit."""

    name: str
    function: str
    std: float
    suited: float

    @property
    def scheme(self) -> str:
        return "xavier" if self.function in BOUNDED else "he"

    def to_dict(self) -> dict[str, Any]:
        return {
            "parameter": self.name,
            "before": self.function,
            "std": float(f"{self.std:.4g}"),
            "recommended_std": float(f"{self.suited:.4g}"),
            "scheme": self.scheme,
        }


class Initialization(Check):
    """Does the signal pass, forwards and backwards, before anything was learnt?"""

    name = "initialization"
    title = "initial activations and gradients"
    order = 30
    share = 1.0
    rules = ("IN01", "IN02", "IN03", "IN04", "AC01", "AC02", "AC03", "AC05", "GR01", "GR02", "MO09")

    def run(self, subject: Subject) -> Outcome:
        """Ask the rules, draw the first step by layer, and try the recommended initialisation on a copy."""
        view = subject.watched.view
        findings, silent = subject.watched.answers(self.rules)
        weights = list(_weights(view))
        recommended = _first_stds(_reinitialized(subject, weights)) if weights and subject.time_left() > 0 else {}
        figures = tuple(_pictures(view, recommended))
        advice = {"initialization": [weight.to_dict() for weight in weights]} if weights else {}
        return Outcome(findings, silent, figures, advice)


def _weights(view: RunView) -> Iterator[_Weight]:
    """Yield the weights of linear and convolution layers that an activation function follows."""
    functions = {e.fed_by: e.activation for e in view.layers if e.activation in BOUNDED + UNBOUNDED and e.fed_by}
    stds = view.columns("weight_std")
    for entry in view.parameters:
        function, layer = functions.get(entry.layer), view.layer(entry.layer)
        drawn = stds.place(entry.name).finite().values[:1]
        simple = layer is not None and layer.type.startswith(_SIMPLE) and "Transpose" not in layer.type
        if function and simple and len(entry.shape) >= 2 and len(drawn):
            fan_in = max(math.prod(entry.shape[1:]), 1)
            gain = 1.0 if function in BOUNDED else 2.0
            yield _Weight(entry.name, function, float(drawn[0]), math.sqrt(gain / fan_in))


def _reinitialized(subject: Subject, weights: list[_Weight]) -> RunView:
    """Return the view of one step of a copy whose weights were drawn as recommended, their biases 0."""
    trial = subject.fresh()
    _draw(trial, {weight.name: weight.suited for weight in weights})
    return observed(subject, trial, 1)


@torch.no_grad()
def _draw(trial: Trial, stds: Mapping[str, float]) -> None:
    parameters = dict(trial.model.named_parameters())
    for name, std in stds.items():
        if name in parameters:
            parameters[name].normal_(0.0, std)
            bias = parameters.get(f"{name.removesuffix('weight')}bias")
            if bias is not None:
                bias.zero_()


def _first_stds(view: RunView) -> dict[str, float]:
    return _first(spread(view))


def _first(columns: Columns) -> dict[str, float]:
    """Return the value of every place at the first sample, those that are there."""
    if not len(columns):
        return {}
    values = columns.values[0].astype(np.float64)
    return {place: float(value) for place, value in zip(columns.places, values, strict=True) if not np.isnan(value)}


def _pictures(view: RunView, recommended: Mapping[str, float]) -> Iterator[Figure]:
    drawn = _first_stds(view)
    functions = [layer.name for layer in view.layers if layer.activation and layer.name in drawn]
    places = _spaced(functions or [layer.name for layer in view.layers if layer.name in drawn])
    if len(places) > 1:
        series = {"as it is": tuple(drawn[place] for place in places)}
        if recommended:
            series["recommended"] = tuple(recommended.get(place, math.nan) for place in places)
        yield Figure(
            "standard deviation of the activations over the examples, before the first update",
            "bars",
            series,
            labels=tuple(places),
            log_y=_spans_decades(series["as it is"]),
        )
    sizes = {entry.name: math.prod(entry.shape) for entry in view.parameters if len(entry.shape) >= 2}
    norms = _first(view.columns("parameter_gradient_norm"))
    weights = _spaced([name for name in norms if name in sizes])
    if len(weights) > 1:
        values = tuple(norms[name] / math.sqrt(max(sizes[name], 1)) for name in weights)
        title = "root mean square of the gradient by weight, before the first update"
        yield Figure(title, "bars", {"gradient": values}, labels=tuple(weights), log_y=_spans_decades(values))


def _spaced(names: list[str]) -> list[str]:
    if len(names) <= SHOWN:
        return names
    return [names[round(place)] for place in np.linspace(0, len(names) - 1, SHOWN)]


def _spans_decades(values: tuple[float, ...]) -> bool:
    positive = [value for value in values if 0 < value < math.inf]
    return bool(positive) and max(positive) / min(positive) > 30
