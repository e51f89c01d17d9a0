"""AC04 collapsed-outputs: the model gives the same output for every input."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import SETTLING, recent_level
from trainhealth.rules.chance import chance_level
from trainhealth.rules.collapse_advice import COUNT_ANSWERS, FOLLOW, OVERFIT, RAISE_SLOWLY, WEIGH, where_to_look
from trainhealth.rules.generalization.comparison import fractions
from trainhealth.rules.objective import moving_target
from trainhealth.rules.progress import last_level, share_left
from trainhealth.rules.reconstruction import reconstructs, spread_of_targets
from trainhealth.rules.sampled import LATEST, latest, samples_of, usual
from trainhealth.series import RunView


class CollapsedOutputs(Rule):
    """All inputs give the same output: the model says one thing, whatever it is shown.

    What it detects
        output_example_std: the standard deviation of the model's output over the examples of a batch, root mean square
        over units (output unit), beside train_loss.

    Why it matters
        Nothing of the input reaches the output. The loss stops where the best constant answer stands, and an accuracy
        of the most frequent class looks like a result.

    How it decides
        After at least 50 steps, spread = the median of the last three samples. Classification: spread is below `scores`
        (of probabilities, 0.3 times it). Regression: below `share` of the targets' deviation. And train_loss stands at
        `constant` of the best constant answer's loss, or above; silent where it falls from step 50 on (Mann-Kendall z
        below -`falling`) and spread is above half of what it was at the start: then learning begins, slowly. Of
        outputs that differ by `rounding` of their largest value or less, half of that loss is enough. Where that loss
        is not known: spread is below `lost` of output_std, and was above `had` of it at the start. Autoencoders
        (targets that are the inputs themselves), whatever the loss: after 200 steps, spread is below `copied` of the
        targets' deviation over examples, and the last tenth of the samples is at most `rising` times the smallest
        tenth, by their medians.
        Where the log has no output_example_std, an accuracy tells, as a hint and a warning: validation_accuracy (or
        train_accuracy, where there is none) is between 0 and `accurate` and one number, to 1e-6, in all of at least
        `same` evaluations; train_accuracy has not come further than 0.05 above it; and train_loss ends above half of
        that of a model that knows nothing.

    What to try
        What made it: dead units, a rate that is too high, inputs or weights that are too small, a broadcast loss,
        targets that are all alike. Where every hidden layer still tells examples apart (example_std is at least
        `apart` of activation_std in each), nothing is lost on the way: outputs that were apart at the start have come
        together because the labels have nothing to do with the inputs, and those that never were see a state of a
        recurrent layer that has forgotten them. An autoencoder whose loss has another term, as a variational one's
        has, answers with a constant where that term weighs more than the reconstruction (posterior collapse): both as
        sums over an example, a smaller weight, or one that rises.

    When it is wrong
        Output layers that begin at zero: the first steps don't count. Policies with nearly equal actions, and losses
        without a known constant answer: not checked. Targets that the inputs say nothing about are answered best by a
        constant: true, and no illness of the model. An accuracy also stands where the weights do, and where a few
        examples are too few to show a change: hence the hint. An accuracy of 0 is none (another tool's metric for a
        regression): silent. A model that falls back to one answer later on is missed there. An autoencoder learns the
        examples' mean first: silent for 200 steps, and while the outputs still move apart; one that gives scores to a
        binary cross-entropy with logits, or whose inputs are masked or noisy, is judged as any other model.
    """

    code = "AC04"
    name = "collapsed-outputs"
    topic = "activations"
    severity = Severity.CRITICAL
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("output_example_std|validation_accuracy|train_accuracy", "train_loss")
    uses = (
        *("output_sum_error", "output_std", "output_minimum", "output_maximum", "example_std", "activation_std"),
        *("target_mean", "target_std", "input_mean", "input_std"),
    )
    references = (
        Reference(
            "Tr1 Training Networks (Part 1): weight initialisation",
            "When all activations go to zero, every input is mapped to the same output, and no gradient flows.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        scores: float = option(0.01, "nats", "house choice: probabilities that differ by 1 %")
        rounding: float = option(1e-6, "share of the largest output", "float32: ten times its precision")
        share: float = option(0.02, "targets' standard deviations", "house choice: explains 0.04 % of the variance")
        lost: float = option(0.01, "share of the outputs' deviation", "house choice: the examples are all alike")
        had: float = option(0.1, "share of the outputs' deviation", "house choice: at the start they were not")
        constant: float = option(0.95, "times the constant answer's loss", "house choice: the scatter of batches")
        copied: float = option(0.15, "targets' standard deviations", "house choice: explains 2 % of the variance")
        rising: float = option(1.25, "times the smallest spread", "house choice: batches of 32 differ by a tenth")
        apart: float = option(0.3, "share of the deviation", "house choice: fresh layers have 0.4 to 0.9")
        same: int = option(8, "evaluations", "house choice: weights that change move an example in some of them")
        accurate: float = option(0.9, "fraction", "as LS03: a model that is right so often has learnt its task")
        falling: float = option(2.33, "standard normal", "1 % of flat curves, one-sided")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if outputs don't differ between examples, and the loss is that of a constant."""
        losses = run.series("train_loss")
        if not run.has("output_example_std"):
            return self._one_answer(run, options)
        if run.last_step < SETTLING or samples_of(run, "output_example_std") < LATEST:
            return NotChecked(f"it takes {SETTLING} steps and {LATEST} samples to judge")
        if reconstructs(run):
            uncopied = self._uncopied(run, options)
            return [uncopied] if uncopied else []
        chance = chance_level(run)
        if isinstance(chance, str):
            collapsed = self._collapsed(run, options)
            return [collapsed] if collapsed else NotChecked(chance)
        spread, limit = latest(run, "output_example_std"), self._limit(run, chance.function, options)
        now, level = recent_level(losses.values), chance.constant * chance.scale
        if not math.isfinite(limit):
            return NotChecked("how much the targets vary is not known: pass outputs= and targets= to watch.step")
        same = spread <= options.rounding * _size(run) and now >= 0.5 * level
        alike = spread < limit and now >= options.constant * level and not _begins(run, spread, options)
        if not same and not alike:
            return []
        steps = run.series("output_example_std").steps
        advice = where_to_look(run, options.apart, options.had, options.lost)
        reached = "" if advice is FOLLOW else ", while every hidden layer still tells them apart"
        finding = self.finding(
            f"The outputs of the examples of a batch differ by {number(spread)} (standard deviation){reached}, and"
            f" train_loss stands at {number(now)}; one answer to everything gives {number(level)}.",
            [
                Evidence(
                    "output_example_std", None, int(steps[-LATEST]), int(steps[-1]), spread, f"above {number(limit)}"
                )
            ],
            [advice, OVERFIT],
        )
        return [finding]

    def _collapsed(self, run: RunView, options: Options) -> Finding | None:
        """Return the finding for outputs that told examples apart at first, whatever the loss is; None for none."""
        spread, whole = run.series("output_example_std").finite(), run.series("output_std").finite()
        if len(spread) < LATEST or len(whole) < LATEST or not float(whole.values[0]) > 0:
            return None
        begun = float(spread.values[0] / whole.values[0])
        now = latest(run, "output_example_std") / max(latest(run, "output_std"), 1e-30)
        if begun < options.had or not now < options.lost:
            return None
        return self.finding(
            f"The outputs of the examples of a batch differ by {now:.2g} of the outputs' standard deviation; at the"
            f" start it was {begun:.2g}: training has made them all alike.",
            [
                Evidence(
                    "output_example_std",
                    None,
                    int(spread.steps[0]),
                    spread.last_step,
                    float(spread.values[-1]),
                    f"about {number(float(spread.values[0]))}, as at the start",
                )
            ],
            [
                Recommendation(
                    "Look at what the loss asks for: pairs that have to differ, a reconstruction, a target besides.",
                    "A loss that only pulls outputs together, or whose other terms are larger, is lowest where all are"
                    " alike.",
                    "output_example_std stays near that of the first steps.",
                    recipe="check-the-loss",
                )
            ],
        )

    def _uncopied(self, run: RunView, options: Options) -> Finding | None:
        """Return the finding for reconstructions that are the same whatever was to be reconstructed; None for none."""
        spreads, wanted = run.series("output_example_std").finite(), spread_of_targets(run)
        levels = [float(np.median(part)) for part in np.array_split(spreads.values, min(len(spreads), _TENTHS))]
        if run.last_step < _LEARN_THE_MEAN or levels[-1] > options.rising * min(levels):
            return None
        spread = latest(run, "output_example_std")
        if not spread < options.copied * wanted:
            return None
        composed = run.facts.get("loss_composed") is True
        return self.finding(
            f"The outputs of the examples of a batch differ by {number(spread)} (standard deviation), and the examples"
            f" that they are to reconstruct by about {number(wanted)}: each gets nearly the same answer.",
            [
                Evidence(
                    "output_example_std",
                    None,
                    int(spreads.steps[-LATEST]),
                    spreads.last_step,
                    spread,
                    f"above {number(options.copied * wanted)}",
                )
            ],
            [WEIGH, RAISE_SLOWLY] if composed else [FOLLOW, OVERFIT],
        )

    def _one_answer(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return the finding for an accuracy that is the same to the last digit all along."""
        reason = moving_target(run)
        train = curves.clean(run.series("train_accuracy"))
        validation = curves.clean(run.series("validation_accuracy"))
        accuracy = validation if len(validation) else train
        if reason or len(accuracy) < options.same:
            return NotChecked(reason or f"it takes {options.same} evaluations to say that an accuracy never changes")
        value, whole = float(accuracy.values[0]), 1.0 if fractions(accuracy) else 100.0
        losses = run.series("train_loss").finite().values
        learnt = len(losses) == 0 or not share_left(run, recent_level(losses)) > 0.5
        better = len(train) > 0 and last_level(train.values) > value + 0.05 * whole
        if np.ptp(accuracy.values) > 1e-6 * whole or not 0 < value < options.accurate * whole or learnt or better:
            return []
        first, last = int(accuracy.steps[0]), accuracy.last_step
        return [
            self.finding(
                f"{accuracy.name} is {number(value)} in each of {len(accuracy)} evaluations (steps {first} to {last}),"
                " to the last digit, and train_loss has hardly fallen: the model gives one answer to everything.",
                [Evidence(accuracy.name, None, first, last, value, "another number whenever an answer changes")],
                [COUNT_ANSWERS, OVERFIT],
                severity=Severity.WARNING,
                confidence=Confidence.HINT,
            )
        ]

    def _limit(self, run: RunView, function: str, options: Options) -> float:
        """Return the spread below which outputs are the same, in their unit; NaN where it is not known."""
        if function == "mse":
            deviation = usual(run, "target_std")
            return options.share * (deviation if math.isfinite(deviation) else _number(run.facts.get("target_std")))
        probabilities = function == "binary_cross_entropy" or usual(run, "output_sum_error") < 1e-3
        return options.scores * (0.3 if probabilities else 1.0)


_LEARN_THE_MEAN = 4 * SETTLING  # steps: an autoencoder learns the examples' mean first, and then what differs
_TENTHS = 10  # of the samples: single batches differ, and of many one is always low


def _begins(run: RunView, spread: float, options: CollapsedOutputs.Options) -> bool:
    """Tell whether learning has just begun: examples are told apart as by the untrained model, and the loss falls."""
    late = run.series("train_loss").between(SETTLING, run.last_step)
    untrained = float(np.median(run.series("output_example_std").finite().values[:LATEST]))
    return spread > untrained / 2 and curves.trend(late).z < -options.falling


def _size(run: RunView) -> float:
    """Return the largest absolute value of the outputs in the latest samples."""
    return max(abs(latest(run, "output_minimum")), abs(latest(run, "output_maximum")))


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
