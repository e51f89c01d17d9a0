"""GE01 overfitting: the model gets better on its training data and worse on data that it has not seen."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.chance import Chance, chance_level
from trainhealth.rules.generalization.comparison import (
    LossComparison,
    accuracy_gap,
    compare_losses,
    fractions,
    resolution,
    when,
)
from trainhealth.rules.objective import moving_target
from trainhealth.rules.progress import last_level, share_left
from trainhealth.rules.sampled import examples_an_epoch
from trainhealth.rules.scores import validation_scores
from trainhealth.series import RunView, Series


class Overfitting(Rule):
    """The model still gets better on its training data, and worse on validation data.

    What it detects
        validation_loss (in the loss's own unit) that has turned up while train_loss went on falling; or validation
        accuracy (a fraction) that stands still far below a training accuracy that goes on rising; or a validation
        loss that hardly left the level at which training began, while train_loss fell to a tenth.

    Why it matters
        From the turning point on, the model learns what is peculiar to the training data. Weights from the best
        evaluation are better than those at the end.

    How it decides
        Evaluations are taken one by one, or as medians of at most 60 blocks. `best` is the lowest median of three
        neighbours, `end` the median of the last three, the noise that of the validation curve itself. There must be
        `least` evaluations.
        (1) At least 3 evaluations follow the best, and all of the last fifth (at least 3) lie above best + (end - best)
        / 3; end - best is more than `errors` standard errors, or the evaluations after the best and its neighbour (at
        least 6) rise with a Mann-Kendall z above `rising`; it is more than `of_best` x best (where losses are positive)
        and `of_progress` x (start - best), with start the first training or validation loss. train_loss (its mean
        between evaluations) has fallen since the best by twice its noise, or is less than a fifth of the validation
        loss, and ends below 0.95 x its first value. A note where validation accuracy has risen since then by more than
        its noise (at least two examples of the split) and is not `gap` below training accuracy, or has not fallen by
        more than that and is within `gap` / 2; and where no accuracy is known, but most of the columns that are named
        after another score of the validation split (F1, AUC, word error rate …) have become better by more than their
        noise and 1 % of their size, with the best value in the later half of the evaluations since then; critical where
        the end is at least twice the best, above the first evaluation, and accuracy, where it is known, has fallen by
        `gap` / 4; a note where no accuracy is known and less than `costly` of the progress is lost; else a warning.
        (2) Training accuracy is at least `gap` above validation accuracy at the end, by half of that more than at the
        beginning (or it is above 0.99: few examples are learnt in an epoch or two), and validation accuracy has not
        risen over the last two thirds of the run by more than its noise (by more than a tenth of the gap, where
        training accuracy is above 0.99: no more can be learnt). Or validation accuracy, as the median of its last
        third, has come down from its best by `gap` / 4, and by `errors` standard errors or with a Mann-Kendall z below
        -`rising` after the best and its neighbour, while train_loss went on falling: wrong labels, which are learnt
        after the right ones, keep the loss flat meanwhile. Not so where training accuracy falls as well (Mann-Kendall z
        below -2 since that best): what is called an accuracy may be an error.
        (3) validation_loss ends above `hardly` x start (or of guessing, where that is lower), its last third is not
        lower than the one before by more than its noise and `of_best` of it, and train_loss ends below a tenth of
        start and of its first value.
        (4) An epoch has fewer than `few` examples, training accuracy is above `learnt` (the median of the last third),
        and validation accuracy is `high_variance` below it, and three standard errors of a share of so many examples as
        the split has: the few examples are known by heart, and what they say of others is soon exhausted, even where
        validation accuracy still creeps up.

    What to try
        Early stopping: keep the weights of the best evaluation. Then more data or augmentation, dropout, weight decay,
        or a smaller model.

    When it is wrong
        A single bad evaluation, noise of a small validation set, a constant gap while validation still improves: none
        of them fires. With validation accuracy still rising, a rising loss means too sure, not too narrow: a note. In
        the middle of an epoch-wise double descent it fires until validation has come down again. Without train_loss
        it can't tell overfitting from a run that gets worse altogether: a hint. A task solved to the last digit (a
        rise that is nothing against the progress) is silent, and so is a validation loss that stalls without rising,
        unless (2) or (3) sees it. Validation data of another kind than the training data, and evaluation
        in the wrong mode, look like (2) and (3).
    """

    code = "GE01"
    name = "overfitting"
    topic = "generalization"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("validation_loss|validation_accuracy",)
    uses = ("train_loss", "train_accuracy")
    references = (
        Reference(
            "L16, Practical Aspects: early stopping",
            "Stop training when the validation error starts going up; it fluctuates, so smooth it over time.",
        ),
        Reference(
            "L16, Practical Aspects: bias and variance",
            "1 % error in training and 11 % in testing is high variance: more data, or regularisation.",
        ),
        Reference(
            "UO, Underfitting and Overfitting: early stopping (Algorithm 7.1)",
            "Training loss decreases consistently, but validation loss eventually begins to increase again; the best"
            " parameters are those of the lowest validation error, with patience.",
        ),
        Reference(
            "Tr1, Training Networks (Part 1)", "A big gap between training and validation accuracy is overfitting."
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        least: int = option(5, "evaluations", "house choice: patience 3 and a best before it")
        errors: float = option(
            5.0, "standard errors", "house choice: 1 % of simulated noisy flat curves, falling train_loss"
        )
        rising: float = option(
            2.5, "standard normal", "0.6 % of flat curves, one-sided; many small rises are one trend"
        )
        of_best: float = option(0.05, "share of the best loss", "house choice")
        of_progress: float = option(
            0.1, "share of the progress", "house choice: less is lost than was gained in the last steps"
        )
        costly: float = option(0.2, "share of the progress", "house choice: small nets lose a seventh unharmed")
        gap: float = option(0.2, "accuracy, fraction", "house choice")
        hardly: float = option(0.6, "share of the first loss", "house choice")
        few: int = option(100, "examples an epoch", "as GE08: ten of each of ten classes")
        learnt: float = option(0.95, "accuracy, fraction", "as GE08: hardly an error left")
        high_variance: float = option(0.1, "accuracy, fraction", "L16: 1 % error in training, 11 % in testing")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return one finding: of the loss that turned, else of one that never came down, else of the accuracy gap."""
        reason = moving_target(run)
        if reason:
            return NotChecked(reason)
        count = max(len(run.series(name).finite()) for name in ("validation_loss", "validation_accuracy"))
        if count < options.least:
            return NotChecked(f"there are {count} evaluations, and it takes {options.least} to see a turn")
        losses = compare_losses(run)
        turned = self._turned(run, losses, options) if losses else None
        stuck = self._stuck(run, losses, options) if losses else None
        if turned and stuck and turned.severity is Severity.NOTE:
            turned = None  # little was lost since the best evaluation, and little was ever won
        found = (
            turned or stuck or self._forgot(run, options) or self._apart(run, options) or self._knows_few(run, options)
        )
        return [found] if found else []

    def _turned(self, run: RunView, losses: LossComparison, options: Options) -> Finding | None:
        """Return the finding for a validation loss that has turned up."""
        if not _turns(losses, options) or not _train_allows(losses):
            return None
        step, best = losses.best_evaluation
        last = run.series("validation_loss").last_step
        severity, confidence, remark = _judge(run, losses, options)
        worse = f", {losses.end / best - 1:.0%} worse" if losses.parts.medians.min() > 0 else ""
        evidence = [Evidence("validation_loss", None, step, last, losses.end, f"about {number(best)}, the best")]
        if losses.knows_train:
            before, now = float(losses.train[losses.best]), losses.train_end
            evidence.append(Evidence("train_loss", None, step, last, now, f"{number(before)} at that evaluation"))
        return self.finding(
            f"validation_loss was best at {when(run, step)} ({number(best)}), now it is"
            f" {number(losses.end)}{worse}{remark}.",
            evidence,
            _advice(f"the weights of {when(run, step)}", f"validation_loss stays near {number(best)}"),
            severity=severity,
            confidence=confidence,
            first_step=step,
        )

    def _stuck(self, run: RunView, losses: LossComparison, options: Options) -> Finding | None:
        """Return the finding for a validation loss that never came down while train_loss did."""
        now = losses.train_end
        third = len(losses.levels) // 3
        late, before = (np.median(part) for part in (losses.levels[-third:], losses.levels[-2 * third : -third]))
        falling = before - late > max(losses.parts.error, options.of_best * before)
        positive = losses.levels.min() > 0 and now >= 0
        if run.has("validation_accuracy") or not positive or third < 2 or falling:
            return None
        # a fresh model may begin far above guessing, and soon come down to that; where that is not known, the first
        # training loss is none of it: validation may ask for more (a whole trajectory, where training has steps of it)
        guess = share_left(run, 1.0) if isinstance(chance_level(run), Chance) else math.nan
        start = min(losses.start, 1 / guess) if guess > 0 else losses.start
        if losses.end <= options.hardly * start or now >= 0.1 * min(losses.train_start, start):
            return None
        first, last = int(losses.parts.first_steps[0]), run.series("validation_loss").last_step
        return self.finding(
            f"validation_loss has stayed at {number(losses.end)}, while train_loss fell from"
            f" {number(losses.train_start)} to {number(now)}: little of what was learnt holds for other data.",
            [
                Evidence("validation_loss", None, first, last, losses.end, f"well below {number(start)}"),
                Evidence("train_loss", None, first, last, now, f"close to validation_loss ({number(losses.end)})"),
            ],
            _advice("a smaller model, or stronger regularisation", f"validation_loss falls below {number(losses.end)}"),
        )

    def _apart(self, run: RunView, options: Options) -> Finding | None:
        """Return the finding for a training accuracy that leaves a validation accuracy that stands still."""
        gap, validation = accuracy_gap(run)
        if len(gap) < options.least:
            return None
        third = len(validation) // 3
        now, before = (
            float(np.median(part)) for part in (validation.values[-third:], validation.values[-2 * third : -third])
        )
        end, begin = float(np.median(gap.values[-3:])), float(np.median(gap.values[:3]))
        error = curves.noise(validation)
        still = max(error, end / 10) if now + end > 0.99 else error
        opened = end - begin >= options.gap / 2 or now + end > 0.99
        if now > before + still or end < options.gap or not opened:
            return None
        first, last = int(gap.steps[0]), gap.last_step
        return self.finding(
            f"train_accuracy is {end:.0%} of all samples above validation_accuracy ({now + end:.3g} against {now:.3g}),"
            f" and validation_accuracy {'hardly' if now > before + error else 'no longer'} rises.",
            [Evidence("validation_accuracy", None, first, last, now, f"within {options.gap:.0%} of {now + end:.3g}")],
            _advice("the weights of the best evaluation", f"the gap falls below {options.gap:.0%} of all samples"),
        )

    def _knows_few(self, run: RunView, options: Options) -> Finding | None:
        """Return the finding for a handful of examples that are known by heart, and tell too little of others."""
        gap, validation = accuracy_gap(run)
        examples, third = examples_an_epoch(run), len(validation) // 3
        if len(gap) < options.least or not examples < options.few:
            return None
        now, apart = (float(np.median(series.values[-third:])) for series in (validation, gap))
        error = math.sqrt(max(now * (1 - now), 0.0) * resolution(validation))
        if not now + apart > options.learnt or not apart > max(options.high_variance, 3 * error):
            return None
        stop, vary, regularise = _advice("the weights of the best evaluation", f"validation_accuracy passes {now:.3g}")
        return self.finding(
            f"The {examples:.0f} examples of an epoch are known by heart (train_accuracy {now + apart:.3g}), and"
            f" validation_accuracy is {now:.3g}: they are too few to tell what holds for others.",
            [
                Evidence(
                    validation.name, None, int(gap.steps[0]), gap.last_step, now, f"within 10% of {now + apart:.3g}"
                )
            ],
            [vary, regularise, stop],
        )

    def _forgot(self, run: RunView, options: Options) -> Finding | None:
        """Return the finding for a validation accuracy that has come down again."""
        validation = curves.clean(run.series("validation_accuracy"))
        known = run.has("validation_loss") and fractions(validation)  # an accuracy alone is past-best-epoch's business
        if len(validation) < options.least or not known or not _fallen(run, validation, options):
            return None
        third = len(validation) // 3
        best, now = int(np.argmax(curves.smooth(validation.values))), float(np.median(validation.values[-third:]))
        step, highest = int(validation.steps[best]), float(validation.values[best])
        stop, *others = _advice(f"the weights of step {step}", f"validation_accuracy stays near {highest:.3g}")
        return self.finding(
            f"validation_accuracy was {highest:.3g} at step {step}, and has come down to {now:.3g}, while train_loss"
            " fell: what is learnt since then holds for the training data only.",
            [Evidence(validation.name, None, step, validation.last_step, now, f"about {highest:.3g}, the best")],
            [stop, _CHECK_LABELS, *others],
            first_step=step,
        )


