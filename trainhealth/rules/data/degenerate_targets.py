"""DA07 degenerate-targets: all targets are one and the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import recent_level
from trainhealth.rules.loss_input import CROSS_ENTROPIES
from trainhealth.rules.objective import moving_target
from trainhealth.rules.sampled import examples_in, latest
from trainhealth.series import RunView

_CLASSES = (*CROSS_ENTROPIES, "nll", "multi_margin")


class DegenerateTargets(Rule):
    """All targets have one value: there is nothing to tell apart.

    What it detects
        target_minimum and target_maximum of the sampled batches (target unit), and classes_seen.

    Why it matters
        The model learns to say the one answer whatever it is shown. The loss falls to zero and the accuracy rises to 1,
        which looks like success.

    How it decides
        The smallest and the largest target are equal in all sampled batches, over at least `examples` examples; for
        losses over several classes, classes_seen is 1. Where the loss is no loss over classes, train_loss must have
        fallen below `learnt` of its start, and the value must not be 0.

    What to try
        Look at the targets of a batch; at how labels are read, encoded and joined to the examples.

    When it is wrong
        A generator's targets are all ones, and its loss does not fall to zero: silent. Equations whose residual is
        driven to 0 have zeros for targets: silent. Data sorted by class show one class for long: the samples at the
        end of the run decide, and a run that has not yet seen a second class is a false alarm.
    """

    code = "DA07"
    name = "degenerate-targets"
    topic = "data"
    severity = Severity.CRITICAL
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("target_minimum", "target_maximum", "train_loss")
    uses = ("classes_seen", "batch_size")
    references = (
        Reference(
            "Breck et al. 2019: Data Validation for Machine Learning, section 3",
            "Errors in the data spread into the model unnoticed: check the values of features and labels first.",
            "https://mlsys.org/Conferences/2019/doc/2019/167.pdf",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        examples: float = option(200.0, "examples", "house choice: at 1 in 50, another class is missed once in 57 runs")
        learnt: float = option(0.1, "share of the first train_loss", "house choice")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if all targets are equal."""
        low, high = run.series("target_minimum").finite(), run.series("target_maximum").finite()
        seen = examples_in(run, "target_minimum")
        if seen < options.examples:
            return NotChecked(f"{seen} examples in sampled batches are too few: it takes {number(options.examples)}")
        if not len(low) or not len(high) or low.values.min() != high.values.max() or moving_target(run) is not None:
            return []
        value = float(low.values[0])
        classes = run.facts.get("loss_function") in _CLASSES
        if classes and latest(run, "classes_seen") > 1:
            return []  # probabilities that are all alike belong to several classes
        losses = run.series("train_loss")
        now, first = recent_level(losses.values), float(losses.values[0])
        if not classes and (value == 0 or not now < options.learnt * first):
            return []
        finding = self.finding(
            f"All targets in {len(low)} sampled batches ({seen} examples) are {number(value)}; train_loss stands at"
            f" {number(now)}.",
            [Evidence("target_maximum", None, int(high.steps[0]), high.last_step, value, "different targets")],
            [
                Recommendation(
                    "Print the targets of a few batches, and count the values in the whole data set.",
                    "A wrong column, a failed join, a mapping that knows one class only, or a filter look like this.",
                    "target_minimum and target_maximum differ in every batch.",
                    recipe="check-labels",
                ),
                Recommendation(
                    "Shuffle the training data, if the data set holds more values than the batches show.",
                    "Sorted data show one class for a long time.",
                    "classes_seen reaches the number of classes within the first steps.",
                    recipe="shuffle-data",
                ),
            ],
        )
        return [finding]
