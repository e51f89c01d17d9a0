"""OP15 ineffective-clipping: clipping is there and changes nothing, or is so tight that nothing moves."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import poor_loss
from trainhealth.rules.clipping import Clipping, clipping
from trainhealth.rules.objective import moving_target
from trainhealth.rules.optimizers import all_adaptive
from trainhealth.rules.progress import last_level, share_left
from trainhealth.rules.update_ratio import SMALL, model_update_ratio
from trainhealth.series import RunView

# "clip", "grad_clip", "max_grad_norm", "gradient_clip_val"; not "clip_range" (PPO's) or "clip_value" (of elements)
_LIMIT = re.compile(
    r"max_grad(ient)?_norm|clip_grad(_norm)?|(grad(ient)?s?_?)?clip(ping)?(_?norm|_threshold)?|gradient_clip_val",
    re.IGNORECASE,
)


class IneffectiveClipping(Rule):
    """Gradient clipping does not do what it is there for: it changes nothing, or it lets nothing through.

    What it detects
        gradient_norm when backward returned against clipped_gradient_norm when the optimizer began (both over all
        parameters, loss unit / parameter unit), and the limit where hyperparameters name one (clip, max_grad_norm).
        Where trainhealth run has started the script: where in the loop it clips.

    Why it matters
        Clipping before backward (of the old gradient) or after the update protects from nothing. A limit far below the
        gradients makes the updates so small that training stands still, whatever the rate seems to be.

    How it decides
        In the wrong place: the script has clipped, in each of its first updates, only when there was no gradient that
        was still to be used: between the update and the next backward. A note where no gradient was above the limit.
        Without effect: hyperparameters name a limit; gradient_norm is above 1.1 times it in at least `least_exceeded`
        samples, and in all of them the optimizer got more than 1.1 times the limit, and 0.99 of the norm or more.
        Too tight: clipping acts in nine of ten samples, at least `least_samples`, and keeps at most `tight` (median);
        the median update ratio is at most 2e-4 beside what weight decay makes of it (rate x weight_decay, divided by
        1 - momentum), and would be above it without clipping; and train_loss is poor: it broke, or stands above `poor`
        of the untrained loss. Where clipping keeps `starving` at most, the ratio may be up to `short` (adaptive
        optimizers excepted, whose steps do not become shorter); and where it is a tenth of the first limit, a loss
        above `creeping` of the untrained one suffices, though it may fall.

    What to try
        The order backward, clip, step; a limit near the norms that were seen.

    When it is wrong
        A hyperparameter of that name may mean something else (a limit an element, or an adaptive limit). Adaptive
        optimizers divide a tight limit out, until it comes near their epsilon: the update ratio tells. The norms here
        are those of unscaled gradients: a limit that met a loss scaler's gradients looks as many times smaller, and is
        told by its digits.
    """

    code = "OP15"
    name = "ineffective-clipping"
    topic = "optimization"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("clipped_gradient_norm", "gradient_norm")
    uses = ("update_ratio", "train_loss", "loss_scale")
    references = (
        Reference(
            "UO, Underfitting, Overfitting, Regularization, Optimization: cliffs and gradient clipping",
            "The gradient is clipped just before the parameter update.",
        ),
        Reference(
            "Goodfellow, Bengio and Courville 2016, Deep Learning, section 10.11.1",
            "Clip the norm of the gradient just before the parameter update.",
            "https://www.deeplearningbook.org/contents/rnn.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        least_exceeded: int = option(3, "samples", "house choice: one may come from another backward")
        tight: float = option(0.1, "share of the norm that is kept", "Pascanu 2013: half to ten times the mean norm")
        starving: float = option(0.01, "share of the norm that is kept", "house choice: a tenth of `tight`")
        short: float = option(5e-4, "update ratio", "half of Tr1's 1e-3, for optimizers that are not adaptive")
        creeping: float = option(0.3, "share of the untrained loss", "house choice: most models get below it")
        least_samples: int = option(8, "samples", "house choice: 100 steps and more")
        poor: float = option(0.6, "share of the untrained loss", "house choice: as for the other rules")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if clipping has no effect, or stops training."""
        clipped = clipping(run)
        misplaced = run.facts.get("clipping_misplaced")
        if isinstance(misplaced, int | float):
            return [self._misplaced(clipped, float(misplaced))]
        limit = _limit(run)
        exceeded = clipped.before > 1.1 * limit
        if np.count_nonzero(exceeded) >= options.least_exceeded:
            passed = (clipped.after[exceeded] > 1.1 * limit) & (clipped.kept[exceeded] >= 0.99)
            if passed.all():
                return [self._without_effect(clipped, limit)]
        fact = None if moving_target(run) else self._starved(run, clipped, options)
        return [self._too_tight(run, clipped, fact)] if fact else []

    def _starved(self, run: RunView, clipped: Clipping, options: Options) -> str | None:
        """Return what became of a loss that stands, or creeps, because of clipping; None where there is no such."""
        if len(clipped.steps) < options.least_samples or clipped.acted < 0.9:
            return None
        kept = float(np.median(clipped.kept))
        ratios = model_update_ratio(run).finite().values
        ratio = float(np.median(ratios)) if len(ratios) else math.nan
        short = options.short if kept <= options.starving and not all_adaptive(run) else SMALL
        if not 0 < kept <= options.tight or not 0 < ratio <= short + _decay(run) or not ratio / kept > short:
            return None
        lost = poor_loss(run, options.poor)
        if lost is not None or kept > options.starving or ratio > SMALL / 10:
            return lost.fact if lost else None
        now = last_level(run.series("train_loss").finite().values)
        left = share_left(run, now)
        return f"train_loss has only crept to {number(now)}" if left > options.creeping else None

    def _misplaced(self, clipped: Clipping, limit: float) -> Finding:
        """Describe clipping that comes when the gradient was used already."""
        above = clipped.after > limit
        largest = float(clipped.after.max(initial=0.0))
        first, last = (int(clipped.steps[0]), int(clipped.steps[-1])) if len(clipped.steps) else (0, 0)
        reached = f"; norms up to {number(largest)} have reached the optimizer" if above.any() else ""
        return self.finding(
            f"Gradients are clipped (at {number(limit)}) between optimizer.step() and the next loss.backward(), where"
            f" there is nothing to clip{reached}.",
            [Evidence("clipped_gradient_norm", None, first, last, largest, f"at most {number(limit)}")],
            [_BETWEEN],
            severity=Severity.WARNING if above.any() else Severity.NOTE,
            confidence=Confidence.CERTAIN,
        )

    def _without_effect(self, clipped: Clipping, limit: float) -> Finding:
        above = clipped.after > 1.1 * limit
        worst = int(np.argmax(clipped.after))
        return self.finding(
            f"The limit of gradient clipping is {number(limit)}, but the optimizer got gradients of norms up to "
            f"{number(float(clipped.after[worst]))} ({int(above.sum())} of {len(above)} sampled steps are above it).",
            [
                Evidence(
                    "clipped_gradient_norm",
                    None,
                    int(clipped.steps[above][0]),
                    int(clipped.steps[above][-1]),
                    float(clipped.after[worst]),
                    f"at most {number(limit)}",
                )
            ],
            [
                _BETWEEN,
            ],
        )

    def _too_tight(self, run: RunView, clipped: Clipping, fact: str) -> Finding:
        limit, typical = float(np.median(clipped.after)), float(np.median(clipped.before))
        ratio = float(np.median(model_update_ratio(run).finite().values))
        first, last = int(clipped.steps[0]), int(clipped.steps[-1])
        scales = run.series("loss_scale").finite().values
        scale = float(np.median(scales)) if len(scales) else 1.0
        scaled = _is_round(limit * scale) and not _is_round(limit)
        clause = f", as gradients were clipped that a loss scaler had multiplied by {scale:g}" if scaled else ""
        return self.finding(
            f"Clipping leaves {number(limit)} of a gradient of norm {number(typical)}{clause}, and an update changes "
            f"the weights by {number(ratio)} of their norm; {fact}.",
            [
                Evidence("clipped_gradient_norm", None, first, last, limit, f"about {number(typical)}"),
                Evidence("update_ratio", None, first, last, ratio, "about 0.001"),
            ],
            [
                _unscale(limit * scale) if scaled else _raise(limit, typical),
            ],
        )


