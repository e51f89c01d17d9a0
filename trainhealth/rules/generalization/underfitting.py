"""GE02 underfitting: the model stays poor on its own training data, and has stopped improving."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.records import LayerEntry
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.generalization.poor_fit import Fit, end, measure_fit, strongest_decay
from trainhealth.rules.objective import moving_target
from trainhealth.rules.update_ratio import BEARABLE, GOOD, model_update_ratio, on_grid, rate_for
from trainhealth.series import RunView

_NOTHING = 0.05  # share of what can be learnt
_STRONG = 0.01  # weight decay that explains a poor fit


class Underfitting(Rule):
    """The model stays poor on training and validation data alike, and has stopped improving.

    What it detects
        train_loss and, where they are logged, validation_loss (in the loss's own unit) and both accuracies (fractions)
        that end close to what a model without knowledge has, and no longer change.

    Why it matters
        More data or more regularisation can't help: what is missing is capacity, a working learning rate, or a signal
        in the inputs.

    How it decides
        Without knowledge, the loss is log C with C classes (log 2 for binary cross-entropy), less where one class is
        known to be frequent (the entropy of its share, all others equal), and the variance of the first targets for the
        squared error; the accuracy is that share, or 1 / C. It fires where train_loss and validation_loss (the medians
        of their last tenths) are above `share` of that (for the squared error sqrt(2 / n) more: the variance of n
        targets is itself uncertain) and every known accuracy a is poor, (a - guess) / (1 - guess) < `skill`. Where an
        accuracy is known and poor, and validation is not worse than training (by more than a tenth, each against
        guessing), losses above `halfway` suffice, and it is a hint. Nothing may improve: over the second half of the
        run no loss falls by `improving` of its level and no accuracy rises by `improving` (Mann-Kendall z beyond 2);
        or, after `long_epochs` epochs and `long_steps` steps, the second half has brought less than half of what the
        first half has, and as much again (what twice the steps would bring) would leave the losses as poor. Where a
        linear layer (of a model without convolutions any layer before the last one) has fewer units than C - 1, where
        any C classes can lie apart, and than 2 log2 C, which random codes of C classes need to differ, or one unit
        alone, losses above `narrow` suffice (above `halfway`, where validation is worse than training): what the layer
        lets through is too little to tell the classes apart. It waits for `least_steps` steps, 3 times as many where
        train_loss is below `learning` of the loss without knowledge; for `least_epochs` values of a log by epoch; and
        while the learning rate rises. Not checked where fewer than `least_steps` updates can together, by the update
        ratio (median of the samples after step 0) times their number, have changed the weights by `moved` at most.

    What to try
        A lower learning rate, where the update ratio is 1e-2 or more; a larger
        model; a search for the learning rate; less weight decay or dropout; and where nothing at all was learnt, first
        20 examples alone: whether inputs and labels still belong together.

    When it is wrong
        A task that can't be predicted any better (noisy labels, heavy-tailed targets) looks the same. A loss that is
        flat at first and falls late (a late start) is taken for stuck while it is flat. Strong dropout makes the
        training loss poor and leaves the validation loss good: silent. A run that still improves, however slowly, or
        is too short to tell, is silent. Where neither the loss function nor the number of classes is known, poor has
        no meaning: not checked; nor has it for a binary loss whose targets are unknown, or all one class (a GAN's
        generator that is watched alone). Where the share of the common class is not logged, a model that names only
        that one is missed: its loss is low.
    """

    code = "GE02"
    name = "underfitting"
    topic = "generalization"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss",)
    uses = (
        "validation_loss",
        "train_accuracy",
        "validation_accuracy",
        "learning_rate",
        "majority_share",
        "update_ratio",
    )
    references = (
        Reference(
            "UO, Underfitting and Overfitting",
            "Underfitting: the model can't reach a sufficiently low error on the training set.",
        ),
        Reference(
            "Tr1, Training Networks (Part 1)", "No gap between training and validation: increase model capacity."
        ),
        Reference("L16, Practical Aspects", "15 % training and 16 % test error are high bias."),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        share: float = option(0.8, "share of the loss without knowledge", "house choice: noisy tasks end at 0.7")
        halfway: float = option(0.5, "share of the loss without knowledge", "house choice: half of it is left")
        skill: float = option(0.5, "accuracy above chance, fraction of what is possible", "house choice")
        narrow: float = option(0.15, "share of the loss without knowledge", "house choice, behind a narrow layer")
        improving: float = option(
            0.03, "share of the level, over half of the run", "halving the loss would take 12 runs"
        )
        least_steps: int = option(200, "steps", "lecture Opt, step 3: a good rate shows within some 100 steps")
        learning: float = option(
            0.95, "share of the loss without knowledge", "house choice: below it, 3 times the steps"
        )
        long_epochs: int = option(20, "epochs", "house choice: shorter runs may be the beginning of a good one")
        moved: float = option(0.1, "share of the weights' norm", "as learning-rate-too-low")
        long_steps: int = option(1000, "steps", "house choice: as `long_epochs`")
        least_epochs: int = option(10, "epochs", "lecture Tr1: the low-rate example shows after 10")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if every known loss and accuracy is poor, and none improves."""
        reason = moving_target(run)
        if reason:
            return NotChecked(reason)
        fit = measure_fit(run)
        if isinstance(fit, str):
            return NotChecked(fit)
        if _too_short(run, fit, options):
            return NotChecked("the run is too short to tell, or still warms up")
        if _has_hardly_moved(run, options):
            return NotChecked("all updates together can have changed the weights by next to nothing")
        improves = fit.improves(run, options.improving)
        share = fit.share - (_to_come(run, fit, options) if improves else 0.0)
        poor = share > options.share
        halfway = share > options.halfway and fit.skill < options.skill and not fit.overfits
        if (poor or halfway) and not fit.skill >= options.skill:
            return [self._describe(run, fit, options, Confidence.LIKELY if poor else Confidence.HINT, improves)]
        narrow = narrowest_layer(run)
        if narrow is None or not share > (options.halfway if fit.overfits else options.narrow):
            return []
        return [self._describe(run, fit, options, Confidence.LIKELY, improves)]

    def _describe(self, run: RunView, fit: Fit, options: Options, confidence: Confidence, improves: bool) -> Finding:
        level, first = fit.levels[0], fit.losses[0]
        middle, last = int(first.steps[len(first) // 2]), first.last_step
        ends = " and ".join(f"{series.name} at {number(end(series))}" for series in fit.losses)
        right = f", with {max(fit.skill, 0):.0%} of the skill that is possible" if fit.skill == fit.skill else ""
        pace = (
            "it still improves, but twice as many steps would leave it poor"
            if improves
            else f"it has not improved by {options.improving:.0%} since step {middle}"
        )
        narrow = narrowest_layer(run)
        through = f" {narrow.name} has {narrow.units} units for {run.facts['classes']} classes." if narrow else ""
        return self.finding(
            f"{ends}, where a model that knows nothing has {number(level)}{right}; {pace}.{through}",
            [Evidence(s.name, None, middle, last, end(s), f"well below {number(level)}") for s in fit.losses],
            _recommend(run, fit, narrow),
            confidence=confidence,
        )


def _to_come(run: RunView, fit: Fit, options: Underfitting.Options) -> float:
    """Return what twice the steps would gain, as a share of the loss of guessing; infinity where nobody can know.

    Losses fall about as a power of time: a doubling of the steps brings no more than the one before.
    """
    train, level = fit.losses[0], fit.levels[0]
    before = train.between(0, run.last_step // 2).finite()
    if len(run.epochs) < options.long_epochs or run.last_step + 1 < options.long_steps or len(before) < 3:
        return math.inf
    half = end(before)
    late = max(half - end(train), 0.0)
    return late / level if level - half > 2 * late else math.inf


def _too_short(run: RunView, fit: Fit, options: Underfitting.Options) -> bool:
    losses, rates = run.series("train_loss"), run.series("learning_rate")
    if len(rates) >= 2 and rates.values[-1] > rates.values[-2] and rates.last_step >= 0.9 * losses.last_step:
        return True
    if len(losses) <= len(run.epochs):  # one value an epoch
        return len(losses) < options.least_epochs
    learns = end(losses) < options.learning * fit.levels[0]
    return run.last_step + 1 < (3 if learns else 1) * options.least_steps


def _has_hardly_moved(run: RunView, options: Underfitting.Options) -> bool:
    """Tell whether a few updates can't have taken the weights anywhere: capacity was never put to the test."""
    steps = run.last_step + 1
    return steps < options.least_steps and 0 < _usual_ratio(run) * steps <= options.moved


def _usual_ratio(run: RunView) -> float:
    """Return the median update ratio after step 0; 0 where there is none."""
    ratios = model_update_ratio(run).between(1, run.last_step).finite().values
    return float(np.median(ratios)) if len(ratios) else 0.0


def narrowest_layer(run: RunView) -> LayerEntry | None:
    """Return the narrowest linear layer, where it has too few units for the classes; None for none.

    Beside convolutions a narrow layer may be a gate (squeeze and excitation): there only the last one before the output
    is on the way of everything.
    """
    classes = run.facts.get("classes")
    if not isinstance(classes, int) or classes < 2:
        return None
    least = max(min(classes - 1, 2 * math.log2(classes)), 2)  # one unit passes one weighted sum of its inputs on
    linear = [entry for entry in run.layers if entry.type == "Linear" and entry.activation is None][:-1]
    if any(entry.type.startswith("Conv") for entry in run.layers):
        linear = linear[-1:]
    narrow = [entry for entry in linear if entry.units and entry.units < least]
    return min(narrow, key=lambda entry: entry.units or 0, default=None)


def _recommend(run: RunView, fit: Fit, narrow: LayerEntry | None) -> list[Recommendation]:
    better = f"train_loss falls below {number(end(fit.losses[0]))}"
    advice = [
        Recommendation(
            f"Widen {narrow.name}: from {narrow.units} units to {8 * run.facts['classes']} or more."
            if narrow
            else "Enlarge the model: twice the width, or one layer more"
            f"{f' (now {run.info.parameters} parameters)' if run.info.parameters else ''}.",
            "A model that is poor on its own training data has too little capacity for it, or uses too little of it.",
            f"{better} within as many steps.",
            "First overfit 20 examples: a model that can't has a defect, and size won't help.",
            "larger-model",
        ),
        Recommendation(
            "Search the learning rate: 1e-1, 1e-2, 1e-3 and 1e-4 for 100 steps each.",
            "At a rate that is too low nothing moves, at one that is too high nothing settles.",
            f"{better} within 100 steps at the right one.",
            recipe="find-learning-rate",
        ),
    ]
    decay, learns = strongest_decay(run), fit.skill if fit.skill == fit.skill else 1 - fit.share
    if (lower := _lower_rate(run, better)) is not None:
        advice = [lower, advice[0]]
    elif narrow is None and learns < _NOTHING and decay < _STRONG:
        advice = [_FEW_FIRST, *reversed(advice)]
    if decay >= _STRONG:
        advice.insert(
            0,
            Recommendation(
                f"Lower weight_decay from {number(decay)} to {number(decay / 100)}.",
                "A strong penalty keeps the weights too small to express the task.",
                f"{better}.",
                recipe="weight-decay",
                change=Change("weight_decay", decay, decay / 100),
            ),
        )
    return advice


_FEW_FIRST = Recommendation(
    "Train on 20 examples alone, until they are learnt by heart.",
    "A model that learns nothing at all mostly has a defect, in its inputs, its labels, its loss, or in what the"
    " optimizer holds; too few weights learn at least something.",
    "train_loss comes near 0 within some 100 steps; if it does not, look at what enters the model and the loss.",
    recipe="check-the-loss",
)


def _lower_rate(run: RunView, better: str) -> Recommendation | None:
    """Return the advice to lower a rate whose updates are longer than what is about okay; None where they are not."""
    ratio, rate = _usual_ratio(run), run.learning_rate.at(run.last_step)
    if ratio < BEARABLE or not rate > 0:
        return None
    lower = min(rate_for(ratio, rate, goal=GOOD, at_most=1000), on_grid(rate / 3))
    return Recommendation(
        f"Set the learning rate from {number(rate)} to {number(lower)} and start again from fresh weights.",
        f"An update changes the weights by {100 * ratio:.2g} % of their norm; 0.1 % is usual, and 1 % about okay.",
        f"{better}, and the update ratios come down to about {number(GOOD)}.",
        recipe="lower-learning-rate",
        change=Change("learning_rate", rate, lower),
    )
