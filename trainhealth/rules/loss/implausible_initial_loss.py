"""LS07 implausible-initial-loss: the first loss is not what a model that knows nothing has."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import recent_level
from trainhealth.rules.chance import BINARY, Chance, chance_level
from trainhealth.rules.loss_input import CROSS_ENTROPIES, SQUARED_AND_ABSOLUTE, classes_of, shape_of
from trainhealth.rules.objective import moving_target
from trainhealth.rules.progress import by_epoch, epochs_of_one_step
from trainhealth.rules.weights import of_weights
from trainhealth.series import RunView

_LARGE = 1.5  # times Xavier's weights: He's are 1.41 times as large


class ImplausibleInitialLoss(Rule):
    """The first loss is far above that of a model that knows nothing.

    What it detects
        train_loss of step 0, before any update (nats a sample, or the target's unit squared), against the loss of a
        model that gives every class the same probability, or zero for every target.

    Why it matters
        A loss far above chance means outputs that are large and random: the first steps are spent on shrinking them,
        with gradients that suit no learning rate. It comes from inputs or initial weights of the wrong scale, or from
        a loss that is not the one that was meant.

    How it decides
        Expected, with C classes: log C for cross-entropy, log 2 for binary cross-entropy; for the mean squared error
        the mean square of the first batch's targets. It fires where the loss of step 0 is above log C + min(log C,
        `room`), above `binary` x log 2, or above `squared` x the mean square, by more than the batch's scatter
        (`scatter` x the excess over the expected loss / sqrt(terms)); and where a cross-entropy is negative. It
        is a note where train_loss ends below `healed` of the expected loss, and where the outputs are of unit scale and
        the targets smaller. Its sign is wrong where it begins within `about` of -log C and falls to twice that; where
        there is one optimizer and the loss has no other term, also that of a binary one (-log 2), and of a squared or
        absolute error that begins below 0 and falls to twice that. Where the loss is no mean, and within `about` of the
        expected one times the number of terms, it is named as a sum (a note).

    What to try
        Standardise the inputs; the framework's default or He's initialisation; for a sum, the mean; targets scaled to
        unit variance.

    When it is wrong
        A model that is trained already (fine-tuning) begins below the expected loss: silent. Deep networks with default
        initialisation begin up to 1.5 times above it: silent. Class weights in binary cross-entropy (`pos_weight`)
        raise it: the limit leaves room for a factor of 4. Penalties and factors change it: not checked then. Targets
        far smaller than the outputs of a fresh model make any squared error look too large: a note. A log that does not
        begin at step 0, or a loss that is unknown or was passed as a number: not checked.
    """

    code = "LS07"
    name = "implausible-initial-loss"
    topic = "loss"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss",)
    uses = ("input_mean", "input_std")
    references = (
        Reference(
            "Tr1, Training Networks (Part 1); Opt, step 1 of choosing hyperparameters",
            "Without weight decay, the loss at initialisation is log C for softmax with C classes (2.303 for 10).",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        room: float = option(3.0, "nats above log C, at most", "house choice: logits with a standard deviation of 2.4")
        binary: float = option(4.0, "times log 2", "house choice: room for pos_weight")
        squared: float = option(10.0, "times the targets' mean square", "house choice: outputs 3 times the targets")
        scatter: float = option(1.64, "standard normal", "one batch in twenty, where terms scatter by their own excess")
        healed: float = option(0.1, "share of the expected loss", "house choice: it has cost some steps, no more")
        about: float = option(0.3, "share", "house choice: the scatter of one batch")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the loss of step 0 is too high, or is no cross-entropy."""
        losses = run.series("train_loss")
        if losses.steps[0] != 0 or (by_epoch(run) and not epochs_of_one_step(run)):
            return NotChecked("the log does not hold the loss of step 0")
        if self._is_negated(run, options):
            return [self._sign(run)]
        chance = chance_level(run)
        if isinstance(chance, str):
            return NotChecked(chance)
        loss = float(losses.values[0])
        if not math.isfinite(loss):
            return []  # another rule's finding: nonfinite-loss
        if chance.function in ("cross_entropy", "nll") and loss < 0:
            return [self._negative(chance, loss)]
        total = chance.untrained * chance.terms
        if chance.reduction != "mean" and chance.terms > 1 and abs(loss / total - 1) < options.about:
            return [self._summed(chance, loss)]
        excess = loss / chance.scale - chance.untrained
        scatter = options.scatter * excess / math.sqrt(chance.terms) if chance.terms else 0.0
        return [self._high(run, chance, loss, options)] if excess - scatter > _room(chance, options) else []

    def _is_negated(self, run: RunView, options: Options) -> bool:
        """Tell whether a loss that can't be negative begins at minus its value without knowledge, and falls further."""
        losses = run.series("train_loss").values
        if not losses[0] < 0 or not recent_level(losses) < 2 * float(losses[0]):
            return False
        function = run.facts.get("loss_function")
        if function in CROSS_ENTROPIES:
            classes = _outputs(run)
            return classes > 1 and abs(float(losses[0]) / -math.log(classes) - 1) < options.about
        if run.facts.get("loss_composed") is not False or len(run.info.optimizers) > 1 or moving_target(run):
            return False  # of adversaries, one may well be trained to make the other's loss large
        binary = function in BINARY and abs(float(losses[0]) / -math.log(2) - 1) < options.about
        return binary or function in SQUARED_AND_ABSOLUTE

    def _sign(self, run: RunView) -> Finding:
        losses, function = run.series("train_loss").values, str(run.facts.get("loss_function"))
        classes = 2 if function in BINARY else _outputs(run)
        squared = function in SQUARED_AND_ABSOLUTE
        chance = "" if squared else f" A model that knows nothing has {number(math.log(classes))} (log {classes}), and"
        name = "cross-entropy" if function in CROSS_ENTROPIES else function
        return self.finding(
            f"The first train_loss is {number(float(losses[0]))}, and it has fallen to {number(recent_level(losses))}:"
            f" the {name} has the wrong sign.{chance}{' For it' if squared else ''} 0 is the best there is.",
            [Evidence("train_loss", None, 0, 0, float(losses[0]), "0 or more")],
            [
                Recommendation(
                    "Turn the sign of the loss."
                    if squared
                    else "Turn the sign of the loss: the mean of -log p, not of log p, of the right class.",
                    "Training lowers the loss: now it makes the right answer ever less likely, without end.",
                    "The first train_loss is above 0, and falls towards 0.",
                    recipe="check-the-loss",
                )
            ],
            severity=Severity.CRITICAL,
            confidence=Confidence.CERTAIN,
        )

    def _negative(self, chance: Chance, loss: float) -> Finding:
        return self.finding(
            f"The first train_loss is {number(loss)}; the negative log-likelihood of a probability is never negative.",
            [Evidence("train_loss", None, 0, 0, loss, f"about {number(chance.untrained)}")],
            [
                Recommendation(
                    "Give nll_loss log-probabilities (log_softmax), or give cross_entropy the raw outputs.",
                    "The negative log-likelihood of plain probabilities or of logits has no lower bound to reach.",
                    f"The first train_loss is about {number(chance.untrained)}.",
                    recipe="check-the-loss",
                )
            ],
            confidence=Confidence.CERTAIN,
        )

    def _summed(self, chance: Chance, loss: float) -> Finding:
        return self.finding(
            f"The first train_loss is {number(loss)}: {chance.terms} times the {number(chance.untrained)} that is to be"
            f" expected, a sum over {chance.terms} terms.",
            [Evidence("train_loss", None, 0, 0, loss, f"{number(chance.untrained)} for a mean")],
            [
                Recommendation(
                    'Use reduction="mean", and multiply the learning rate by the number of terms at most.',
                    "The gradient of a sum grows with the batch, so that the right rate depends on the batch size.",
                    f"The first train_loss is about {number(chance.untrained)} for any batch size.",
                    "The learning rate has to be found again.",
                    "check-the-loss",
                )
            ],
            severity=Severity.NOTE,
        )

    def _high(self, run: RunView, chance: Chance, loss: float, options: ImplausibleInitialLoss.Options) -> Finding:
        expected = chance.untrained * chance.scale
        # outputs of unit scale are what a fresh model has: then the targets are small
        small = chance.function == "mse" and loss / chance.scale - chance.untrained <= 1
        now = recent_level(run.series("train_loss").finite().values)
        healed = now < options.healed * expected
        return self.finding(
            f"The first train_loss is {number(loss)}; a model that knows nothing has {number(expected)}"
            f" ({_meaning(chance)}).{f' It has come down to {number(now)} since.' if healed else ''}",
            [Evidence("train_loss", None, 0, 0, loss, f"about {number(expected)}")],
            [_scale_targets(expected)] if small else _recommend(run, expected),
            severity=Severity.NOTE if small or healed else Severity.WARNING,
        )


