"""OP02 learning-rate-too-low: the weights hardly move, and so the loss stays where it began."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import recent_level
from trainhealth.rules.chance import Chance, chance_level
from trainhealth.rules.objective import moving_target
from trainhealth.rules.optimization.low_rate_advice import recommend, still_rising, warming_up_to_the_end
from trainhealth.rules.progress import first_level
from trainhealth.rules.update_ratio import (
    SMALL,
    explains_standstill,
    model_update_ratio,
)
from trainhealth.rules.weights import trained_before
from trainhealth.series import RunView, Series

_USUAL_CLASSES = (2, 10, 100, 1000)  # where the log has no number of classes


class LearningRateTooLow(Rule):
    """The learning rate is too low: updates are so small that the loss has hardly left its start.

    What it detects
        A train_loss (in the loss's own unit) near its start, while the update ratio, the L2 norm of a step's update
        over the norm of the weights (median over parameters of two or more dimensions), is far below 1e-3 and a usual
        rate would bring it there.

    Why it matters
        At a ratio of 1e-5 the weights need 100,000 steps to change by their own size. The run costs the same time and
        learns next to nothing.

    How it decides
        Only steps at which the rate is at least half of its maximum count, so that warm-up and decay are left out.
        There must be `least_steps` of them, or in a run that goes on `several` times as many for a ratio above a tenth
        of `ratio`. r is the median ratio over them. It fires if
        (1) r is at most `ratio`;
        (2) the rate, and not the gradient, is to blame: the rate that would give the lectures' ratio, rate x 1e-3 / r,
        is a usual one (at most 0.3; times the factor, where the script divides its loss), and r is not below a tenth of
        rate / rms of the weights in an adaptive optimizer;
        (3) the first loss is at least 0.9 of that of guessing among classes (log C), or 0.6 of the targets' variance;
        where it is unknown, r must be at most `ratio_unknown`: a model that is fine-tuned may be good from its start;
        (4) the median of the last tenth of the losses is at least `unmoved` of that of the first tenth, or of the loss
        of guessing, where that is lower; or, for r at most `creeping` of `ratio`, the loss falls evenly (Mann-Kendall z
        < -3, and no third of its second half gains less than half of the one before) and ends above `left` of that.
        Or, in a run that has ended, its first three losses being those of guessing: r is at most `slow`, and r times
        the number of steps at most `moved`, which is the most that all updates together can have changed the weights
        by; and the loss ends above `left` of that of guessing (in fewer than `least_steps` steps, too, where they were
        `passes` epochs). Not so where the weight of a normalisation layer is not 1 at the first sample: who has been
        trained before need not go far.
        Or, in a run that has ended while its rate was still being warmed up (it rose over the last fifth, to no third
        of its `max_lr` where the optimizer knows it): the loss still falls (z < -2 over the second half), and ends
        above `begun` of that of guessing.
        Without update ratios: the rate is at most `tiny_rate`, the first loss is within 1 % of log C, and the loss
        falls significantly (Mann-Kendall z < -2), but by less than 1 %.

    What to try
        The rate at which the ratio of these first steps would be 1e-2 ("about okay"; it falls towards 1e-3 by itself
        as weights grow and gradients shrink), at most 0.3; or a search over 1e-1 … 1e-4.

    When it is wrong
        A warm-up longer than all that has been seen, in a run that goes on. Vanishing gradients (saturated units,
        vanishing activations) look the same where they are small by less than the limits tell. Labels that can't be
        learnt keep the loss at its start at any rate. Fine-tuning at a low rate from a loss below that of guessing is
        healthy and silent, as are a decayed rate, a converged run and a plateau. Models that have been trained before,
        without a normalisation layer and with a new head, look like fresh ones. It misses a rate that is merely some
        ten times too low in a run that is long enough to get somewhere with it.
    """

    code = "OP02"
    name = "learning-rate-too-low"
    topic = "optimization"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss", "update_ratio|learning_rate")
    uses = ("update_ratio", "learning_rate")
    references = (
        Reference(
            "Tr1 Training Networks (Part 1): hyperparameter optimization",
            "Cost 2.302576 to 2.302420 in ten epochs at a rate of 1e-6: loss barely changing, the rate is too low.",
        ),
        Reference(
            "Tr1 Training Networks (Part 1), Opt Optimizing Neural Networks: ratio of update to weight",
            "Updates should be about 0.001 of the weights.",
        ),
        Reference(
            "Opt Optimizing Neural Networks: choosing hyperparameters, step 3",
            "Find a rate that makes the loss drop within about 100 iterations; good ones to try: 1e-1 to 1e-4.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        ratio: float = option(SMALL, "update ratio", "house choice: a fifth of the lectures' 1e-3")
        ratio_unknown: float = option(5e-6, "update ratio", "house choice: below what fine-tuning uses")
        unmoved: float = option(0.9, "share of the first loss", "house choice: sweeps over 28 small trainings")
        tiny_rate: float = option(1e-5, "learning rate", "lecture Tr1: 1e-6 is too low, search above 1e-5")
        least_steps: int = option(100, "steps", "lecture Opt: the loss should drop within about 100 iterations")
        passes: int = option(10, "epochs", "as underfitting: that many passes are meant to train, not to try")
        several: int = option(3, "times as many steps", "house choice")
        creeping: float = option(0.25, "share of `ratio`", "house choice: a twentieth of the lectures' 1e-3")
        left: float = option(0.3, "share of the first loss", "house choice: most models get below it")
        slow: float = option(3e-4, "update ratio", "a third of the lectures' 1e-3: the next rate that one tries")
        begun: float = option(0.8, "share of the loss of guessing", "house choice: learning has only begun")
        moved: float = option(0.1, "share of the weights' norm", "house choice: of 360 healthy trainings least 0.18")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the loss is near its start and the rate explains it."""
        adversarial = moving_target(run)
        if adversarial:
            return NotChecked(adversarial)
        losses = curves.clean(run.series("train_loss"))
        if not len(losses):
            return []
        ratios = model_update_ratio(run)
        if not len(ratios):
            return self._by_rate(run, losses, options)
        first, last = _full_rate(run)
        ratios = ratios.between(first, last)
        steps = last - first + 1
        too_few = steps < options.least_steps
        if (too_few and len(run.epochs) < options.passes) or not len(ratios):
            return []
        if still_rising(run) and run.ended is None:
            return []
        ratio = float(np.median(ratios.values))
        if _has_hardly_moved(run, losses, ratio, steps, options):
            return [self._describe(run, losses, float(run.learning_rate.at(last)), ratios, ratio, steps)]
        if too_few:
            return []
        if warming_up_to_the_end(run) and _has_just_begun(run, losses, options):
            return [self._never_warm(run, losses, ratio)]
        if not 0 < ratio <= _bound(run, losses, options):
            return []
        if ratio > options.ratio / 10 and last - first + 1 < options.several * options.least_steps and not run.ended:
            return []
        rate = float(run.learning_rate.at(last))
        if rate > 0 and not explains_standstill(run, ratio, rate):
            return []
        begun, now = recent_level(losses.values[::-1]), recent_level(losses.values)
        chance = chance_level(run)  # who begins above it, and comes down to it, has learnt nothing yet
        start = min(begun, chance.constant * chance.scale) if isinstance(chance, Chance) else begun
        if not 0 < options.unmoved * start <= now and not _creeps(losses.between(first, last), ratio, start, options):
            return []
        return [self._describe(run, losses, rate, ratios, ratio)]

    def _by_rate(self, run: RunView, losses: Series, options: Options) -> Iterable[Finding]:
        """Judge a log that holds but the loss and the rate."""
        rates = run.learning_rate.finite().values
        rate = float(rates.max()) if len(rates) else math.nan
        start, end = float(losses.values[0]), float(losses.values[-1])
        if not 0 < rate <= options.tiny_rate or len(losses) < 5 or not _is_guess(run, start):
            return []
        if curves.trend(losses).z > -2 or abs(end / start - 1) > 0.01:
            return []
        return [self._describe(run, losses, rate, None, math.nan)]

    def _describe(
        self, run: RunView, losses: Series, rate: float, ratios: Series | None, ratio: float, steps: int = 0
    ) -> Finding:
        begun, now = (
            (recent_level(losses.values[::-1]), recent_level(losses.values)) if ratios else losses.values[[0, -1]]
        )
        first, last = int(losses.steps[0]), losses.last_step
        at = f" at a learning rate of {number(rate)}" if rate > 0 else ""
        together = f", all {steps} together by {number(100 * ratio * steps)} % at most" if steps else ""
        moved = f": an update changes the weights by {number(ratio)} of their norm{together}" if ratios else ""
        evidence = [
            Evidence("train_loss", None, first, last, float(now), f"well below {float(begun):.7g}, where it began")
        ]
        if ratios:
            sampled = int(ratios.steps[0]), ratios.last_step
            evidence.insert(0, Evidence("update_ratio", None, *sampled, ratio, "about 0.001"))
        return self.finding(
            f"train_loss moved only from {float(begun):.7g} to {float(now):.7g} by step {last}{at}{moved}.",
            evidence,
            recommend(run, rate, ratio),
            confidence=Confidence.LIKELY if ratios else Confidence.HINT,
            first_step=first,
        )

    def _never_warm(self, run: RunView, losses: Series, ratio: float) -> Finding:
        rates, first, last = run.learning_rate.finite(), int(losses.steps[0]), losses.last_step
        begun, now = first_level(losses.values), recent_level(losses.values)
        rose = f"from {number(float(rates.values[0]))} to {number(float(rates.values[-1]))}"
        return self.finding(
            f"The learning rate rose {rose} and was still rising at the last step ({last}): train_loss moved only from"
            f" {number(begun)} to {number(now)}, and still falls.",
            [
                Evidence("learning_rate", None, first, last, float(rates.values[-1]), "its peak, long before"),
                Evidence("train_loss", None, first, last, now, f"well below {number(begun)}, where it began"),
            ],
            recommend(run, float(rates.values[-1]), ratio),
            first_step=first,
        )


def _has_just_begun(run: RunView, losses: Series, options: LearningRateTooLow.Options) -> bool:
    """Tell whether the loss of a fresh model still falls, and has come hardly below that of guessing."""
    chance = chance_level(run)
    if not isinstance(chance, Chance):
        return False
    guess = chance.constant * chance.scale
    falling = curves.trend(losses.between(losses.last_step // 2, losses.last_step)).z < -2
    return falling and recent_level(losses.values) > options.begun * guess


def _has_hardly_moved(
    run: RunView, losses: Series, ratio: float, steps: int, options: LearningRateTooLow.Options
) -> bool:
    """Tell whether all updates of a run together were too small to take fresh weights anywhere, and it knows little."""
    chance, rate = chance_level(run), float(run.learning_rate.at(run.last_step))
    if run.ended != "closed" or not isinstance(chance, Chance) or trained_before(run):
        return False
    guess = chance.constant * chance.scale
    if first_level(losses.values) < _share_of_guessing(chance) * guess:
        return False
    short = 0 < ratio <= options.slow and ratio * steps <= options.moved
    return (
        short
        and recent_level(losses.values) > options.left * guess
        and explains_standstill(run, ratio, rate, options.slow)
    )


def _creeps(losses: Series, ratio: float, start: float, options: LearningRateTooLow.Options) -> bool:
    """Tell whether the loss falls so evenly that it is far from its end, at a ratio that explains why."""
    if ratio > options.creeping * options.ratio or recent_level(losses.values) < options.left * start:
        return False
    late = losses.values[len(losses) // 2 :]
    first, middle, last = (float(np.median(part)) for part in np.array_split(late, 3))
    return curves.trend(losses).z < -3 and first - middle > 0 and last < middle and middle - last > (first - middle) / 2


def _full_rate(run: RunView) -> tuple[int, int]:
    """Return the first and the last step at which the rate is at least half of its maximum."""
    rates = run.learning_rate.finite()
    highest = float(rates.values.max(initial=0.0))
    if not highest > 0:
        return 0, run.last_step
    full = rates.steps[rates.values >= 0.5 * highest]
    return int(full[0]), int(full[-1])


def _bound(run: RunView, losses: Series, options: LearningRateTooLow.Options) -> float:
    """Return the highest ratio that counts as too low; 0 where the model was good from its start."""
    chance = chance_level(run)
    if not isinstance(chance, Chance):
        return options.ratio_unknown
    untrained = chance.constant * chance.scale
    return options.ratio if recent_level(losses.values[::-1]) >= _share_of_guessing(chance) * untrained else 0.0


def _share_of_guessing(chance: Chance) -> float:
    return 0.6 if chance.function == "mse" else 0.9  # the targets' variance is that of one batch


def _is_guess(run: RunView, start: float) -> bool:
    """Tell whether `start` is the loss of guessing among classes: log C."""
    chance = chance_level(run)
    if isinstance(chance, Chance):
        return abs(start / (chance.untrained * chance.scale) - 1) < 0.01
    return any(abs(start / math.log(classes) - 1) < 0.001 for classes in _USUAL_CLASSES)
