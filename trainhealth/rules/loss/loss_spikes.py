"""LS05 loss-spikes: the training loss jumps now and then, and takes steps to heal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.objective import moving_target, values_of_actions
from trainhealth.rules.progress import by_epoch, first_level, too_short
from trainhealth.schedules import recognise
from trainhealth.series import RunView, Series
from trainhealth.spikes import Spike, spikes

_SHOWN = 5  # spikes that stand in the evidence
_FEWEST = 5  # values that have a median which a jump can be compared with
_USUAL = 10  # gradient norms before a jump that tell what is usual
_PRINTED = 3  # units of the last digit in which the log holds the loss: less is rounding


class LossSpikes(Rule):
    """The training loss jumps up now and then, and takes many steps to heal each time.

    What it detects
        Jumps of train_loss (in the loss's own unit) that are far above its noise and last: single steps threw the
        weights off, and they had to find back.

    Why it matters
        Each spike costs the steps until it has healed, and one of them may not heal. They are the cliffs of the loss
        surface: a single steep gradient moves the weights as far as hundreds of ordinary steps.

    How it decides
        A spike is a value more than `sigmas` times the scatter above the level (scaled MAD and median of the 32 values
        before), where most of the next `lasting` values (1 in a log by epoch) lie above half of that limit, and the
        median of these is above the level by `height` of the progress that the run had made by then (and of the level
        in a log by epoch), and by more than 97 % of the 256 values before it were above theirs. It counts if it heals
        within `healing` of the run's values (at least 50), and not where the rate was warmed up or restarted just
        before, and if it is at least three times as high as the least difference between two values of the log, which
        is the last digit that was printed. Values above `huge` times the median of all and that of the first three need
        neither noise nor length: any 5 positive values will do, and each stretch of such values that ends is a spike.
        One or two spikes are a note, `several` are a warning.

    What to try
        Clip the gradient norm at what is usual; a somewhat lower rate; a look at the batches at these steps.

    When it is wrong
        A batch that is hard in itself raises one value and the next one is back: silent. Small batches and rare classes
        make losses skewed, so that hard ones come together by chance: silent, as long as they were as frequent before.
        A harder task in a curriculum lifts the loss for long: silent, unless it is learnt within `healing` of the run.
        In logs that hold an average over many steps short spikes are averaged away. Rises that don't heal are a
        divergence (LS02). Between adversaries and in reinforcement learning jumps are part of the game: not checked.
    """

    code = "LS05"
    name = "loss-spikes"
    topic = "loss"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss",)
    uses = ("learning_rate", "gradient_norm")
    references = (
        Reference(
            "UO Underfitting and Overfitting: cliffs and exploding gradients",
            "Cliffs: a single gradient step can throw the parameters very far; clip the gradient.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        sigmas: float = option(8.0, "times the scatter", "house choice: skewed losses of small batches reach 6")
        lasting: int = option(9, "values", "house choice: hard batches in a row were at most 5, true spikes 10 to 200")
        height: float = option(0.25, "share of the progress", "house choice: less costs little")
        healing: float = option(0.1, "share of the run", "house choice: a harder task takes longer")
        huge: float = option(1e3, "times the level", "house choice: batches of one task differ by tens, not thousands")
        several: int = option(3, "spikes", "house choice")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return one finding for all spikes."""
        losses = curves.clean(run.series("train_loss"))
        reason = moving_target(run) or values_of_actions(run)
        if reason:
            return NotChecked(reason)
        short, huge = too_short(run, losses, epochs=12), _huge(losses, options)
        if short and not huge:
            return NotChecked(short)
        found = huge or _counting(run, losses, options)
        return [self._describe(run, losses, found, options)] if found else []

    def _describe(self, run: RunView, losses: Series, found: list[Spike], options: Options) -> Finding:
        worst = max(found, key=lambda spike: spike.height - spike.level)
        times = f"{len(found)} times" if len(found) > 1 else "once"
        steps = [f"{spike.first_step}" for spike in found[:_SHOWN]]
        more = ", …" if len(found) > _SHOWN else ""
        return self.finding(
            f"train_loss jumped {times} (step {', '.join(steps)}{more}), at worst from {number(worst.level)} to"
            f" {number(worst.height)} at step {worst.first_step}.",
            [
                Evidence(
                    "train_loss", None, spike.first_step, spike.last_step, spike.height, f"about {number(spike.level)}"
                )
                for spike in found[:_SHOWN]
            ],
            _recommend(run, found),
            severity=Severity.WARNING if len(found) >= options.several else Severity.NOTE,
        )


def _huge(losses: Series, options: LossSpikes.Options) -> list[Spike]:
    """Return the stretches far above every level that the run has had, which need no noise to be told from it."""
    if len(losses) < _FEWEST or losses.values.min() <= 0:
        return []
    level = max(float(np.median(losses.values)), first_level(losses.values))
    above = losses.values > options.huge * level
    edges = np.flatnonzero(np.diff(above, prepend=False, append=False))
    return [
        Spike(int(losses.steps[start]), int(losses.steps[end - 1]), level, float(losses.values[start:end].max()), True)
        for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
        if start > 0 and end < len(losses)
    ]


def _counting(run: RunView, losses: Series, options: LossSpikes.Options) -> list[Spike]:
    """Return the spikes that are high, heal in time, and have no rise of the learning rate before them."""
    begun, schedule, each_epoch = first_level(losses.values), recognise(run.learning_rate), by_epoch(run)
    longest = max(options.healing * len(losses), 3 if each_epoch else 50)
    rises = spikes(losses, options.sigmas, 1 if each_epoch else options.lasting)
    if not rises:
        return []  # nearly every run: it need not have all its values sorted
    apart = np.diff(np.unique(losses.values))
    unit = float(apart.min()) if len(apart) else 0.0  # the least that two values of the log differ by
    counting = []
    for spike in rises:
        rise = spike.height - spike.level
        needed = options.height * max(begun - spike.level, spike.level if each_epoch else 0.0)
        needed = max(needed, _PRINTED * unit)
        took = len(losses.between(spike.first_step, spike.last_step))
        before = spike.first_step - max(took, run.last_step // 50)
        if spike.healed and rise >= needed and took <= longest and not schedule.rises_between(before, spike.first_step):
            counting.append(spike)
    return counting


def _recommend(run: RunView, found: list[Spike]) -> list[Recommendation]:
    first = found[0].first_step
    norms = run.series("gradient_norm").between(0, first - 1).finite().values
    known = len(norms) >= _USUAL  # the first steps' gradients are large, and no limit
    usual = f"at {number(float(f'{np.median(norms):.2g}'))}, its median before step {first}" if known else "at 1"
    rate = run.learning_rate.at(first)
    lower = f" from {number(rate)} to {number(rate / 3)}" if rate > 0 else " by a factor of 3"
    return [
        Recommendation(
            f"Clip the gradient norm {usual}.",
            "A single steep gradient then moves the weights no further than an ordinary one.",
            "Gradient norms before clipping still peak at such steps, and train_loss no longer does.",
            "Clipping at most steps hides a rate that is too high.",
            "gradient-clipping",
        ),
        Recommendation(
            f"Lower the learning rate{lower}.",
            "Shorter steps stay in the valley where long ones jump over its wall.",
            "train_loss has no jump of that size in as many steps.",
            recipe="lower-learning-rate",
            change=Change("learning_rate", rate, rate / 3) if rate > 0 else None,
        ),
        Recommendation(
            f"Look at the batches of these steps, the first one of step {first}.",
            "Broken or mislabelled examples give steep gradients, too.",
            "Without these examples there is no jump.",
            recipe="check-labels",
        ),
    ]
