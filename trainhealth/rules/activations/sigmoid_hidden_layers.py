"""AC05 sigmoid-hidden-layers: the hidden layers use sigmoid or softmax, which learn slower than ReLU and tanh."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, option
from trainhealth.rules.breakdown import poor_loss, untrained_loss
from trainhealth.rules.gates import is_gate
from trainhealth.rules.hidden_layers import hidden_activations
from trainhealth.rules.sampled import usual
from trainhealth.series import RunView

_SIGMOIDS = ("sigmoid", "hardsigmoid")
_OTHERS = (
    *("relu", "relu6", "threshold", "leaky_relu", "rrelu", "prelu", "elu", "selu", "celu", "gelu", "silu", "mish"),
    *("softplus", "softsign", "tanh", "hardtanh", "hardswish", "glu", "softmax"),
)


class SigmoidHiddenLayers(Rule):
    """All hidden layers use the sigmoid or the softmax: each quarters the gradient at best; none is centred on zero.

    What it detects
        The activation functions that stand between layers, as the layout names them.

    Why it matters
        A sigmoid's slope is 0.25 at most, so that the gradient shrinks fourfold or more a layer; its outputs are all
        positive, so that the gradients of a unit's weights share one sign; and it saturates on both sides. A softmax
        over n units has outputs of about 1/n and slopes of that size: what tells examples apart fades n-fold a layer.

    How it decides
        Every hidden activation function is a sigmoid, or a softmax that a layer takes as it is: a note. A warning where
        there are at least `deep` of them and train_loss is poor (not finite, gave back half of its progress, or stands
        above `poor` of the untrained loss and falls no more); or `vanishing` of them and train_loss above 0.95 of the
        untrained one for `late` of a run of 100 steps or more: the gradient had to find its way first. A softmax counts
        as `vanishing` sigmoids.

    What to try
        ReLU with He initialisation; leaky ReLU, ELU or tanh.

    When it is wrong
        Gates (a sigmoid that multiplies another layer's output) do not count where that layer has as many units and no
        function of its own; most stand beside other functions: silent, as one other hidden function is enough. A
        sigmoid on the output is right: it does not count. A softmax whose outputs weigh others (attention) does not
        either. A shallow sigmoid net may do well: it is a hint. Restricted Boltzmann machines and models of neurons
        mean it.
    """

    code = "AC05"
    name = "sigmoid-hidden-layers"
    topic = "activations"
    severity = Severity.NOTE
    confidence = Confidence.HINT
    since = "0.1"
    requires = ("activation_std",)
    uses = ("train_loss",)
    references = (
        Reference(
            "Tr1 Training Networks (Part 1): activation functions, in practice",
            "Use ReLU; try out Leaky ReLU, Maxout, ELU; try out tanh but don't expect much; don't use sigmoid.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        deep: float = option(2.0, "hidden sigmoids", "house choice: one alone takes a factor of 4")
        poor: float = option(0.6, "share of the untrained loss", "house choice: as saturated-activations")
        vanishing: float = option(4.0, "hidden sigmoids", "house choice: they take a factor of 4^4 = 256")
        late: float = option(0.1, "share of the run's steps", "house choice")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if all hidden functions are sigmoids."""
        sigmoids = [entry for entry in hidden_activations(run, _SIGMOIDS) if not is_gate(run, entry)]
        taken = {entry.fed_by for entry in run.layers if not entry.activation}
        softmaxes = [entry for entry in hidden_activations(run, ("softmax",)) if entry.name in taken]
        slow = [*sigmoids, *softmaxes]
        if not slow or any(entry not in softmaxes for entry in hidden_activations(run, _OTHERS)):
            return []
        factors = len(sigmoids) + options.vanishing * len(softmaxes)
        lost = poor_loss(run, options.poor) if factors >= options.deep else None
        fact = lost.fact if lost else _waited(run, options) if factors >= options.vanishing else ""
        function = "softmax" if softmaxes else "sigmoid"
        spreads = run.columns("activation_std")
        steps = spreads.steps
        finding = self.finding(
            f"All hidden layers ({len(slow)}) use the {function}{f', and {fact}' if fact else ''}.",
            [
                Evidence(
                    "activation_std",
                    entry.name,
                    int(steps[0]),
                    int(steps[-1]),
                    float(series.values[-1]) if len(series := spreads.place(entry.name)) else usual(run, "output_std"),
                    f"another function than the {function}",
                )
                for entry in slow
            ],
            [
                Recommendation(
                    "Use ReLU in the hidden layers, with He initialisation.",
                    "Its slope is 1 wherever it is active: the gradient passes unchanged.",
                    "Gradients of the first layers are of the size of those of the last, and train_loss falls faster.",
                    "It can die at a high rate: watch the dead fraction.",
                    "relu-instead-of-sigmoid",
                    Change("activation", function, "relu"),
                )
            ],
            severity=Severity.WARNING if fact else Severity.NOTE,
            confidence=Confidence.LIKELY if fact else Confidence.HINT,
        )
        return [finding]


def _waited(run: RunView, options: SigmoidHiddenLayers.Options) -> str:
    """Return, as a clause, for how long the loss stood at its start before it fell; empty where it did not."""
    parts = curves.blocks(run.series("train_loss"))
    left = np.flatnonzero(parts.medians < 0.95 * untrained_loss(run))
    until = int(parts.first_steps[left[0]]) if len(left) else run.last_step
    if run.last_step < 100 or until < options.late * run.last_step:
        return ""
    return f"train_loss stood at its start until step {until}" if len(left) else "train_loss is still near its start"
