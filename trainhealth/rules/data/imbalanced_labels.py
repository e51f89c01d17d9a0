"""DA04 imbalanced-labels: one class is so frequent that the model has settled on saying nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trainhealth import curves
from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.data.blank_masks import are_masks, left_blank
from trainhealth.rules.generalization import poor_fit
from trainhealth.rules.generalization.comparison import fractions
from trainhealth.rules.sampled import latest
from trainhealth.series import RunView, Series

_SPLIT = 0.03  # by which the share of the majority may differ between training and validation data


class _Rare(NamedTuple):
    """What the sampled batches held of classes other than the most frequent one, after the run's first quarter."""

    first_step: int
    last_step: int
    asked: float  # examples
    said: float  # predictions


class ImbalancedLabels(Rule):
    """The labels are imbalanced, and the model predicts the most frequent class for everything.

    What it detects
        majority_share: the share of the most frequent class among all targets looked at. prediction_majority_share and
        batch_majority_share: the shares of the most frequent prediction and target of a sampled batch.

    Why it matters
        Saying only the majority gives an accuracy of majority_share without looking at the input. The loss then falls
        little, and the classes that matter, mostly the rare ones, are never found.

    How it decides
        majority_share is at least `majority`. In the sampled batches after the first quarter of the run, the rare
        classes had at least `asked` examples (batch size x (1 - batch_majority_share); half of it where the last three
        evaluations all have the very accuracy of naming the majority) and, of as many, less than `said` were predicted.
        Or validation_accuracy (a fraction, the median of its last three values) is by more than `below` under
        majority_share, while train_accuracy, where it is known, is not: on data mixed as those of training, the
        majority alone gives that share, so that validation has more of the rare classes, and the model leans to the
        majority there. It says the same that no evaluation came near what naming the shares of the classes gives on
        data mixed as those of training, which every net learns first: the best validation_accuracy (median of three
        neighbours) is below majority_share and the lowest validation_loss above `twice` x the entropy of the shares,
        while train_loss ends below half of that. Not before step `patience`.
        Masks (targets of 0 and 1 along two axes or more, a binary cross-entropy alone), of which no more than
        1 - `majority` is 1, are left blank where in no sampled batch after the first quarter an output was above an
        even chance, and train_loss is no lower than the entropy of the share and falls no more, or, in a run that has
        ended, above `twice` of it.

    What to try
        Weights for the classes in the loss; balanced sampling; more examples of rare classes; a metric other than
        accuracy.

    When it is wrong
        Imbalanced labels that the model tells apart: silent, however rare they are. A model that names rare classes on
        purpose (weights in the loss) pays with accuracy, in training as well: silent where that is logged. The first
        steps, in which every model says the majority: the first quarter does not count. Where the inputs don't tell the
        classes apart, the majority is the best answer, and this a false alarm. Without outputs= and targets= in
        watch.step: not checked.
    """

    code = "DA04"
    name = "imbalanced-labels"
    topic = "data"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = (
        "majority_share|target_mean",
        "batch_majority_share|target_mean",
        "prediction_majority_share|output_maximum",
    )
    uses = (
        "majority_share",
        "batch_majority_share",
        "prediction_majority_share",
        "target_mean",
        "target_minimum",
        "target_maximum",
        "output_maximum",
        "train_loss",
        "minority_share",
        "classes_seen",
        "batch_size",
        "validation_accuracy",
        "train_accuracy",
    )
    references = (
        Reference(
            "Buda, Maki and Mazurowski 2018: A systematic study of the class imbalance problem in CNNs",
            "Class imbalance is detrimental; oversampling of rare classes is the remedy that works best in most cases.",
            "https://arxiv.org/abs/1710.05381",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        majority: float = option(0.7, "share of the targets", "house choice: with less, guessing is no good answer")
        said: float = option(0.05, "predictions an example", "house choice")
        asked: float = option(
            6.0, "examples of rare classes", "who finds half of them misses 6 in a row once in 64 runs"
        )
        below: float = option(0.1, "accuracy, fraction", "house choice: more than the scatter of a small split")
        twice: float = option(2.0, "times the entropy of the shares", "house choice: the shares are learnt first")
        patience: float = option(100.0, "steps", "house choice: all models begin with the majority")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the model says only the majority."""
        if not run.has("majority_share"):
            return self._of_masks(run, options)
        majority = latest(run, "majority_share")
        if not options.majority <= majority < 1:
            return []  # balanced; or one class only, which is degenerate-targets' business
        if run.last_step < options.patience:
            return NotChecked(f"{run.last_step + 1} steps are too early to judge: it takes {number(options.patience)}")
        classes, least = latest(run, "classes_seen"), latest(run, "minority_share")
        others = f", the rarest of {number(classes)} classes {100 * least:.2g} %" if least > 0 and classes > 1 else ""
        weight = f"{majority / least:.0f}" if least > 0 else number(majority / (1 - majority))
        holds = f"The most frequent class holds {100 * majority:.3g} % of the targets{others}."
        leaning = _leaning(run, majority, options)
        if leaning is not None:
            return [self._leans(holds, weight, majority, leaning)]
        rare = _rare(run)
        few = options.asked / 2 if _only_majority(run, majority) else options.asked
        if rare is None or rare.asked < few:
            return NotChecked("the sampled batches after the first quarter hold too few examples of rare classes")
        if rare.said >= options.said * rare.asked:
            return []
        finding = self.finding(
            f"{holds} Of {rare.asked:.0f} examples"
            f" of rarer classes since step {rare.first_step}, the model predicted {rare.said:.0f}.",
            [
                Evidence("majority_share", None, rare.first_step, rare.last_step, majority, "near 1 / classes"),
                Evidence(
                    "prediction_majority_share",
                    None,
                    rare.first_step,
                    rare.last_step,
                    latest(run, "prediction_majority_share"),
                    f"about {number(latest(run, 'batch_majority_share'))}, as the targets",
                ),
            ],
            _balance(weight, "prediction_majority_share comes near batch_majority_share."),
        )
        return [finding]

    def _of_masks(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the model leaves masks blank, whose elements are classes without a share of their own."""
        if not are_masks(run):
            return NotChecked("the targets are no classes whose shares are counted")
        if run.last_step < options.patience:
            return NotChecked(f"{run.last_step + 1} steps are too early to judge: it takes {number(options.patience)}")
        blank = left_blank(run, 1 - options.majority, options.twice)
        if blank is None:
            return []
        weight, bias = (1 - blank.share) / blank.share, math.log(blank.share / (1 - blank.share))
        steps = blank.first_step, blank.last_step
        finding = self.finding(
            f"Of the masks {100 * blank.share:.2g} % is foreground, and the model finds none of it: {blank.fact}.",
            [
                Evidence("target_mean", None, *steps, blank.share, "about 0.5"),
                Evidence("output_maximum", None, *steps, blank.highest, f"above {number(blank.even)}"),
            ],
            [
                Recommendation(
                    f"Weigh the foreground in the loss (pos_weight of {weight:.2g}, or less), or add a Dice loss.",
                    "An error on the few elements then costs as much as they are rare.",
                    f"output_maximum comes above {number(blank.even)}, and the overlap with the masks above 0.",
                    "Probabilities are then no longer calibrated: choose the threshold on validation data.",
                    "balance-classes",
                    Change("class weights", "equal", "balanced"),
                ),
                Recommendation(
                    f"Start from the share: set the last layer's bias to {bias:.2g}.",
                    "The first updates are otherwise spent on making all outputs small, and nothing else.",
                    f"The first train_loss is about {number(float(f'{blank.guess:.2g}'))}.",
                ),
            ],
        )
        return [finding]

    def _leans(self, holds: str, weight: str, majority: float, accuracy: Series) -> Finding:
        """Return the finding for a model that fails on validation data with more of the rare classes."""
        now = _end(accuracy)
        return self.finding(
            f"{holds} validation_accuracy is {number(now)}, where the majority alone gave {number(majority)} on data"
            " mixed as those of training: the validation data hold more of the rare classes, and the model leans to the"
            " frequent one.",
            [
                Evidence(
                    accuracy.name, None, int(accuracy.steps[0]), accuracy.last_step, now, f"above {number(majority)}"
                )
            ],
            _balance(weight, f"validation_accuracy rises above {number(now)}."),
        )


def _balance(weight: str, verify: str) -> list[Recommendation]:
    return [
        Recommendation(
            f"Weigh the classes in the loss by the inverse of their share (the rarest {weight} times the most frequent"
            " one).",
            "An error on a rare example then costs as much as its class is rare.",
            verify,
            "Probabilities are then no longer calibrated; very large weights make the gradient noisy.",
            "balance-classes",
            Change("class weights", "equal", "balanced"),
        ),
        Recommendation(
            "Or draw batches with a WeightedRandomSampler, so that all classes are equally frequent.",
            "Every batch then holds rare examples to learn from.",
            "batch_majority_share is near 1 / classes.",
            "Few rare examples that are repeated often are memorised.",
            "balance-classes",
        ),
    ]


def _leaning(run: RunView, majority: float, options: ImbalancedLabels.Options) -> Series | None:
    """Return validation_accuracy where it is worse than naming the majority would be on the mix of training data."""
    validation, train = run.series("validation_accuracy").finite(), run.series("train_accuracy").finite()
    known = len(validation) >= 3 and fractions(validation) and fractions(train)
    if not known:
        return None
    if _end(validation) < majority - options.below and not (len(train) and _end(train) < majority - options.below):
        return validation
    return validation if _mixed_otherwise(run, validation, majority, options) else None


def _mixed_otherwise(run: RunView, accuracy: Series, majority: float, options: ImbalancedLabels.Options) -> bool:
    """Tell whether no evaluation came near what naming the classes' shares gives, and training went far beyond it."""
    fit = poor_fit.measure_fit(run)
    if isinstance(fit, str) or len(fit.losses) < 2:
        return False
    train, validation = fit.losses
    lowest = float(curves.smooth(curves.clean(validation).values).min(initial=math.inf))
    learnt = poor_fit.end(train) < fit.levels[0] / 2
    never = float(curves.smooth(accuracy.values).max()) < majority
    return learnt and never and options.twice * fit.levels[1] < lowest < math.inf


def _only_majority(run: RunView, majority: float) -> bool:
    """Tell whether the last evaluations all have the accuracy of naming the majority, and nothing else."""
    accuracy = run.series("validation_accuracy").finite().values[-3:]
    return len(accuracy) == 3 and bool(np.ptp(accuracy) < 1e-6) and abs(float(accuracy[-1]) - majority) < _SPLIT


def _end(series: Series) -> float:
    return float(np.median(series.values[-max(3, len(series) // 10) :]))


def _rare(run: RunView) -> _Rare | None:
    """Count examples and predictions other than the most frequent ones; None where nothing was sampled."""
    targets, predictions = run.series("batch_majority_share"), run.series("prediction_majority_share")
    sizes = run.series("batch_size")
    steps = [int(step) for step in np.intersect1d(targets.steps, predictions.steps) if step >= run.last_step / 4]
    counted = [(step, sizes.at(step), targets.at(step), predictions.at(step)) for step in steps]
    known = [row for row in counted if all(math.isfinite(value) for value in row)]
    if not known:
        return None
    asked = sum(size * (1 - target) for _, size, target, _ in known)
    said = sum(size * (1 - prediction) for _, size, _, prediction in known)
    return _Rare(known[0][0], known[-1][0], asked, said)