def _outputs(run: RunView) -> int:
    """Return how many classes the loss tells apart; 0 where it is not known."""
    shape = shape_of(run, "loss_input_shape") or ()
    return classes_of(run) or (shape[1] if len(shape) > 1 else 0)


def _room(chance: Chance, options: ImplausibleInitialLoss.Options) -> float:
    """Return how far above the expected loss that of a term may plausibly be."""
    if chance.function == "mse":
        return chance.untrained * (options.squared - 1)
    if chance.function in ("cross_entropy", "nll"):
        return min(chance.untrained, options.room)
    return chance.untrained * (options.binary - 1)


def _meaning(chance: Chance) -> str:
    """Return what the expected loss is made of: the loss of a term, the sum over terms, and the script's own factor."""
    factor = "" if math.isclose(chance.factor, 1, rel_tol=1e-3) else f", times {number(chance.factor)}"
    if chance.function == "mse":
        return f"the mean square of the first targets{factor}"
    classes = 2 if chance.function.startswith("binary") else round(math.exp(chance.untrained))
    summed = f", summed over {chance.terms} terms" if chance.reduction == "sum" else ""
    return f"log {classes}{summed}{factor}"


def _scale_targets(expected: float) -> Recommendation:
    return Recommendation(
        "Scale the targets to mean 0 and standard deviation 1, and scale predictions back.",
        "A fresh model's outputs have about unit scale, far more than the targets: it first has to shrink them.",
        "The first train_loss is about 1.",
        f"The loss is then in other units: {number(expected)} becomes 1.",
        "scale-targets",
    )