def _fallen(run: RunView, accuracy: Series, options: Overfitting.Options) -> bool:
    """Tell whether an accuracy has come down for good, while train_loss fell."""
    third = len(accuracy) // 3
    levels = curves.smooth(accuracy.values)
    best = int(np.argmax(levels))
    since = curves.trend(run.series("train_loss").between(int(accuracy.steps[best]), run.last_step))
    lost = float(levels[best] - np.median(accuracy.values[-third:]))
    after = Series(accuracy.name, accuracy.steps[best + 2 :], accuracy.values[best + 2 :])
    if curves.trend(run.series("train_accuracy").between(int(accuracy.steps[best]), run.last_step)).z < -2:
        return False
    sinks = lost > options.errors * curves.noise(accuracy) or curves.trend(after).z < -options.rising
    # who guesses forgets nothing
    knows = not share_left(run, last_level(run.series("train_loss").finite().values)) > 0.95
    matters = lost > max(options.gap / 4, 2 * resolution(accuracy))
    return knows and len(accuracy) - best > third and matters and sinks and since.z < -2


def _turns(losses: LossComparison, options: Overfitting.Options) -> bool:
    """Tell whether validation_loss has risen beyond its noise, for good, and by an amount that matters."""
    after = len(losses.parts) - 1 - losses.best
    latest = losses.parts.medians[-max(3, len(losses.parts) // 5) :]
    matters = max(options.of_best * losses.best_level, options.of_progress * (losses.start - losses.best_level))
    return (
        after >= 3
        and bool(latest.min() > losses.best_level + losses.rise / 3)
        and (losses.rise > options.errors * losses.parts.error or losses.trend_since_best > options.rising)
        and losses.rise > matters
    )


def _train_allows(losses: LossComparison) -> bool:
    """Tell whether train_loss fell meanwhile, or was already far below validation_loss; True where it is unknown."""
    if not losses.knows_train:
        return not bool(np.isfinite(losses.train).any())
    if losses.train_start > 0 and losses.train_end > 0.95 * losses.train_start:
        return False  # nothing was learnt that could be too special
    memorised = 0 <= losses.train[losses.best] < losses.best_level / 5 and losses.train_end < losses.end / 5
    return bool(memorised) or losses.train_change < -2


def _judge(run: RunView, losses: LossComparison, options: Overfitting.Options) -> tuple[Severity, Confidence, str]:
    """Return how bad a turn is, how sure, and what to add to the message."""
    if not losses.knows_train:
        return Severity.WARNING, Confidence.HINT, "; the log has no train_loss to compare it with"
    step, best = losses.best_evaluation
    accuracy, (gaps, _) = run.series("validation_accuracy").finite(), accuracy_gap(run)
    change = _change_since(accuracy, step)
    noise = max(curves.noise(accuracy), 0.002, 2 * resolution(accuracy))  # two examples of a small split are luck
    gap = float(np.median(gaps.values[-3:])) if len(gaps) else math.nan
    if change > noise and not gap >= options.gap:
        remark = ", while train_loss fell; validation_accuracy still rises: the model is too sure where it is wrong"
        return Severity.NOTE, Confidence.LIKELY, remark
    if change >= -noise and gap < options.gap / 2:
        return Severity.NOTE, Confidence.LIKELY, ", while train_loss fell; validation_accuracy holds its level"
    others = [] if len(accuracy) else validation_scores(run)
    better = [score for score in others if _better_since(score, step)]
    if 2 * len(better) > len(others):
        remark = f", while train_loss fell; {better[0].name} still gets better: the model is too sure where it is wrong"
        return Severity.NOTE, Confidence.LIKELY, remark
    worse = best > 0 and losses.end >= 2 * best and losses.end > losses.parts.medians[0]
    if worse and not change > -options.gap / 4:
        return Severity.CRITICAL, Confidence.LIKELY, ", while train_loss fell"
    little = math.isnan(change) and losses.rise < options.costly * (losses.start - losses.best_level)
    return Severity.NOTE if little else Severity.WARNING, Confidence.LIKELY, ", while train_loss fell"


def _change_since(accuracy: Series, step: int) -> float:
    """Return by how much the median of the last three lies above the accuracy around `step`; NaN where unknown."""
    if len(accuracy) < 3:
        return math.nan
    index = int(np.searchsorted(accuracy.steps, step))
    around = accuracy.values[max(index - 1, 0) : index + 2]
    return float(np.median(accuracy.values[-3:]) - np.median(around)) if len(around) else math.nan


def _better_since(score: Series, step: int) -> bool:
    """Tell whether a score (the higher the better) rises since `step`: beyond its noise, by what matters, and late."""
    noise, since = curves.noise(score), score.between(step, score.last_step).values
    late = len(since) > 2 and int(np.argmax(since)) > (len(since) - 1) / 2
    return late and _change_since(score, step) > max(noise, 0.01 * float(np.abs(score.values).max()))


_CHECK_LABELS = Recommendation(
    "Look at the training examples with the highest loss: are their labels right?",
    "Wrong labels are learnt after the right ones, and validation gets worse while they are.",
    "With the wrong labels mended, validation_accuracy keeps its level.",
    recipe="check-labels",
)


def _advice(keep: str, verify: str) -> list[Recommendation]:
    return [
        Recommendation(
            f"Stop early: keep {keep}, and stop when a few evaluations in a row bring nothing better.",
            "Training on past the turning point fits what is peculiar to the training data.",
            f"{verify} at the end of the run.",
            "With noisy evaluations a short patience stops too soon: smooth them, or wait for 5 to 10.",
            "early-stopping",
        ),
        Recommendation(
            "Vary the training data: augmentation that leaves the labels true, or more data.",
            "The fewer examples, the easier they are learnt by heart.",
            "train_loss falls more slowly, and the lowest validation_loss is lower.",
            "Augmentation must not change what the label says (no horizontal flips of digits).",
            "data-augmentation",
        ),
        Recommendation(
            "Regularise: dropout of 0.2 to 0.5 before the last layers, or weight decay of 1e-4 to 1e-2 with AdamW.",
            "It takes away the freedom to memorise single examples.",
            "The gap between train_loss and validation_loss narrows, and the lowest validation_loss is lower.",
            "Too much of it underfits: then both losses are high.",
            "dropout",
        ),
    ]
