"""MO04 softmax-before-cross-entropy: the loss gets probabilities and applies softmax to them once more."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Change, Confidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import recent_level
from trainhealth.rules.loss_input import CROSS_ENTROPIES, classes_of, loss_input, loss_seen
from trainhealth.rules.sampled import usual
from trainhealth.series import RunView


class SoftmaxBeforeCrossEntropy(Rule):
    """The outputs are probabilities already, and the cross-entropy applies softmax to them a second time.

    What it detects
        A softmax directly in front of a cross-entropy that applies log-softmax itself, read from the graph behind the
        loss; where only the outputs are known, outputs that are a distribution (output_sum_error, 1).

    Why it matters
        Probabilities differ by 1 at most, so that the second softmax can never be sure: with C classes the loss
        (nats a sample) stays above log(1 + (C - 1)/e), 1.46 for 10 classes, and the gradient fades where the first
        softmax is sure of a wrong class. Training is slow, or stops far from what the model can do.

    How it decides
        The loss is cross_entropy (class indices or probabilities as targets), and the last operation before it,
        reshaping aside, is a softmax. Where the graph behind the loss is not known, the graph behind the outputs counts
        instead, if sums over the class axis are within `distribution` of 1: likely then, else certain.

    What to try
        Give the loss the logits: leave the softmax out of the model, and apply it where probabilities are shown.

    When it is wrong
        Softmax, then the logarithm, then nll_loss is right, and silent; so is log_softmax before cross-entropy, which
        changes nothing. Probabilities that are passed to watch.step for the accuracy only are silent where the graph
        behind the loss shows logits. A loss that was passed as a number: not checked.
    """

    code = "MO04"
    name = "softmax-before-cross-entropy"
    topic = "mode"
    severity = Severity.WARNING
    confidence = Confidence.CERTAIN
    since = "0.1"
    requires = ("train_loss",)
    uses = ("output_sum_error",)
    references = (
        Reference(
            "PyTorch documentation: torch.nn.CrossEntropyLoss",
            "The input is expected to contain the unnormalized logits for each class.",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html",
        ),
        Reference(
            "Islam et al. 2019: A Comprehensive Study on Deep Learning Bug Characteristics",
            "A wrong or redundant last activation is among the frequent structural bugs of questions that are asked.",
            "https://arxiv.org/abs/1906.01388",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        distribution: float = option(1e-3, "distance from 1", "house choice: rounding of half precision")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if a softmax stands before a cross-entropy."""
        entering = loss_input(run)
        if isinstance(entering, str):
            return NotChecked(entering)
        if entering.function not in CROSS_ENTROPIES or entering.operation != "softmax":
            return []
        if not entering.certain and not usual(run, "output_sum_error") <= options.distribution:
            return []
        losses, classes = run.series("train_loss"), classes_of(run)
        floor = math.log(1 + (classes - 1) / math.e) if classes > 1 else math.nan
        bound = f": with {classes} classes train_loss can't fall below {number(floor)}" if classes > 1 else ""
        now = recent_level(losses.values)
        finding = self.finding(
            f"The outputs pass a softmax and then cross_entropy, which applies softmax itself{bound}; it stands at"
            f" {number(now)}.",
            [loss_seen(run, f"able to reach 0, not only {number(floor)}" if bound else "able to reach 0")],
            [
                Recommendation(
                    "Remove the softmax from the end of the model, and give cross_entropy the raw outputs (logits).",
                    "The loss computes log-softmax itself, in one numerically safe step.",
                    f"train_loss falls {f'below {number(floor)}' if bound else 'further than before'}, and faster.",
                    "Where probabilities are needed after training, apply softmax to the logits there.",
                    "logits-loss",
                    Change("output activation", "softmax", "none"),
                )
            ],
            confidence=Confidence.CERTAIN if entering.certain else Confidence.LIKELY,
        )
        return [finding]