_BETWEEN = Recommendation(
    "Call torch.nn.utils.clip_grad_norm_(model.parameters(), limit) after loss.backward() and before optimizer.step().",
    "Before backward it clips an old gradient or none; after the update it is too late.",
    "clipped_gradient_norm is never above the limit.",
    "Under a loss scaler, call scaler.unscale_(optimizer) first.",
    "gradient-clipping",
)


def _is_round(limit: float) -> bool:
    """Tell whether somebody may have written this number: it has two digits. A scale is a power of two, with many."""
    return abs(limit / float(f"{limit:.2g}") - 1) < 1e-3


def _raise(limit: float, typical: float) -> Recommendation:
    wanted = float(f"{typical:.1g}")
    return Recommendation(
        f"Raise the limit of clipping from {number(limit)} to {number(wanted)}.",
        "Then half of the gradients pass as they are, and steep ones are still held back.",
        "The update ratios come up to about 0.001, and train_loss falls.",
        "If train_loss then jumps, lower the learning rate.",
        "gradient-clipping",
        Change("clip_norm", limit, wanted),
    )


def _unscale(limit: float) -> Recommendation:
    return Recommendation(
        f"Call scaler.unscale_(optimizer) after scaler.scale(loss).backward(), before gradients are clipped at"
        f" {number(float(f'{limit:.2g}'))}.",
        "The limit then is one of the gradients themselves; scaler.step() does not divide a second time.",
        "The update ratios come up to about 0.001, and train_loss falls.",
        recipe="gradient-clipping",
    )


def _decay(run: RunView) -> float:
    """Return the largest update ratio that weight decay alone gives, and clipping does not touch."""
    rates = run.learning_rate.finite().values
    shares = [
        float(group.get("weight_decay") or 0.0) / max(1 - float(group.get("momentum") or 0.0), 1e-3)
        for optimizer in run.info.optimizers
        for group in optimizer.groups
    ]
    return float(rates.max(initial=0.0)) * max(shares, default=0.0)


def _limit(run: RunView) -> float:
    """Return the limit that the hyperparameters name; infinity where they name none."""
    for name, value in run.info.hyperparameters.items():
        number_given = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
        if number_given and _LIMIT.fullmatch(str(name).rpartition(".")[2]):
            return float(value)
    return math.inf
