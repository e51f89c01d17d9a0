"""MO11 sigmoid-before-bce-with-logits: the loss gets probabilities and applies the sigmoid to them once more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Confidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import recent_level
from trainhealth.rules.loss_input import loss_input, loss_seen
from trainhealth.rules.sampled import usual
from trainhealth.series import RunView

FLOOR = 0.3133  # log(1 + 1/e): the loss of a positive example with the "logit" 1; a negative one has log 2 at best


class SigmoidBeforeBceWithLogits(Rule):
    """The outputs are probabilities already, and binary cross-entropy with logits applies the sigmoid a second time.

    What it detects
        A sigmoid directly in front of binary_cross_entropy_with_logits, read from the graph behind the loss; where only
        the outputs are known, outputs that stay between 0 and 1 (output_minimum, output_maximum).

    Why it matters
        The second sigmoid turns 0 … 1 into 0.5 … 0.73: no negative example can get a probability below one half, and
        train_loss (nats a term) stays above 0.31 for positive and 0.69 for negative terms. Predictions made at a
        threshold of 0 are all positive.

    How it decides
        The loss is binary_cross_entropy_with_logits, and the last operation before it, reshaping aside, is a sigmoid.
        Where the graph behind the loss is not known, the graph behind the outputs counts instead, if they stay within
        `slack` of the range from 0 to 1: likely then, else certain.

    What to try
        Leave the sigmoid out of the model, or use binary_cross_entropy on its probabilities.

    When it is wrong
        Sigmoid and plain binary_cross_entropy is right, and silent. Probabilities that are passed to watch.step for the
        accuracy only are silent where the graph behind the loss shows logits. A loss that was passed as a number: not
        checked.
    """

    code = "MO11"
    name = "sigmoid-before-bce-with-logits"
    topic = "mode"
    severity = Severity.WARNING
    confidence = Confidence.CERTAIN
    since = "0.1"
    requires = ("train_loss",)
    uses = ("output_minimum", "output_maximum")
    references = (
        Reference(
            "PyTorch documentation: torch.nn.BCEWithLogitsLoss",
            "This loss combines a Sigmoid layer and the BCELoss in one single class.",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        slack: float = option(1e-3, "output unit", "house choice: rounding of half precision")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if a sigmoid stands before a loss that applies it."""
        entering = loss_input(run)
        if isinstance(entering, str):
            return NotChecked(entering)
        if entering.function != "binary_cross_entropy_with_logits" or entering.operation != "sigmoid":
            return []
        low, high = usual(run, "output_minimum"), usual(run, "output_maximum")
        if not entering.certain and not (low >= -options.slack and high <= 1 + options.slack):
            return []
        now = recent_level(run.series("train_loss").values)
        finding = self.finding(
            "The outputs pass a sigmoid and then binary_cross_entropy_with_logits, which applies it again: no"
            f" probability falls below 0.5 or rises above 0.73; train_loss stands at {number(now)}.",
            [loss_seen(run, f"not kept above {FLOOR:.2f}")],
            [
                Recommendation(
                    "Remove the sigmoid from the end of the model, and give the loss the raw outputs (logits).",
                    "The loss applies the sigmoid itself, in one numerically safe step.",
                    f"train_loss falls below {FLOOR:.2f} where the task allows it.",
                    "Predictions are then positive where the output is above 0, not above 0.5.",
                    "logits-loss",
                ),
                Recommendation(
                    "Or keep the sigmoid, and use binary_cross_entropy.",
                    "It expects probabilities.",
                    "train_loss falls from about 0.69 towards 0.",
                    "Very sure outputs lose precision; it is not safe under autocast.",
                    "logits-loss",
                ),
            ],
            confidence=Confidence.CERTAIN if entering.certain else Confidence.LIKELY,
        )
        return [finding]
