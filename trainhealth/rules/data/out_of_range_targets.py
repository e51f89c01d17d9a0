"""DA10 out-of-range-targets: targets that the loss function is not defined for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth import curves
from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.chance import BINARY, unknown_loss
from trainhealth.rules.loss_input import classes_of
from trainhealth.rules.objective import moving_target
from trainhealth.rules.sampled import samples_of, usual
from trainhealth.series import RunView

_SEVERAL = 8  # values of a loss: of fewer, halves say nothing
_NEVER_NEGATIVE = ("cross_entropy", "mse", "l1", "smooth_l1", "huber")
_OUT_OF_BOUNDS = re.compile(r"Target (-?\d+) is out of bounds")  # torch's words for a class that does not exist


class OutOfRangeTargets(Rule):
    """The targets lie outside of what the loss is defined for.

    What it detects
        target_minimum and target_maximum (target unit) against the loss function; and the error with which torch ends a
        run whose class indices are not among the outputs.

    Why it matters
        Binary cross-entropy of targets beyond 0 and 1 has no minimum: it falls below zero, without end, by making
        outputs larger. soft_margin_loss takes classes -1 and 1: a class 0 gives the constant log 2, and no gradient.

    How it decides
        Binary cross-entropy: in the usual batch the smallest target is below 0 or the largest above 1 by more than
        `slack`: critical, a warning within `noise`. soft_margin: 0 is the smallest target; so it is for
        cosine_embedding_loss, margin_ranking_loss and hinge_embedding_loss in a batch with ones, as trainhealth run
        sees it. The run ended with "Target n is out of bounds".
        Where the loss function is not known, or is one term of a sum and never negative by itself: train_loss ends
        below zero, at `bottomless` times the size with which it began (at least 1), and fell in its second half at
        least as far as in its first, its level being the median of three values; or it ends at `far` times that size:
        a hint.

    What to try
        Encode the labels as the loss expects them: 0 and 1, or indices from 0 to C - 1. Where it is a loss of one's
        own, look at the signs of its terms: a log-likelihood, a divergence.

    When it is wrong
        Label smoothing and mixup stay within 0 and 1: silent. Noisy labels of a discriminator up to 1.2 are a trick of
        the trade: a warning only. A likelihood that grows without bound (a density that collapses onto the data) is
        bottomless as well; one that converges, and the losses of adversaries and of reinforcement learning, are silent.
        Class indices that are ignored (-100, 255) lie out of range rightly, as torch would have stopped otherwise:
        silent. A run that stopped before its first step has nothing to be judged by.
    """

    code = "DA10"
    name = "out-of-range-targets"
    topic = "data"
    severity = Severity.CRITICAL
    confidence = Confidence.CERTAIN
    since = "0.1"
    requires = ("train_loss|target_minimum|error",)
    uses = ("target_maximum",)
    references = (
        Reference(
            "PyTorch documentation: torch.nn.BCEWithLogitsLoss, torch.nn.SoftMarginLoss, torch.nn.CrossEntropyLoss",
            "Targets are numbers between 0 and 1; 1 or -1; class indices in [0, C).",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        slack: float = option(1e-3, "target unit", "house choice: rounding of half precision")
        noise: float = option(0.3, "target unit", "house choice: discriminators are given up to 1.2")
        bottomless: float = option(1000.0, "times the first loss", "house choice: densities stay within a few times")
        far: float = option(1e6, "times the first loss", "house choice: no likelihood that has a maximum is so high")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if targets are outside of the loss's domain."""
        stopped = _OUT_OF_BOUNDS.search(run.error.message) if run.error else None
        if stopped:
            return [self._stopped(run, int(stopped[1]))]
        unsigned = run.facts.get("unsigned_targets")
        if isinstance(unsigned, str):
            return [self._unsigned(run, unsigned)]
        function = run.facts.get("loss_function")
        if not isinstance(function, str) or not function:
            endless = self._endless(run, options)
            return [endless] if endless else NotChecked(unknown_loss(run))
        found = self._beyond(run, function, options) if function in (*BINARY, "soft_margin") else []
        known = (isinstance(found, list) and found) or function not in (*BINARY, *_NEVER_NEGATIVE)
        endless = self._endless(run, options) if run.facts.get("loss_composed") and not known else None
        return [endless] if endless else found

    def _beyond(self, run: RunView, function: str, options: Options) -> list[Finding] | NotChecked:
        """Return the finding for targets that `function` is not defined for."""
        if not samples_of(run, "target_minimum") or not samples_of(run, "target_maximum"):
            return NotChecked("the targets are not known: pass outputs= and targets= to watch.step")
        low, high = usual(run, "target_minimum"), usual(run, "target_maximum")
        if function == "soft_margin":
            return [self._describe(run, function, low, high, "-1 and 1")] if low == 0 else []
        excess = max(-low, high - 1)
        if not excess > options.slack:
            return []
        severity = Severity.CRITICAL if excess > options.noise else Severity.WARNING
        return [self._describe(run, function, low, high, "from 0 to 1", severity)]

    def _describe(
        self, run: RunView, function: str, low: float, high: float, domain: str, severity: Severity = Severity.CRITICAL
    ) -> Finding:
        name, observed = ("target_minimum", low) if low < 0 or function == "soft_margin" else ("target_maximum", high)
        steps = run.series(name).steps
        return self.finding(
            f"The targets of a usual batch reach from {number(low)} to {number(high)}; {function} is defined for"
            f" targets {domain}.",
            [Evidence(name, None, int(steps[0]), int(steps[-1]), observed, domain)],
            [
                Recommendation(
                    f"Encode the labels as numbers {domain}: (targets - {number(low)}) / {number(high - low)}."
                    if function in BINARY
                    else "Encode the classes as -1 and 1: 2 * targets - 1.",
                    "The loss has its minimum at the right answer only for such targets.",
                    f"target_minimum and target_maximum are {domain}, and train_loss never falls below 0.",
                    "For three classes and more use cross_entropy with class indices.",
                    "check-labels",
                )
            ],
            severity=severity,
        )

    def _unsigned(self, run: RunView, function: str) -> Finding:
        """Describe targets 0 and 1 of a loss that compares pairs, as the script was seen to call it."""
        return self.finding(
            f"The targets of {function} are 0 and 1, and it is defined for -1 and 1: pairs with a 0 say nothing, or the"
            " wrong thing.",
            [Evidence("target_minimum", None, 0, max(run.last_step, 0), 0.0, "-1")],
            [_SIGNS],
        )

    def _endless(self, run: RunView, options: Options) -> Finding | None:
        """Return the finding for a loss that has no minimum, as a log of losses shows it."""
        losses = run.series("train_loss").finite()
        if len(losses) < _SEVERAL or moving_target(run) is not None:
            return None
        levels, half = curves.smooth(losses.values), len(losses) // 2
        began, between, now = float(levels[0]), float(levels[half]), float(levels[-1])
        size = max(abs(float(losses.values[0])), 1.0)
        faster = between - now >= began - between
        if now > -(options.bottomless if faster else options.far) * size:
            return None
        speed = ", and falls faster and faster" if faster else ""
        return self.finding(
            f"train_loss fell from {number(began)} to {number(now)}{speed}: it has no minimum. {_what_has_none(run)}",
            [Evidence("train_loss", None, int(losses.steps[0]), losses.last_step, now, "0 or more")],
            # a graph without a loss function of torch's is a loss of the script's own
            [_SIGN, _TARGETS] if run.facts.get("loss_form") == "tensor" else [_TARGETS, _SIGN],
            confidence=Confidence.HINT,
        )

    def _stopped(self, run: RunView, label: int) -> Finding:
        classes, step = classes_of(run), run.last_step + 1
        outputs = f"the model has {classes} outputs, for classes 0 to {classes - 1}" if classes else "no such output"
        return self.finding(
            f"The run stopped at step {step}, at a target of {label}: {outputs}.",
            [
                Evidence(
                    "target_maximum", None, step, step, float(label), f"0 to {classes - 1}" if classes else "a class"
                )
            ],
            [
                Recommendation(
                    f"Give the last layer {label + 1} outputs or more, or correct the label."
                    if label >= 0
                    else "Number the classes from 0, or pass ignore_index to the loss for examples without a label.",
                    "Class indices count from 0 to C - 1, where C is the number of outputs.",
                    "One epoch passes over all data without an error.",
                    "Labels from 1 to C need a subtraction, not one more output.",
                    "check-labels",
                )
            ],
        )


