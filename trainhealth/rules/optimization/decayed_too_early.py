"""OP03 decayed-too-early: the loss was still falling well when the rate was cut, and died after it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trainhealth import curves
from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.objective import moving_target
from trainhealth.rules.progress import last_level, share_left, too_short
from trainhealth.rules.update_ratio import SMALL, model_update_ratio
from trainhealth.schedules import Decay, recognise
from trainhealth.series import FloatArray, RunView, Series

_AHEAD = 5.0  # times as far as the cut: no line is carried on further


class _Loss(NamedTuple):
    """What a cut cost: the loss there and at the end, and what the run was heading for."""

    cut: Decay
    at_cut: float
    end: float
    expected: float


class DecayedTooEarly(Rule):
    """The learning rate was cut while the loss was still falling well, and the fall died with it.

    What it detects
        A sudden cut of the learning rate in the midst of a good fall of train_loss (in the loss's own unit), after
        which the loss ends well above where it was heading.

    Why it matters
        A lower rate makes everything slower: what the higher one would have reached in the next epochs is not reached
        at all, and the curve looks converged.

    How it decides
        Losses fall about as a power of time, which is a straight line in logarithms of both. The line through the
        second half of the stretch before the cut (since the cut before it, or the end of the warm-up; at least `values`
        values, 6 in a log of few), two standard errors less steep than it looks, is carried on to the end of the run,
        or to 5 times the step of the cut. It fires if the fall before the cut was significant (Mann-Kendall z <
        -`z`), the run went on for at least half as many values as before the cut, and the loss at the end is `above`
        times what the line says, by `missed` of the loss of a model that knows nothing (the first loss, where guessing
        is not known), and above `poor` of the latter. A cut within the first `soon` of the run leaves too short a
        stretch for a line: there it fires if the updates since then are as small as those of a rate that is too low (a
        median update ratio of 2e-4 at most), train_loss or validation_loss still falls (z < -`z`), and train_loss ends
        above `creeping` of the loss without knowledge.

    What to try
        Cut only when the loss has stood still for several epochs, or let a smooth schedule reach to the end of the run.

    When it is wrong
        A fall that was about to end anyway (a floor that the line does not know) looks the same, the more so the longer
        the line is carried on; floors below `poor` are silent. Where the rate was cut because the loss was about to
        diverge, it was right to. A healthy cut brings a fall of its own: silent. It sees sudden cuts only; a smooth
        schedule that is too short is collapsed-learning-rate (OP14). Losses that may be negative have no power law.
    """

    code = "OP03"
    name = "decayed-too-early"
    topic = "optimization"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss", "learning_rate")
    uses = ("update_ratio",)
    references = (
        Reference(
            "Opt Optimizing Neural Networks: learning curves",
            "The loss was still going down when the learning rate was decayed: decayed too early.",
        ),
        Reference(
            "Hestness et al. 2017, Deep Learning Scaling is Predictable, Empirically",
            "Losses fall as power laws over wide ranges.",
            "https://arxiv.org/abs/1712.00409",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        values: int = option(24, "values", "house choice: half of them give a slope")
        z: float = option(2.33, "standard normal", "house choice: one in a hundred by chance")
        above: float = option(1.25, "times the expected loss", "house choice: healthy cuts end at 1.1 at most")
        missed: float = option(0.1, "share of the loss without knowledge", "house choice")
        poor: float = option(0.2, "share of the loss without knowledge", "house choice")
        creeping: float = option(0.1, "share of the loss without knowledge", "house choice: most is not learnt yet")
        soon: float = option(0.2, "share of the run", "house choice: by then no loss has been seen to stand still")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding for the cut that cost most."""
        losses = curves.clean(run.series("train_loss"))
        reason = moving_target(run) or too_short(run, losses, epochs=10)
        if reason:
            return NotChecked(reason)
        schedule = recognise(run.learning_rate)
        begun = schedule.warm_up_end or int(losses.steps[0])
        starts = [begun, *(cut.step for cut in schedule.decays)]
        costs = [_cost(losses, start, cut, options) for start, cut in zip(starts, schedule.decays, strict=False)]
        worst = max((c for c in costs if c and not schedule.restarts), key=lambda c: c.end - c.expected, default=None)
        if worst is None and len(schedule.decays) == 1 and not schedule.restarts:
            creeping = _creeps(run, losses, begun, schedule.decays[0], options)
            return [self._left_standing(losses, schedule.decays[0], creeping)] if creeping else []
        if worst is None or not share_left(run, worst.end) > options.poor:
            return []
        if not share_left(run, worst.end - worst.expected) > options.missed:
            return []
        return [self._describe(losses, worst)]

    def _left_standing(self, losses: Series, cut: Decay, ratio: float) -> Finding:
        """Return the finding for a cut after which every update is tiny, from early on."""
        before, end = last_level(losses.between(0, cut.step - 1).values), last_level(losses.values)
        return self.finding(
            f"The learning rate was cut from {number(cut.before)} to {number(cut.after)} at step {cut.step}, while"
            f" train_loss was falling well; since then an update changes the weights by {number(ratio)} of their norm,"
            f" and train_loss only creeps from {number(before)} to {number(end)}.",
            [
                Evidence("learning_rate", None, cut.step, cut.step, cut.after, f"{number(cut.before)} for longer"),
                Evidence("update_ratio", None, cut.step, losses.last_step, ratio, "about 0.001"),
            ],
            _recommend(losses, _Loss(cut, before, end, before)),
        )

    def _describe(self, losses: Series, cost: _Loss) -> Finding:
        cut = cost.cut
        return self.finding(
            f"The learning rate was cut from {number(cut.before)} to {number(cut.after)} at step {cut.step}, while"
            f" train_loss was falling well; it stood at {number(cost.at_cut)} there and ended at {number(cost.end)},"
            f" where the fall before would have led to about {number(float(f'{cost.expected:.2g}'))}.",
            [
                Evidence("learning_rate", None, cut.step, cut.step, cut.after, f"{number(cut.before)} for longer"),
                Evidence(
                    "train_loss",
                    None,
                    cut.step,
                    losses.last_step,
                    cost.end,
                    f"about {number(float(f'{cost.expected:.2g}'))}",
                ),
            ],
            _recommend(losses, cost),
        )


def _creeps(run: RunView, losses: Series, begun: int, cut: Decay, options: DecayedTooEarly.Options) -> float | None:
    """Return the update ratio since an early cut that left the loss poor and creeping; None where it did not."""
    ratios = model_update_ratio(run).between(cut.step, run.last_step).finite().values
    soon = cut.step - begun <= options.soon * (run.last_step - begun)
    if not soon or not len(ratios) or not 0 < float(np.median(ratios)) <= SMALL:
        return None
    before, after = losses.between(begun, cut.step - 1), losses.between(cut.step, losses.last_step)
    validation = run.series("validation_loss").between(cut.step, run.last_step).finite()
    creeping = min(curves.trend(part).z for part in (after, validation) if len(part) >= 6) if len(after) >= 6 else 0.0
    falling = len(before) >= 6 and max(curves.trend(before).z, creeping) < -options.z
    poor = share_left(run, last_level(losses.values)) > options.creeping
    return float(np.median(ratios)) if falling and poor else None


def _cost(losses: Series, start: int, cut: Decay, options: DecayedTooEarly.Options) -> _Loss | None:
    """Return what a cut cost; None where the loss had not been falling, or too little follows."""
    before, after = losses.between(start, cut.step - 1), losses.between(cut.step, losses.last_step)
    few = 6 if len(losses) < 4 * options.values else options.values
    if len(before) < few or 2 * len(after) < len(losses) - len(after) or losses.values.min() <= 0:
        return None
    if curves.trend(before).z > -options.z:
        return None
    half = before.between(int(before.steps[len(before) // 2]), before.last_step)
    origin = int(losses.steps[0])
    passed = np.log((half.steps - origin + 1).astype(np.float64))
    power, level = _flattest_line(passed, np.log(half.values))
    until = math.log(losses.last_step - origin + 1)
    expected = math.exp(level + power * min(until, float(passed[-1]) + math.log(_AHEAD)))
    at_cut, end = math.exp(level + power * float(passed[-1])), last_level(losses.values)
    return _Loss(cut, at_cut, end, expected) if power < 0 and end > options.above * expected else None


def _flattest_line(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Return slope and level of the line between the medians of the outer thirds, two standard errors less steep.

    Medians of thirds (Tukey 1971) keep spikes out; carried far, the slope's error would decide.
    """
    third = max(len(x) // 3, 1)
    (x0, x1), (y0, y1) = ((float(np.median(v[:third])), float(np.median(v[-third:]))) for v in (x, y))
    if not x1 > x0:
        return 0.0, float(np.median(y))
    noise = curves.noise(Series("", np.arange(len(y)), y))
    error = 1.25 * noise * math.sqrt(2 / third) / (x1 - x0)
    slope = min((y1 - y0) / (x1 - x0) + 2 * error, 0.0) if error == error else 0.0
    return slope, float(np.median(y - slope * x))


def _recommend(losses: Series, cost: _Loss) -> list[Recommendation]:
    cut = cost.cut
    later = int(losses.steps[0]) + (losses.last_step - int(losses.steps[0])) // 2
    below = f"train_loss falls below {number(cost.end)}"
    return [
        Recommendation(
            f"Keep the rate at {number(cut.before)} until the loss stands still: not before step {later} of as many.",
            "The higher rate was still bringing the loss down.",
            f"{below} before the first cut.",
            "On a loss that has stood still, more steps at the same rate bring nothing.",
            "learning-rate-schedule",
            Change("first decay", float(cut.step), float(later)),
        ),
        Recommendation(
            "Or cut by the loss itself: a scheduler that waits for a plateau, with a patience of 5 to 10 epochs.",
            "It can't cut while the loss falls.",
            "Each cut comes after epochs without progress, and is followed by a fall.",
            "Noise looks like progress: a threshold of 1 % keeps it from waiting for ever.",
            "learning-rate-schedule",
        ),
    ]
