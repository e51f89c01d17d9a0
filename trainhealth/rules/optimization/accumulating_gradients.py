"""OP10 accumulating-gradients: gradients are never zeroed, so that every update follows the sum of all before it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import poor_loss
from trainhealth.rules.objective import moving_target
from trainhealth.series import RunView, Series


class AccumulatingGradients(Rule):
    """Gradients are not zeroed between steps: backward adds each one to the sum of all before it.

    What it detects
        leftover_gradient_norm (loss unit / parameter unit): the L2 norm of the gradient that stood in the parameters
        when the first backward of a step began. It is 0 where gradients are zeroed. Where several models or
        optimizers take turns, leftover_share (a fraction): what no backward of the step has found zeroed, in one weight
        of each.

    Why it matters
        The sum never forgets: it is momentum of factor 1, at a rate that grows with every step. The weights run past
        each minimum and far beyond, or the loss explodes.

    How it decides
        leftover / gradient_norm (of the same sample) is at least `leftover` in at least `often` of the samples after
        the first step, of which there must be `least_samples`. Where several take turns: leftover_share is, in one of
        the weights.

    What to try
        optimizer.zero_grad() before every backward that begins an update.

    When it is wrong
        Micro-batches whose gradients are accumulated for one update are one step, and begin from zero: silent. Of two
        players (a generator and a discriminator) the one's backward leaves gradients in the other's parameters, which
        are zeroed before its own backward: silent. One that accumulates over several steps of the other: silent, and
        so is one that never zeroes but gets gradients in steps without an update of its own: a miss. Parameters that
        no optimizer holds and no zero_grad reaches may keep their gradients for ever, without harm.
    """

    code = "OP10"
    name = "accumulating-gradients"
    topic = "optimization"
    severity = Severity.WARNING
    confidence = Confidence.CERTAIN
    since = "0.1"
    requires = ("leftover_gradient_norm|leftover_share", "gradient_norm")
    uses = ("train_loss",)
    references = (
        Reference(
            "PyTorch: Zeroing out gradients in PyTorch",
            "Gradients accumulate: zero_grad must be called, or the next backward adds to what is there.",
            "https://docs.pytorch.org/tutorials/recipes/recipes/zeroing_out_gradients.html",
        ),
        Reference(
            "Tr1 Training Networks (Part 1): mini-batch SGD",
            "Each update uses the gradient of the batch that was sampled for it.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        leftover: float = option(0.1, "share of the gradient norm", "house choice: zeroed gradients leave exactly 0")
        often: float = option(0.9, "share of the samples", "house choice: a step that was not zeroed once is no habit")
        least_samples: int = option(3, "samples", "house choice")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if gradients stand in the parameters step after step."""
        if run.has("leftover_share"):
            return self._of_several(run, options)
        if len(run.info.optimizers) > 1:
            return NotChecked("several optimizers: whose gradients were left, and whether they are used, is not known")
        left = run.series("leftover_gradient_norm").finite()
        left = left.between(max(1, int(left.steps[0]) + 1) if len(left) else 0, max(left.last_step, 0))
        whole = np.array([run.series("gradient_norm").at(int(step)) for step in left.steps])
        if len(left) < options.least_samples:
            return []
        shares = np.divide(left.values, whole, out=np.zeros(len(left)), where=(whole > 0) & np.isfinite(whole))
        shares[~np.isfinite(whole)] = 1.0  # a sum that has overflowed
        if float(np.mean((left.values > 0) & (shares >= options.leftover))) < options.often:
            return []
        middle = int(np.argsort(shares)[len(shares) // 2])
        lost = poor_loss(run, 0.6)
        return [
            self.finding(
                f"Gradients are not zeroed: at step {left.last_step} a gradient of norm {number(left.values[-1])} "
                f"stood in the parameters before backward{f'; {lost.fact}' if lost else ''}.",
                [
                    Evidence(
                        "leftover_gradient_norm",
                        None,
                        int(left.steps[0]),
                        left.last_step,
                        float(left.values[middle]),
                        "0",
                    )
                ],
                [_ZERO],
                severity=Severity.CRITICAL if lost else Severity.WARNING,
            )
        ]

    def _of_several(self, run: RunView, options: Options) -> list[Finding]:
        """Return a finding if gradients stand in one of several models step after step."""
        shares = run.columns("leftover_share")
        left: dict[str, Series] = {}
        for weight in shares.places:
            known = shares.place(weight).finite()
            if len(known) >= options.least_samples and np.mean(known.values >= options.leftover) >= options.often:
                left[weight] = known
        if not left:
            return []
        lost = None if moving_target(run) else poor_loss(run, 0.6)
        typical = number(float(np.median(np.concatenate([known.values for known in left.values()]))))
        return [
            self.finding(
                f"Gradients are not zeroed: a share of {typical} of the gradient of {' and '.join(left)} stood there"
                f" before any backward of the step{f'; {lost.fact}' if lost else ''}.",
                [
                    Evidence("leftover_share", weight, int(k.steps[0]), k.last_step, float(np.median(k.values)), "0")
                    for weight, k in left.items()
                ],
                [_ZERO],
                severity=Severity.CRITICAL if lost else Severity.WARNING,
            )
        ]


_ZERO = Recommendation(
    "Call optimizer.zero_grad() before loss.backward() in every step.",
    "backward adds to the gradients that are there; without zeroing, each update repeats all earlier ones.",
    "leftover_gradient_norm is 0 at every step, and update ratios no longer grow with the steps.",
    "If micro-batches are accumulated on purpose, zero after every optimizer.step() and not after every backward.",
    "zero-gradients",
    Change("zero_grad", "never", "every step"),
)