def _what_has_none(run: RunView) -> str:
    """Return what is known of a loss without a minimum, from the graph behind it."""
    function = run.facts.get("loss_function")
    if function in BINARY and not samples_of(run, "target_minimum"):
        return f"It is a sum: another term than {function} may have none, or targets lie outside of 0 to 1."
    if function:
        return f"It is a sum, and {function} is never below 0: another term has none."
    if run.facts.get("loss_form") == "tensor":
        return "None of torch's loss functions made it; a term with the wrong sign has none."
    return "Cross-entropies and squared errors are never negative, unless targets lie outside of their range."


_SIGN = Recommendation(
    "Look at the sign of each term of the loss: what is to grow, like a log-likelihood, enters with a minus.",
    "Training lowers what it is given: a likelihood that way, or a divergence that should be small, has no end.",
    "train_loss levels off, and the model's answers get better while it falls.",
    "The log of a density may rightly be above 0, and its loss below: it is the endless fall that tells.",
    "check-the-loss",
)
_SIGNS = Recommendation(
    "Encode them as -1 and 1: 2 * targets - 1.",
    "For a 0, these losses have no case of their own: unlike pairs are not pushed apart, and all come to lie together.",
    "The targets are -1 and 1; unlike pairs drift apart, and train_loss no longer falls to nothing.",
    recipe="check-labels",
)
_TARGETS = Recommendation(
    "Look at the smallest and the largest target: for binary cross-entropy they are 0 and 1.",
    "Beyond them the loss falls without end while the outputs grow, and nothing is learnt.",
    "train_loss never falls below 0.",
    "For three classes and more use cross_entropy with class indices.",
    "check-labels",
)
