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
        forward of an evaluation. And, with the model in evaluation mode, evaluation_active_dropout: the calls of
        dropout that dropped something all the same, as F.dropout(x, p) does without training=self.training.

    Why it matters
        With dropout the scores are too low, and differ from one evaluation to the next. With batch norm they depend on
        what else is in the batch, and every evaluation moves the running statistics towards the validation data, which
        then are no longer unseen.

    How it decides
        The median share over the evaluations is at least `share`, or the median of the calls at least `calls`, and the
        run logs a validation or test score.

    What to try
        model.eval() before the evaluation, model.train() after it; nn.Dropout in the place of F.dropout, or
        training=self.training.

    When it is wrong
        Dropout that is left on for its uncertainty (Monte Carlo dropout): silent where its modules were put in training
        mode one by one in a model that is in evaluation mode, where batch norm is in evaluation mode beside it, and
        where a functional dropout runs several times in a row on one tensor; else a false alarm. Forwards without
        gradients that are no evaluation (a generator's samples, targets of reinforcement learning): silent where no
        validation score is logged or the log names adversaries or rewards. Functional dropout in compiled models, and
        in evaluations after which no step was sampled: missed.
    """

    code = "MO01"
    name = "evaluating-in-train-mode"
    topic = "mode"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = (
        "evaluation_training_mode|evaluation_active_dropout",
        "validation_loss|validation_accuracy|test_loss|test_accuracy",
    )
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
        calls: float = option(1.0, "calls of dropout in a forward", "in evaluation mode none is meant to drop anything")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if evaluations run in training mode."""
        if (reason := moving_target(run)) is not None:
            return NotChecked(reason)
        share = usual(run, "evaluation_training_mode")
        if share >= options.share:
            return [self._in_training_mode(run, share)]
        calls = usual(run, "evaluation_active_dropout")
        return [self._dropout_left_on(run, calls)] if calls >= options.calls else []

    def _in_training_mode(self, run: RunView, share: float) -> Finding:
        signal = "evaluation_training_mode"
        steps, count = run.series(signal).steps, samples_of(run, signal)
        return self.finding(
            f"In the {number(count)} evaluations that were looked at, {100 * share:.0f} % of the dropout and batch-norm"
            " modules were in training mode.",
            [Evidence(signal, None, int(steps[0]), int(steps[-1]), share, "0")],
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

    def _dropout_left_on(self, run: RunView, calls: float) -> Finding:
        signal = "evaluation_active_dropout"
        steps, count = run.series(signal).steps, samples_of(run, signal)
        return self.finding(
            f"In the {number(count)} evaluations that were looked at, the model was in evaluation mode, and "
            f"{number(calls)} calls of dropout in a forward dropped units all the same.",
            [Evidence(signal, None, int(steps[0]), int(steps[-1]), calls, "0")],
            [
                Recommendation(
                    "Write F.dropout(x, p, training=self.training), or make it an nn.Dropout(p) in __init__.",
                    "F.dropout drops units unless it is told not to: model.eval() reaches modules alone.",
                    "evaluation_active_dropout is 0; two evaluations in a row give the same score.",
                    "F.scaled_dot_product_attention likewise drops whenever its dropout_p is not 0.",
                    "train-and-eval-mode",
                    Change("dropout in evaluation", "on", "off"),
                )
            ],
        )
