"""LS08 late-start: the training loss was flat for long, and fell only then."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.chance import Chance, chance_level
from trainhealth.rules.objective import moving_target
from trainhealth.rules.progress import EPOCHS, STEPS, by_step, epochs_of_one_step, first_level, last_level, too_short
from trainhealth.schedules import recognise
from trainhealth.series import RunView, Series

_RECURRENT = ("LSTM", "GRU", "RNN")  # their types begin so, cells' too
_AT_GUESSING = 1.01  # times its loss: lecture Tr1's first loss is as close
_SURELY = 2.33  # Mann-Kendall's z, from which on a stretch falls: one in a hundred by chance


class LateStart(Rule):
    """The training loss stayed at its start for a long while and fell only then.

    What it detects
        A first stretch of train_loss (in the loss's own unit) that is flat, before a fall that shows that the task can
        be learnt.

    Why it matters
        The steps of the flat stretch are lost. Flat and then falling is the picture of weights that start badly: the
        signal, or the gradient, first has to grow through all layers.

    How it decides
        The curve is cut into 64 blocks, and the level of the end lies below that of the start by at least `learnt` of
        the latter. The start is over with the first block from which on all levels (running medians of three) lie more
        than `near` of the whole fall, or 3 standard errors of a block, below the first one; until then no level may be
        further away than twice that, and the band may be no wider than a tenth of the fall. The flat stretch counts
        from the end of the learning rate's warm-up, and fires if it is at least `late` of the run (a note; from
        `very_late` on a warning), 100 steps (three values, where one may stand for more than a step), and twice as long
        as the warm-up.
        A curve that begins above the loss of guessing is looked at from where it has come down to 1.01 of that (log 2,
        where guessing is not known and three values stand within half a per cent of it), if that is within a tenth.
        It is silent where the stretch itself falls (Mann-Kendall z below -2.33) by more than `falling` of the whole
        fall, and a note in a log by step where the stretch has neither `long_steps` nor `long_epochs`, in one whose
        values may stand for more where it has fewer than eight, and in recurrent models.

    What to try
        He or Xavier initialisation; normalisation between the layers; warm-up with a higher rate behind it.

    When it is wrong
        A loss that falls without end (a sign that is wrong) makes its start look flat: silent where it falls by more
        than `bottomless` times its first level. Some tasks are flat by nature until a structure has been found (copying
        over long distances, arithmetic): then the start is late with the best of weights. So it often is in recurrent
        models, whose memory has to be learnt first, and which no remedy here is made for: a note. A curriculum or
        frozen layers that are released do it on purpose. In a run that was stopped early, the same stretch is a larger
        share. It misses a start that creeps.
    """

    code = "LS08"
    name = "late-start"
    topic = "loss"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss",)
    uses = ("learning_rate",)
    references = (
        Reference(
            "Opt Optimizing Neural Networks: learning curves",
            "The loss is flat for a while and then starts decreasing: bad initialisation is a prime suspect.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        learnt: float = option(0.2, "share of the first level", "house choice: a start that is a start")
        bottomless: float = option(10.0, "times the first level", "house choice: a loss of 0 is one level away")
        near: float = option(0.03, "share of the whole fall", "house choice")
        late: float = option(0.1, "share of the run", "house choice: healthy runs take up to a twentieth")
        very_late: float = option(0.2, "share of the run", "house choice")
        falling: float = option(0.05, "share of the whole fall", "house choice: more is no standstill")
        long_steps: int = option(300, "steps", "house choice: a share of a short run is soon reached")
        long_epochs: float = option(3.0, "epochs", "house choice: as `long_steps`")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the loss fell, and late."""
        losses = curves.clean(run.series("train_loss"))
        reason = moving_target(run) or too_short(run, losses, 2 * STEPS)
        if reason:
            return NotChecked(reason)
        losses = _from_guessing(run, losses)
        parts = curves.blocks(losses, 64)
        levels = curves.smooth(parts.medians)
        begun, fall = float(levels[0]), float(levels[0]) - last_level(losses.values)
        band = float(np.fmax(options.near * fall, 3 * parts.error))
        level = abs(first_level(losses.values))
        if not options.learnt * level <= fall <= options.bottomless * level or band > 0.1 * fall:
            return []
        left = curves.left_start(parts, band)
        if left >= len(parts) or np.abs(levels[:left] - begun).max(initial=0.0) > 2 * band:
            return []
        first, until = int(losses.steps[0]), int(parts.first_steps[left])
        warm_up = recognise(run.learning_rate).warm_up_end or first
        delay = until - max(first, warm_up)
        flat = len(losses.between(max(first, warm_up), until - 1))
        least = STEPS if by_step(run) or epochs_of_one_step(run) else 3
        if flat < max(options.late * len(losses), least) or delay < 2 * (warm_up - first):
            return []
        stretch = curves.trend(losses.between(first, until - 1))
        if stretch.z < -_SURELY and -stretch.change > options.falling * fall:
            return []  # slow, and not flat
        share, stayed = flat / len(losses), float(np.median(levels[:left]))
        message = (
            f"train_loss stayed at {number(stayed)} for {delay} steps, {share:.0%} of the run, and fell only then, to"
            f" {number(begun - fall)}."
        )
        evidence = Evidence("train_loss", None, first, until, stayed, "falling within some 100 steps")
        long = flat >= options.long_steps or len(run.epochs) * flat > options.long_epochs * len(losses)
        seen = long if by_step(run) else flat >= EPOCHS
        surely = share >= options.very_late and seen and not _is_recurrent(run)
        severity = Severity.WARNING if surely else Severity.NOTE
        return [self.finding(message, [evidence], _recommend(run, until), severity=severity)]


