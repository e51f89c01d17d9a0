"""OP08 l2-in-adaptive-optimizer: weight decay is added to the gradient, and the optimizer divides it out again."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.records import OptimizerInfo
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.optimizers import setting_of
from trainhealth.series import RunView

_COUPLED = re.compile("adam|adamax|nadam|radam|rmsprop|adagrad|adadelta", re.IGNORECASE)  # "AdamW" is another word


class L2InAdaptiveOptimizer(Rule):
    """Weight decay in an adaptive optimizer is an L2 penalty here: the weights with large gradients hardly decay.

    What it detects
        The settings of the optimizer: a weight_decay (1 a step, before the rate) in Adam, Adamax, NAdam, RAdam,
        RMSprop, Adagrad or Adadelta, which add it to the gradient.

    Why it matters
        The sum is then divided by the gradient's own size, so that a weight decays the less, the larger its gradients
        are, and the penalty's strength depends on the scale of the loss. AdamW, which shrinks the weights apart from
        the gradient, generalizes better at the same effort of search.

    How it decides
        The class is one of those, weight_decay is at least `least`, and decoupled_weight_decay is not set. Where the
        samples know the norms of the gradient and of the parameters, the penalty's part, weight_decay x norm of the
        parameters over norm of the gradient, is `part` or more in half of them.

    What to try
        AdamW with a decay that is found anew: the two numbers don't mean the same.

    When it is wrong
        Many recipes that work well use it so (graph networks with Adam at 5e-4): never more than a note, and silent
        where it is so mild that the gradient without it is about the same. An optimizer of that name from another
        library may keep the two apart.
    """

    code = "OP08"
    name = "l2-in-adaptive-optimizer"
    topic = "optimization"
    severity = Severity.NOTE
    confidence = Confidence.CERTAIN
    since = "0.1"
    requires = ("train_loss",)
    uses = ("parameter_gradient_norm", "parameter_norm")
    references = (
        Reference(
            "Opt Optimizing Neural Networks: AdamW",
            "L2 regularization and weight decay are the same for SGD and not for adaptive methods.",
        ),
        Reference(
            "Loshchilov and Hutter 2019, Decoupled Weight Decay Regularization",
            "With L2 in Adam, weights with large gradients are regularised less than with decoupled decay.",
            "https://arxiv.org/abs/1711.05101",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        least: float = option(1e-6, "weight decay", "house choice: a smaller one changes nothing in a million steps")
        part: float = option(0.1, "share of the gradient", "house choice: less turns the gradient by 6 degrees at most")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a note for the first optimizer that is set so."""
        if not run.info.optimizers:
            return NotChecked("which optimizer it is, is not known: pass it to trainhealth.watch(model, optimizer)")
        for optimizer in run.info.optimizers:
            decay = _coupled_decay(optimizer)
            if decay >= options.least and not _usual_part(run, decay) < options.part:
                return [self._describe(run, optimizer, decay)]
        return []

    def _describe(self, run: RunView, optimizer: OptimizerInfo, decay: float) -> Finding:
        last = max(run.last_step, 0)
        return self.finding(
            f"{optimizer.type} has weight_decay={number(decay)}, which it adds to the gradient and divides by the "
            f"gradient's size.",
            [Evidence("train_loss", None, 0, last, run.series("train_loss").at(last), "any: the settings tell")],
            [
                Recommendation(
                    "Use AdamW, and search its weight_decay anew, from 0.01.",
                    "AdamW shrinks every weight by rate x weight_decay, whatever its gradient.",
                    "The norms of all weights shrink or settle alike, and validation_loss is the same or lower.",
                    "The number does not carry over: AdamW multiplies its decay with the rate.",
                    "adamw",
                    Change("optimizer", optimizer.type, "AdamW"),
                )
            ],
        )


def _usual_part(run: RunView, decay: float) -> float:
    """Return the usual share that the penalty's gradient has of that of the loss; NaN where no sample tells."""
    gradients, norms = run.columns("parameter_gradient_norm"), run.columns("parameter_norm")
    _, first, second = np.intersect1d(gradients.steps, norms.steps, return_indices=True)
    sizes = np.sqrt(np.nansum(np.square(gradients.values[first]), axis=1))
    weights = np.sqrt(np.nansum(np.square(norms.values[second]), axis=1))
    known = sizes > 0
    return float(np.median(decay * weights[known] / sizes[known])) if known.any() else math.nan


def _coupled_decay(optimizer: OptimizerInfo) -> float:
    """Return the largest decay that the optimizer adds to the gradient; 0 where there is none."""
    if not _COUPLED.fullmatch(optimizer.type):
        return 0.0
    coupled = [group for group in optimizer.groups if not group.get("decoupled_weight_decay")]
    return max((setting_of(group, "weight_decay") for group in coupled), default=0.0)
