"""MO01 evaluating-in-train-mode: dropout and batch norm are in training mode while the model is evaluated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.objective import moving_target
from trainhealth.rules.sampled import samples_of, usual
from trainhealth.series import RunView


class EvaluatingInTrainMode(Rule):
    """The model is evaluated in training mode: dropout drops units, and batch norm uses the batch at hand.

    What it detects
        evaluation_training_mode: the share of dropout and batch-norm modules that were in training mode in the first
        forward of an evaluation.

    Why it matters
        With dropout the scores are too low, and differ from one evaluation to the next. With batch norm they depend on
        what else is in the batch, and every evaluation moves the running statistics towards the validation data, which
        then are no longer unseen.

    How it decides
        The median share over the evaluations is at least `share`, and the run logs a validation or test score.

    What to try
        model.eval() before the evaluation, model.train() after it.

    When it is wrong
        Dropout that is left on for its uncertainty (Monte Carlo dropout), with batch norm in evaluation mode: silent
        where both are there; with dropout alone a false alarm. Forwards without gradients that are no evaluation
        (a generator's samples, targets of reinforcement learning): silent where no validation score is logged or the
        log names adversaries or rewards. Models without dropout and batch norm have no mode: not checked.
    """

    code = "MO01"
    name = "evaluating-in-train-mode"
    topic = "mode"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("evaluation_training_mode", "validation_loss|validation_accuracy|test_loss|test_accuracy")
    references = (
        Reference(
            "L16 Practical Aspects; Reg Regularization: batch normalisation",
            "Behaves differently during training and testing: this is a very common source of bugs.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        share: float = option(0.99, "share of the modules", "house choice: all; a part of them is a choice")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if evaluations run in training mode."""
        if (reason := moving_target(run)) is not None:
            return NotChecked(reason)
        share = usual(run, "evaluation_training_mode")
        if not share >= options.share:
            return []
        steps = run.series("evaluation_training_mode").steps
        count = samples_of(run, "evaluation_training_mode")
        finding = self.finding(
            f"In the {number(count)} evaluations that were looked at, {100 * share:.0f} % of the dropout and batch-norm"
            " modules were in training mode.",
            [Evidence("evaluation_training_mode", None, int(steps[0]), int(steps[-1]), share, "0")],
            [
                Recommendation(
                    "Call model.eval() before every evaluation, and model.train() before training goes on.",
                    "Dropout is then off, and batch norm uses its running statistics, whatever is in the batch.",
                    "evaluation_training_mode is 0; two evaluations in a row give the same score.",
                    "torch.no_grad() does not change the mode: both are needed.",
                    "train-and-eval-mode",
                    Change("mode in evaluation", "train", "eval"),
                )
            ],
        )
        return [finding]
