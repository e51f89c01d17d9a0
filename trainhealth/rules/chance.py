"""The loss of a model that knows nothing, where the log says which loss it is."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainhealth.series import RunView

BINARY = ("binary_cross_entropy", "binary_cross_entropy_with_logits")


@dataclass(frozen=True, slots=True)
class Chance:
    """What the loss is without knowledge.

    `untrained` is the loss, a term, of outputs that say nothing (equal probabilities; zero): a fresh model's.
    `constant` is the lowest that one answer to everything can reach, as far as it is known (the targets' variance; for
    classes their entropy is not known, and it is `untrained`), and `uncertain` the share of it that the few targets
    which tell it leave open. `terms` is how many terms a batch has; `reduction` is "mean", "sum", or "" where the log
    doesn't say.
    """

    function: str
    untrained: float
    constant: float
    terms: int
    reduction: str
    factor: float = 1.0  # that the script multiplies the loss with
    uncertain: float = 0.0

    @property
    def scale(self) -> float:
        """What to multiply the loss of a term with to get the logged loss."""
        return self.factor * (self.terms if self.reduction == "sum" else 1)


def unknown_loss(run: RunView) -> str:
    """Return why the loss function is not known: the loss is a number, or made of other functions than torch's own."""
    graph = run.facts.get("loss_graph")
    if run.facts.get("loss_form") != "tensor" or not isinstance(graph, list):
        return "which loss function it is, is not known: pass the loss to watch.step as the tensor that was computed"
    nodes = ", ".join(re.sub(r"Backward\d*$", "", str(node)) for node in graph)
    return f"the loss is none of torch's loss functions, but made of {nodes or 'nothing'} (last one first)"


def chance_level(run: RunView) -> Chance | str:
    """Return the loss of a model that knows nothing, or why it is not known."""
    facts = run.facts
    function, graph = str(facts.get("loss_function", "")), facts.get("loss_graph") or []
    if not function:
        return unknown_loss(run)
    scaled = any(str(node).startswith(("Mul", "Div")) for node in graph)
    factor = _number(facts.get("loss_factor")) if scaled else 1.0
    if facts.get("loss_composed") or not factor > 0:
        return f"the loss is {function} with other terms or factors, and what it should be is not known"
    return _chance(run, function, factor)


def chance_of_term(run: RunView) -> Chance | str:
    """Return what the loss function alone has without knowledge (`data_loss`), whatever the script adds to it."""
    function = run.facts.get("loss_function")
    return _chance(run, str(function), 1.0) if function else unknown_loss(run)


def _chance(run: RunView, function: str, factor: float) -> Chance | str:
    facts, uncertain = run.facts, 0.0
    shape = facts.get("target_shape") or facts.get("output_shape") or facts.get("loss_input_shape") or []
    reduction = str(facts.get("loss_reduction", ""))
    reduction = "" if reduction == "none" else reduction
    classes = _number(facts.get("classes"))
    if function in ("cross_entropy", "nll"):
        if not classes > 1:
            return "how many classes there are is not known: pass outputs= and targets= to watch.step"
        shape = facts.get("target_shape") or shape[:1]
        untrained = constant = math.log(classes)
    elif function in BINARY:
        untrained = constant = math.log(2)
    elif function == "mse":
        untrained, (constant, batches) = _number(facts.get("target_mean_square")), _variance_of_targets(run)
        uncertain = math.sqrt(2 / max(_terms(shape) * batches, 1))  # relative error of a normal sample's variance
        if not (untrained > 0 and constant > 0):
            return "how large the targets are is not known: pass outputs= and targets= to watch.step"
    else:
        return f"what {function} is for a model that knows nothing is not known"
    return Chance(function, untrained, constant, _terms(shape), reduction, factor, uncertain)


def _terms(shape: list[Any]) -> int:
    return math.prod(int(size) for size in shape if _number(size) > 0)


def _variance_of_targets(run: RunView) -> tuple[float, int]:
    """Return the variance of the targets, and how many batches it is of: one of three examples knows little."""
    means, deviations = run.series("target_mean"), run.series("target_std")
    _, first, second = np.intersect1d(means.steps, deviations.steps, return_indices=True)
    centres, spreads = means.values[first], deviations.values[second]
    known = np.isfinite(centres) & np.isfinite(spreads)
    if known.sum() > 1:
        return float(np.mean(spreads[known] ** 2) + np.var(centres[known])), int(known.sum())
    std = _number(run.facts.get("target_std"))
    return std * std, 1  # ** would raise where it overflows


def _number(value: object) -> float:
    """Return `value` as a float; NaN where it is no finite number."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if number else math.nan  # type: ignore[arg-type]  # checked in the line above
