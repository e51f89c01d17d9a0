"""OP01 learning-rate-too-high: training broke, and updates that are too large explain it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules import breakdown
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import SETTLING, Breakdown
from trainhealth.rules.chance import Chance, chance_level
from trainhealth.rules.clipping import clipping
from trainhealth.rules.data_scale import UNSCALED, inputs, scale_targets, standardize_inputs, targets_size
from trainhealth.rules.loss.origin import epsilon_vanished
from trainhealth.rules.objective import moving_target
from trainhealth.rules.shock import OVERTHROW, Limits, standstill
from trainhealth.rules.update_ratio import model_update_ratio, on_grid, rate_for
from trainhealth.series import RunView, Series

_SEVERAL = 5  # samples that tell of a stretch of steps


class LearningRateTooHigh(Rule):
    """The learning rate is too high: single updates change the weights so much that training breaks.

    What it detects
        A train_loss (in the loss's own unit) that broke, together with its explanation: the update ratio, the L2 norm
        of a step's update over the norm of the weights (median over parameters of two or more dimensions), far above
        1e-3. A large ratio alone is no illness.

    Why it matters
        A step that is too long for the curvature of the loss climbs instead of descending. One such step can push
        units out of reach of all data (dead ReLUs, saturated sigmoids), so that a smaller rate later does not repair
        it.

    How it decides
        A loss is broken if it (1) is not finite at the end; (2) has a median over its last tenth above 3 times the
        first loss (of one that goes to and fro across 0 from the beginning: its largest size in the first 32 steps);
        (3) had fallen below 0.7 of the untrained loss and gave back half of that way for good; (4) stands above 0.9 of
        the untrained loss after 50 steps, or above `stalled` of it, falling no more, after 200. The untrained loss is
        the first one, or that of guessing (log C, the targets' variance) where it is lower. For (1) and (2) the largest
        ratio from the last healthy step on (at least the last three samples) must reach `ratio_in_ruin`. For (3) one
        sample after step 0, for (4) two samples must reach `ratio` (or one 1), or the weights must have grown `growth`
        times between two samples at most 64 steps apart, and (4) needs a trace of the shock: a loss above 3 times the
        first one within 50 steps, or a ReLU layer of which `died` of the units died (in both cases
        `stalled_after_shock` replaces `stalled` in classification); a loss that stays 1.2 times above the first one,
        weights grown `growth` times, or updates that fell to a hundredth of those of the first steps. Weights drawn
        below a tenth of Xavier's size, or decayed to 0.3 of theirs, don't count in (4).
        (5) Or nothing was learnt while the rate was above half of its maximum, for `full_steps` steps: the loss ended
        that stretch at `nothing` of that of guessing or above, at a median ratio of `ratio_in_ruin` or above, and it
        fell by a twentieth once the schedule had taken the rate below a tenth.
        A run that the script's exception ended within 50 steps is broken, too, if the exception speaks of a number
        that is none, or the last loss was above 3 times the first; then the largest ratio must reach 1.
        Without update ratios only (1), (2), and (4) after an explosion of the loss, count, as a hint; (1) and (2) not
        where the rate had been lowered tenfold before. There (2) also takes that of the last 20 values, where they
        don't stand for epochs, no more than a quarter lie below the limit, and is silent where the rise is spread over
        the whole run: where no step between neighbouring blocks (of 32; running medians of three) is a quarter of it.
        With or without ratios (2) is silent where the evaluations since the last healthy step have become better (as in
        LS02).

    What to try
        The rate at which the ratio of the first five samples would have been 3e-3 (between the lectures' 1e-3 and
        "about okay" 1e-2: it falls by itself later), at least 3 and at most 1,000 times lower; scaled data where they
        are not; warm-up where it broke early; clipping.

    When it is wrong
        A fault that makes gradients huge (unscaled inputs or targets, weights initialised too large, gradients that are
        never zeroed) needs a low rate, too, but is the better thing to mend. Silent where the first gradient was not
        finite, or the first step of an adaptive optimizer spoilt weights of finite gradients. A loss that is NaN from
        its own arithmetic (the logarithm of 0) right after a step that happened to be large looks the same. In a log
        without update ratios any cause of divergence looks the same: a hint only. Healthy and silent: large first steps
        of adaptive optimizers, of small nets and of weights that start at zero; a shock that heals; a hard task whose
        loss stays near that of guessing; a loss that climbs evenly (a curriculum, a penalty whose weight rises). It
        misses rates that are merely too high to settle (a noisy plateau), and in a log of batches without update ratios
        a break within the last 15 of them: LS02 may see it.
    """

    code = "OP01"
    name = "learning-rate-too-high"
    topic = "optimization"
    severity = Severity.CRITICAL
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss",)
    uses = (
        "update_ratio",
        "learning_rate",
        "parameter_norm",
        "dead_fraction",
        "zero_fraction",
        "input_mean",
        "input_std",
        "input_nonfinite",
        "gradient_nonfinite",
        "gradient_norm",
        "clipped_gradient_norm",
        "validation_loss",
        "validation_accuracy",
    )
    references = (
        Reference(
            "Tr1 Training Networks (Part 1), Opt Optimizing Neural Networks: ratio of update to weight",
            "Updates should be about 0.001 of the weights; 0.01 is about okay.",
        ),
        Reference(
            "Tr1 Training Networks (Part 1): hyperparameter optimization",
            "Cost explodes: the learning rate is too high. Stop when the cost is above 3 times the original one.",
        ),
        Reference(
            "L16 Practical Aspects: learning rate",
            "High initial rates can make the loss explode; a linear warm-up can prevent this.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        ratio_in_ruin: float = option(1e-2, "update ratio", "lectures Tr1 and Opt: above it is no longer okay")
        ratio: float = option(0.1, "update ratio", "house choice: 100 times the lectures' 1e-3")
        stalled: float = option(0.6, "share of the untrained loss", "house choice: sweeps over 28 small trainings")
        stalled_after_shock: float = option(0.2, "share of the loss of guessing", "house choice: the same sweeps")
        died: float = option(0.5, "share of a layer's units", "DeepDiagnosis: more than half of the units inactive")
        full_steps: int = option(100, "steps", "lecture Opt: the loss should drop within about 100 iterations")
        nothing: float = option(0.97, "share of the loss of guessing", "house choice: the scatter of batches")
        growth: float = option(4.0, "times the first norm", "house choice: healthy weights of those grew up to 3 times")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the loss broke and the rate explains it."""
        ratios = model_update_ratio(run)
        ruin = breakdown.ended_in_ruin(run) or breakdown.broke_off(run)
        adversarial = moving_target(run)
        if adversarial and (ruin is None or ruin.kind == "exploded"):
            return NotChecked(adversarial)
        if ruin is not None:
            blamed = _ratios_of_ruin(run, ruin, ratios, options)
            return [] if blamed is None else [self._describe(run, ruin, blamed)]
        lost = breakdown.lost_its_progress(run)
        after_first = ratios.between(1, run.last_step)  # RMSprop's first update is ten times the others, in every run
        if lost is not None and after_first.values.max(initial=0.0) >= options.ratio:
            return [self._describe(run, lost, after_first)]
        limits = Limits(options.ratio, options.stalled, options.stalled_after_shock, options.died, options.growth)
        stuck = standstill(run, ratios, limits) or _until_lowered(run, ratios, options)
        return [self._describe(run, stuck[0], ratios, stuck[1])] if stuck else []

    def _describe(self, run: RunView, broken: Breakdown, ratios: Series, trace: str = "") -> Finding:
        rate = _rate(run, broken)
        at = f" at a learning rate of {number(rate)}" if rate else ""
        evidence = [Evidence("train_loss", None, broken.first_step, broken.last_step, broken.observed, broken.expected)]
        fact = broken.fact + trace
        if len(ratios):
            seen = ratios.finite() if len(ratios.finite()) else ratios  # an infinite ratio says less than a number
            worst = int(np.argmax(seen.values))
            peak, step = float(seen.values[worst]), int(seen.steps[worst])
            fact += f"; the update of step {step}{at} changed the weights by {_amount(peak)}"
            evidence.insert(0, Evidence("update_ratio", None, step, step, peak, "about 0.001; 0.01 is about okay"))
        else:
            fact += at
        return self.finding(
            f"{fact}.",
            evidence,
            _recommend(run, broken, rate, ratios),
            severity=Severity.WARNING if broken.kind == "stalled" else Severity.CRITICAL,
            confidence=Confidence.LIKELY if len(ratios) else Confidence.HINT,
            first_step=broken.first_step,
        )


def _until_lowered(
    run: RunView, ratios: Series, options: LearningRateTooHigh.Options
) -> tuple[breakdown.Breakdown, str] | None:
    """Return the loss that began to fall when the schedule had lowered the rate, and a clause that says so."""
    losses, rates, chance = run.series("train_loss").finite(), run.learning_rate.finite(), chance_level(run)
    highest = float(rates.values.max(initial=0.0))
    if not isinstance(chance, Chance) or not highest > 0 or rates.values[-1] > 0.1 * highest:
        return None
    full = rates.steps[rates.values >= 0.5 * highest]
    first, last = int(full[0]), int(full[-1])
    seen, during = ratios.between(first, last).finite().values, losses.between(first, last)
    guess, now = chance.constant * chance.scale, breakdown.recent_level(losses.values)
    if last - first < options.full_steps or not len(during) or len(seen) < _SEVERAL:
        return None
    level = breakdown.recent_level(during.values)
    if level < options.nothing * guess or now > 0.95 * level or np.median(seen) < options.ratio_in_ruin:
        return None
    fact = f"train_loss stood at {number(level)}, where guessing has {number(guess)}, until step {last}"
    lowered = f", and fell to {number(now)} when the schedule had lowered the rate from {number(highest)}"
    return breakdown.Breakdown("stalled", first, last, level, f"well below {number(guess)}", fact), lowered


def _ratios_of_ruin(
    run: RunView, ruin: Breakdown, ratios: Series, options: LearningRateTooHigh.Options
) -> Series | None:
    """Return the ratios around a loss's end in ruin if they explain it; none where the log has none; else None."""
    if ruin.first_step == 0 and (_gradient_spoilt_at_once(run) or epsilon_vanished(run)):
        return None
    exploded = ruin.kind == "exploded"
    if exploded and breakdown.better_since(run, ruin.first_step) is not None:
        return None  # what has risen is another part of the loss: no step has broken the model
    if not len(ratios):
        even = exploded and breakdown.rises_evenly(run.series("train_loss"))
        return None if even or _had_been_lowered(run, ruin) else ratios
    if (run.columns("input_nonfinite").values > 0).any():
        return None  # no rate makes up for data that are no numbers
    until = ratios.between(0, ruin.last_step)
    first = min(ruin.first_step, int(until.steps[-3])) if len(until) >= 3 else 0
    around = until.between(first, ruin.last_step)
    needed = OVERTHROW if ruin.kind == "broken off" else options.ratio_in_ruin
    return around if around.values.max(initial=0.0) >= needed else None


def _gradient_spoilt_at_once(run: RunView) -> bool:
    """Tell whether the first gradient was not finite: no update came before it that was too large."""
    counts = run.columns("gradient_nonfinite")
    return len(counts) > 0 and int(counts.steps[0]) == 0 and bool((counts.values[0] > 0).any())


def _had_been_lowered(run: RunView, broken: Breakdown) -> bool:
    """Tell whether the rate was a tenth of its maximum, or less, when the trouble began."""
    rates = run.learning_rate.between(0, broken.first_step).finite()
    return bool(len(rates)) and float(rates.values[-1]) <= 0.1 * float(rates.values.max())


def _amount(ratio: float) -> str:
    """Return an update ratio in words.

    >>> _amount(0.583), _amount(17.04), _amount(float("inf"))
    ('58 % of their norm', '17 times their norm', 'more than a number can hold')
    """
    if ratio < 2:
        return f"{100 * ratio:.0f} % of their norm" if ratio >= 0.01 else f"{100 * ratio:.1g} % of their norm"
    return f"{number(float(f'{ratio:.2g}'))} times their norm" if ratio < np.inf else "more than a number can hold"


def _rate(run: RunView, broken: Breakdown) -> float:
    """Return the highest rate up to the breakdown; 0 where the log has none."""
    rates = run.learning_rate.between(0, broken.last_step).finite().values
    return float(rates.max()) if len(rates) else 0.0


def _recommend(run: RunView, broken: Breakdown, rate: float, ratios: Series) -> Iterable[Recommendation]:
    before = ratios.values[np.isfinite(ratios.values)][:5]
    ratio = float(np.median(before)) if len(before) else 3e-2  # unknown: a tenth
    lower = min(rate_for(ratio, rate, goal=3e-3, at_most=1000), on_grid(rate / 3)) if rate else 0.0
    yield Recommendation(
        f"Set the learning rate from {number(rate)} to {number(lower)} and start again from fresh weights."
        if rate
        else "Divide the learning rate by 10 and start again from fresh weights.",
        "An update should change the weights by about 0.001 of their norm; 0.01 is about okay."
        if len(before)
        else "A loss that explodes or becomes NaN is most often due to a rate that is too high.",
        "train_loss falls from the first steps on, and the update ratios of the weights come down to about 0.001.",
        "Weights that have exploded and units that have died do not come back with a lower rate: start anew.",
        "lower-learning-rate",
        Change("learning_rate", rate, lower) if rate else None,
    )
    if inputs(run).unscaled:
        effect = "gradients, and so updates, grow in proportion"
        yield standardize_inputs(run, effect, "The update ratios of the first layer fall, and a higher rate is borne.")
    if targets_size(run) > UNSCALED:
        effect = "the squared error and its gradients are that much larger"
        yield scale_targets(run, effect, "The first train_loss is about 1, and a higher rate is borne.")
    if broken.first_step <= max(SETTLING, 0.05 * run.last_step) and ratio < OVERTHROW:
        yield Recommendation(
            "Or keep the rate and reach it by a linear warm-up over the first 5 % of the steps.",
            "It broke in the first steps, when weights are fresh and adaptive optimizers know no scale yet.",
            "train_loss falls through the warm-up and does not jump when the full rate is reached.",
            "A rate that is too high for good breaks the run at the end of the warm-up.",
            "warm-up",
        )
    if clipping(run).acted > 0:
        return
    yield Recommendation(
        "Clip the gradient norm at 1 before every update.",
        "A single steep batch can throw the weights far away.",
        "train_loss no longer jumps, and fewer than one step in ten is clipped.",
        "Clipping at most steps hides a rate that is too high; adaptive optimizers divide its effect out.",
        "gradient-clipping",
    )