def _largest_weights(run: RunView) -> float:
    """Return the size of the largest weights at the first sample, as a multiple of Xavier's; NaN where it is unknown.

    Xavier's std is 1 / sqrt(fan_in), so that the norm is the root of the number of units, the first axis.
    """
    norms = of_weights(run, "parameter_norm")
    units = {entry.name: entry.shape[0] if entry.shape else 1 for entry in run.parameters}
    if not len(norms):
        return math.nan
    sizes = [norm / math.sqrt(max(units[place], 1)) for place, norm in zip(norms.places, norms.values[0], strict=True)]
    return max(sizes, default=math.nan)


def _recommend(run: RunView, expected: float) -> list[Recommendation]:
    """Return what to do, the inputs first where they are not of unit scale."""
    mean, spread = (run.series(name).values[:1] for name in ("input_mean", "input_std"))
    verify = f"The first train_loss is about {number(expected)}."
    weights = Recommendation(
        "Initialise weights with a standard deviation of sqrt(2 / fan_in) (He), the last layer's smaller.",
        "Large random outputs are confident mistakes: they cost more than knowing nothing.",
        verify,
        recipe="he-initialization",
    )
    if not (len(mean) and len(spread)):  # they are tokens
        return [weights]
    if abs(mean[0]) < 3 and spread[0] < 3 and _largest_weights(run) < _LARGE:
        factor = Recommendation(
            "Look for what multiplies the signal between the layers: make a sum over neighbours, positions or branches"
            " a mean, and normalise.",
            "Neither the inputs nor the weights are large, and yet the outputs are.",
            verify,
            recipe="check-the-loss",
        )
        return [factor, weights]
    seen = f"now mean {number(mean[0])}, standard deviation {number(spread[0])}"
    inputs = Recommendation(
        f"Standardise the inputs: mean 0, standard deviation 1 for every feature or channel ({seen}).",
        "Outputs grow with the inputs, and the loss with the outputs.",
        verify,
        "Use the training data's mean and deviation for validation data as well.",
        "standardize-inputs",
    )
    unit_scale = abs(mean[0]) < 3 and 0.1 < spread[0] < 3
    return [weights, inputs] if unit_scale else [inputs, weights]
