"""GE03 still-improving: the run ended while validation was still getting better at a pace that was worth going on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.chance import chance_level
from trainhealth.rules.generalization.comparison import EVALUATIONS, validation_error
from trainhealth.rules.generalization.pace import expected_gain, twice_as_far, validation_follows
from trainhealth.rules.generalization.poor_fit import measure_fit
from trainhealth.rules.objective import moving_target
from trainhealth.rules.progress import share_left
from trainhealth.rules.reconstruction import reconstructs
from trainhealth.rules.sampled import usual_batch_size
from trainhealth.rules.update_ratio import on_grid
from trainhealth.series import FloatArray, RunView, Series

_ABOVE_GUESSING = 1.2  # times the loss without knowledge: from there it has to come down first


class StillImproving(Rule):
    """The run ended while validation was still improving: more epochs would have made the model better.

    What it detects
        validation_accuracy (a fraction; its error, 1 - accuracy, is judged), or where there is none validation_loss (in
        the loss's own unit), that still falls over the last half of a run that has ended.

    Why it matters
        The cheapest improvement there is: the same program for longer.

    How it decides
        The run has ended, with at least `least` evaluations; they are taken one by one, or as medians of at most 60
        blocks. The last half falls (Mann-Kendall z below -`trend`), and is cut into three parts with the medians m1,
        m2, m3. The last gain m2 - m3 shrinks by q = (m2 - m3) / (m1 - m2), at most 1, a part, and counts as the mean
        gain (m1 - m3) / 2 where that is smaller: half as many evaluations again would bring it (q + q^2 + q^3) times,
        and no more than half of m3, unless that is negative. That must be more than `worth` of what was gained since
        the first evaluation, more than twice the noise of m3, and for an accuracy at least `accuracy`. No evaluation
        was better than the best of the last three by more than the noise. Silent where the learning rate has ended
        below `annealed` of its largest value: then the schedule has come to its end. It is a warning where learning had
        only begun: in a log of ours, of at least `least_steps` steps, train_loss ends above `begun` of the loss without
        knowledge, the last half falls (z below -`surely`), and by the same reckoning half as many steps again would
        bring more than `steep` of the loss without knowledge; a note where more than half of what guessing gets wrong
        is right by then, and the last third of validation_accuracy promises no more than `doubling`, or where the
        targets are the inputs: a narrow middle lets a part of them through, and no more. Evaluations are not needed for
        that. It is a warning as well where fewer than `least_steps` updates were made in all, train_loss
        ends between `begun` and 1.2 of that loss (as the loss function tells it), and half as many evaluations again
        would bring more than `doubling` (of all answers, or of that loss). So it is where the data were passed only 2
        to `passes` times: losses fall about as a power of time, and twice the steps would multiply the last
        validation_loss by what the last doubling has (between evaluations the power law is drawn), or by what the power
        of the last two evaluations says, whichever is less of a fall. That must take off more than `steep` of the loss
        without knowledge, or more than `doubling` where more than `begun` of it is left; the validation_loss must fall
        from each evaluation to the next, and train_loss over the run (z below -`trend`).

    What to try
        Train for half as long again, with a schedule that reaches to the new end; smaller batches, where hardly any
        updates were made.

    When it is wrong
        Nobody knows what comes: a plateau may begin at the next evaluation, or overfitting. A run that ended on
        purpose (a budget, a probe of a learning rate) is told nothing new: it is a note. A run that has not ended is
        not checked; a foreign log can't say whether it has, and is taken to have. Improvement that is small against
        what was gained, and that of a schedule that has been annealed to its end, is silent. After one pass alone only
        the training loss can tell, and over large data one pass is usual.
    """

    code = "GE03"
    name = "still-improving"
    topic = "generalization"
    severity = Severity.NOTE
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("validation_accuracy|validation_loss|train_loss",)
    uses = ("train_loss", "learning_rate")
    references = (
        Reference(
            "Opt, Optimizing Neural Networks: the learning curves",
            "Validation accuracy still rising at the end: train longer.",
        ),
        Reference("L16, Practical Aspects", "High bias: try a bigger network, or train longer."),
        Reference(
            "Hestness et al. 2017, Deep Learning Scaling is Predictable, Empirically",
            "Losses fall as power laws over wide ranges.",
            "https://arxiv.org/abs/1712.00409",
        ),
        Reference(
            "Muennighoff et al. 2023, Scaling Data-Constrained Language Models",
            "Up to four passes over the same data are worth about as much as new data.",
            "https://arxiv.org/abs/2305.16264",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        least: int = option(8, "evaluations", "house choice: four in the last half, the fewest that can show a trend")
        trend: float = option(1.64, "standard normal", "5 % of flat curves, one-sided")
        worth: float = option(0.05, "share of the gain so far", "house choice")
        accuracy: float = option(0.01, "accuracy, fraction", "house choice: one example in a hundred")
        least_steps: int = option(50, "steps", "house choice: before that every loss falls")
        begun: float = option(0.5, "share of the loss without knowledge", "as GE02: half of it is left")
        steep: float = option(0.1, "share of the loss without knowledge", "house choice: a tenth of all there is")
        surely: float = option(3.0, "standard normal", "one flat curve in a thousand")
        passes: int = option(4, "epochs", "Muennighoff et al.: so many are worth as much as new data")
        doubling: float = option(0.05, "share of all there is", "house choice: half of `steep`")
        annealed: float = option(0.1, "share of the largest learning rate", "Opt: decay by tens")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the last half promises a gain that was worth going on for."""
        reason = moving_target(run) or _going_on(run)
        if reason:
            return NotChecked(reason)
        if _annealed(run, options):
            return []
        begun = self._barely_begun(run, options) or self._few_passes(run, options)
        if begun and begun.severity is not Severity.NOTE:
            return [begun]
        goes_on = self._goes_on(run, options)
        if begun and not (isinstance(goes_on, Finding) and goes_on.severity is not Severity.NOTE):
            return [begun]
        return goes_on if isinstance(goes_on, NotChecked) else [goes_on] if goes_on else []

    def _goes_on(self, run: RunView, options: Options) -> Finding | NotChecked | None:
        """Return the finding for a validation curve whose last half promises a gain; None where it does not."""
        curve = validation_error(run)
        parts = curves.blocks(curve, EVALUATIONS)
        if len(parts) < options.least:
            return NotChecked(f"there are {len(parts)} evaluations, and it takes {options.least} to see a trend")
        half = len(parts) // 2
        late = Series(curve.name, parts.last_steps[half:], parts.medians[half:])
        thirds = np.array([np.median(part) for part in np.array_split(late.values, 3)])
        gain = expected_gain(thirds)
        least = max(
            options.worth * (float(parts.medians[0]) - thirds[2]),
            2 * parts.error,
            options.accuracy if curve.name == "validation_accuracy" else 0.0,
        )
        best = float(curves.smooth(parts.medians).min())
        is_best = float(parts.medians[-3:].min()) <= best + parts.error
        if not (curves.trend(late).z < -options.trend and gain > least and is_best):
            return None
        found = self._describe(run, late, thirds, gain)
        if not _has_few_updates(run, curve.name, gain, options):
            return found
        advice = [_smaller_batches(run), *found.recommendations]
        return dataclasses.replace(found, severity=Severity.WARNING, recommendations=tuple(advice))

    def _barely_begun(self, run: RunView, options: Options) -> Finding | None:
        """Return the warning where the training loss says that learning had only begun; None where it does not."""
        losses = curves.clean(run.series("train_loss"))
        if run.ended is None or len(losses) < options.least_steps or isinstance(chance_level(run), str):
            return None
        late = losses.between(run.last_step // 2, run.last_step)
        if len(late) < options.least_steps // 2:  # the loss was no number for most of it
            return None
        thirds = np.array([np.median(part) for part in np.array_split(late.values, 3)])
        gain, share = expected_gain(thirds), share_left(run, float(thirds[2]))
        if not options.begun < share < _ABOVE_GUESSING or not share_left(run, gain) > options.steep:
            return None
        if not curves.trend(late).z < -options.surely:
            return None
        before, middle, now = (number(float(value)) for value in thirds)
        reached = number(thirds[2] - gain)
        return self.finding(
            f"Learning had only begun when the run ended: train_loss was at {share:.0%} of what a model that knows"
            f" nothing has, and still falling: {before}, {middle}, {now} over its last half; at that pace half as many"
            f" steps again bring about {reached}.",
            [Evidence("train_loss", None, int(late.steps[0]), late.last_step, float(thirds[2]), "level at the end")],
            [_train_longer(run, f"train_loss comes below {reached}", factor=3.0), _faster(run)],
            severity=Severity.WARNING
            if validation_follows(run, thirds) and not _knows_most(run, options) and not reconstructs(run)
            else Severity.NOTE,
        )

    def _few_passes(self, run: RunView, options: Options) -> Finding | None:
        """Return the warning where the data were passed a few times, and each pass has brought much; else None."""
        losses, passes = curves.clean(run.series("train_loss")), len(run.epochs)
        validation = curves.clean(run.series("validation_loss"))
        if run.ended is None or not 2 <= passes <= options.passes or len(losses) < options.least_steps:
            return None
        if len(validation) < 2 or not validation.values.min() > 0 or not (np.diff(validation.values) < 0).all():
            return None
        half, reached, now = *twice_as_far(validation, run.last_step + 1), float(validation.values[-1])
        least = options.doubling if share_left(run, now) > options.begun else options.steep
        if not share_left(run, now - reached) > least or not share_left(run, now) < _ABOVE_GUESSING:
            return None
        if not curves.trend(losses).z < -options.trend:
            return None
        first, last = int(validation.steps[0]), validation.last_step
        return self.finding(
            f"The run ended after {passes} passes over its data, while validation_loss was falling well: {number(half)}"
            f" at half of the run and {number(now)} at its end; at that pace twice the steps bring about"
            f" {number(float(f'{reached:.2g}'))}.",
            [Evidence("validation_loss", None, first, last, now, "level at the end")],
            [_train_longer(run, f"validation_loss comes below {number(now)}", factor=3.0), _faster(run)],
            severity=Severity.WARNING,
        )

    def _describe(self, run: RunView, late: Series, thirds: FloatArray, gain: float) -> Finding:
        rises = late.name == "validation_accuracy"
        before, middle, now = (number(1 - value if rises else value) for value in thirds)
        reached = number(1 - thirds[2] + gain if rises else thirds[2] - gain)
        ended = "when the run ended" if run.ended else "where the log ends"
        return self.finding(
            f"{late.name} was still {'rising' if rises else 'falling'} {ended}: {before}, {middle}, {now} over its"
            f" last half; at that pace half as long again brings about {reached}.",
            [Evidence(late.name, None, int(late.steps[0]), late.last_step, float(now), "level at the end")],
            [_train_longer(run, f"{late.name} reaches about {reached}")],
        )


def _has_few_updates(run: RunView, name: str, gain: float, options: StillImproving.Options) -> bool:
    """Tell whether a few updates have left most of the way, and go on at a good pace; no where guessing is unknown."""
    losses = curves.clean(run.series("train_loss")).values
    if not 2 < len(losses) <= run.last_step + 1 < options.least_steps or isinstance(chance_level(run), str):
        return False
    pace = gain if name == "validation_accuracy" else share_left(run, gain)
    return options.begun < share_left(run, float(np.median(losses[-3:]))) < _ABOVE_GUESSING and pace > options.doubling


def _smaller_batches(run: RunView) -> Recommendation:
    size, steps = usual_batch_size(run), run.last_step + 1
    least = max(2 ** round(math.log2(size / 8)), 8) if size > 64 else math.nan
    return Recommendation(
        f"Make the batches smaller: {number(least)} examples instead of {number(size)}."
        if least == least
        else "Make more steps an epoch: smaller batches, or more data.",
        f"The run had {steps} updates in all, and no update can do more than the rate allows.",
        "As many epochs bring the losses further down.",
        recipe="batch-size",
        change=Change("batch_size", size, least) if least == least else None,
    )


def _knows_most(run: RunView, options: StillImproving.Options) -> bool:
    """Tell whether half of what guessing gets wrong is right, and hardly more will be: it is the loss that lags."""
    fit, errors = measure_fit(run), validation_error(run)
    late = errors.values[-max(3, len(errors) // 3) :]
    if isinstance(fit, str) or not fit.skill > 0.5 or len(late) < 3:
        return False
    thirds = np.array([np.median(part) for part in np.array_split(late, 3)])
    return errors.name == "validation_accuracy" and expected_gain(thirds) <= options.doubling


def _going_on(run: RunView) -> str | None:
    """Return why the end is not known; None where the run has ended, or its log can't say."""
    if run.ended in ("exception", "interrupted") or run.error:
        return "the run was broken off before its end"
    return "the run has not ended" if run.ended is None and run.watched else None


def _annealed(run: RunView, options: StillImproving.Options) -> bool:
    rates = run.series("learning_rate").finite().values
    return len(rates) > 1 and bool(rates[-1] < options.annealed * rates.max())


def _faster(run: RunView) -> Recommendation:
    rate = float(run.learning_rate.at(run.last_step))
    higher = on_grid(3 * rate) if rate > 0 else math.nan
    return Recommendation(
        f"Or raise the learning rate from {number(rate)} to {number(higher)}, as long as the loss does not jump."
        if higher == higher
        else "Or raise the learning rate threefold, as long as the loss does not jump.",
        "A loss that falls steadily for a whole run could mostly fall faster.",
        "train_loss comes as far in a third of the steps.",
        "A rate that is too high makes the loss jump within about 100 steps: then go back.",
        "raise-learning-rate",
        Change("learning_rate", rate, higher) if higher == higher else None,
    )


def _train_longer(run: RunView, verify: str, factor: float = 1.5) -> Recommendation:
    epochs = len(run.epochs)
    longer = round(factor * epochs)
    return Recommendation(
        f"Train for {longer} epochs instead of {epochs}." if epochs else f"Train {number(factor)} times as long.",
        "The curve was still improving when the run ended.",
        f"{verify}.",
        "A schedule must be stretched to the new end, or the added epochs run at a rate of nothing.",
        "train-longer",
        Change("epochs", epochs, longer) if epochs else None,
    )
