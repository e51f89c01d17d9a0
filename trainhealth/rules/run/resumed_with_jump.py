"""RU05 resumed-with-jump: the loss is higher after the run was resumed than before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.objective import moving_target
from trainhealth.series import RunView


class ResumedWithJump(Rule):
    """The loss jumps up where the run was resumed: something that belongs to the training was not restored.

    What it detects
        train_loss (in the loss's own unit) just after the step from which a later process went on, above that just
        before it.

    Why it matters
        Weights, the optimizer's moments, the schedule, the loss scale: what is missing from a checkpoint begins anew,
        and steps are lost, or the run goes on at another rate than it seems to.

    How it decides
        At each step n from which the run was resumed, the median of up to `window` values after it is compared with
        that of as many before it; at least 5 on both sides. It fires where it is higher by more than `errors` standard
        errors (from the noise before it), and by `share` of what had been gained until then (first value minus the
        level before). Critical where nearly all was lost: three quarters of the gain. The learning rate before and
        after is told where it differs by a tenth.

    What to try
        Save and restore the state of everything: model, optimizer, scheduler, scaler, random states, epoch.

    When it is wrong
        A run that was resumed on purpose with other data, another loss or another rate jumps as well. A restart of the
        learning rate at that step (warm restarts) raises the loss for a while: the rates are told. A loss that spikes
        for fewer than half of the values after it is not seen. What the first process had learnt after its last
        checkpoint is lost by any resuming: the steps before n count, which the checkpoint knew.
    """

    code = "RU05"
    name = "resumed-with-jump"
    topic = "run"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss",)
    uses = ("learning_rate",)
    references = (
        Reference(
            "PyTorch tutorials, Saving and Loading Models: a general checkpoint for resuming",
            "The optimizer's state_dict holds buffers that change as the model trains: save it, too.",
            "https://pytorch.org/tutorials/beginner/saving_loading_models.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        window: int = option(20, "values", "house choice: Adam's moments are rebuilt within some tens of steps")
        errors: float = option(5.0, "standard errors", "as GE01")
        share: float = option(0.1, "share of the gain until then", "house choice")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return one finding: of the largest jump."""
        reason = moving_target(run)
        if reason:
            return NotChecked(reason)
        if not run.resumed:
            return NotChecked("the run was not resumed")
        found = [self._at(run, step, options) for step in run.resumed]
        jumps = [finding for finding in found if finding]
        return [max(jumps, key=lambda finding: finding.evidence[0].observed)] if jumps else []

    def _at(self, run: RunView, step: int, options: Options) -> Finding | None:
        losses = curves.clean(run.series("train_loss"))
        cut = int(np.searchsorted(losses.steps, step))
        before, after = losses.values[max(cut - options.window, 0) : cut], losses.values[cut : cut + options.window]
        if min(len(before), len(after)) < 5:
            return None
        level, now, start = float(np.median(before)), float(np.median(after)), float(losses.values[0])
        sigma = curves.noise(losses.between(int(losses.steps[max(cut - 10 * options.window, 0)]), step - 1))
        error = 1.25 * sigma * (1 / len(before) + 1 / len(after)) ** 0.5  # of a difference of two medians
        gain = start - level
        if not (now - level > options.errors * error and now - level > options.share * max(gain, 0.0)):
            return None
        lost = gain > 0 and now - level > 0.75 * gain
        first, last = int(losses.steps[cut - len(before)]), int(losses.steps[cut + len(after) - 1])
        return self.finding(
            f"train_loss was {number(level)} when the run was resumed at step {step}, and {number(now)} after it"
            f"{_rates(run, step)}{': most of what had been learnt is gone' if lost else ''}.",
            [Evidence("train_loss", None, first, last, now, f"about {number(level)}")],
            _ADVICE,
            severity=Severity.CRITICAL if lost else None,
            first_step=step,
        )


_ADVICE = (
    Recommendation(
        "Save and restore the state_dict of model, optimizer, scheduler and scaler, and the number of steps done.",
        "What is not restored begins anew: moments at zero, the rate at its start, weights at random.",
        "train_loss goes on where it was, within its noise.",
        "Load the checkpoint before the optimizer is built, or load the optimizer's state after it.",
        "resume-from-checkpoint",
    ),
)


def _rates(run: RunView, step: int) -> str:
    """Return what became of the learning rate, in words; empty where it is about the same, or unknown."""
    before, after = run.series("learning_rate").at(step - 1), run.series("learning_rate").at(step + 1)
    if not (before > 0 and after > 0) or 1 / 1.1 < after / before < 1.1:
        return ""
    return f", and the learning rate went from {number(before)} to {number(after)}"