def _is_recurrent(run: RunView) -> bool:
    return any(entry.type.startswith(_RECURRENT) for entry in run.layers)


def _from_guessing(run: RunView, losses: Series) -> Series:
    """Return the curve from where it has come down to the loss of guessing; all of it where it did not come from above.

    Outputs that are too large at first are soon mended, and say nothing of how long the start takes.
    """
    chance = chance_level(run)
    guess = chance.constant * chance.scale if isinstance(chance, Chance) else math.log(2)
    reached = int(np.argmax(losses.values <= _AT_GUESSING * guess))
    stays = bool((np.abs(losses.values[reached + 1 : reached + 4] / guess - 1) < 0.005).all())
    if not 0 < reached <= len(losses) // 10 or not (stays or isinstance(chance, Chance)):
        return losses
    return losses.between(int(losses.steps[reached]), losses.last_step)


def _recommend(run: RunView, until: int) -> list[Recommendation]:
    earlier = f"train_loss falls long before step {until}"
    activations = {entry.activation for entry in run.layers if entry.activation}
    rate = float(run.learning_rate.finite().values.max(initial=0.0))
    now = f" (now {number(rate)})" if rate > 0 else ""
    he = not activations or any("elu" in activation for activation in activations)  # ReLU and its kin, GELU
    return [
        Recommendation(
            "Draw the weights with standard deviation sqrt(2 / fan_in) (He), for ReLU."
            if he
            else "Draw the weights with standard deviation sqrt(1 / fan_in) (Xavier), for tanh.",
            "Weights that are too small let the signal and the gradient fade with depth, and they grow back slowly.",
            f"{earlier}, and the spread of activations is alike in all layers at step 0.",
            recipe="he-initialization" if he else "xavier-initialization",
        ),
        Recommendation(
            "Normalise between layers: batch or layer normalisation before each activation.",
            "It sets the scale of the signal at every layer, whatever the weights are.",
            f"{earlier}.",
            "Batch normalisation behaves differently in training and evaluation.",
            "batch-normalization",
        ),
        Recommendation(
            f"Try learning rates 3 and 10 times as high{now}, behind a linear warm-up.",
            "A flat start is left sooner with longer steps.",
            f"{earlier}, without a jump in the first steps.",
            recipe="raise-learning-rate",
            change=Change("learning_rate", rate, 3 * rate) if rate > 0 else None,
        ),
    ]
