"""DA03 constant-features: many features of the input have one and the same value in every example."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.sampled import examples_in, latest, usual
from trainhealth.series import RunView


class ConstantFeatures(Rule):
    """Many features of the input never change: they tell the model nothing.

    What it detects
        constant_features: how many features of the input had one and the same value in all sampled batches, of
        input_features (columns of a table, channels of an image).

    Why it matters
        A constant feature is a second bias. Where many are, the data were probably filled, cut, divided as integers or
        joined wrongly, and what should be in them is missing.

    How it decides
        share = constant_features / input_features, once at least `examples` examples, and ten a feature, were in the
        sampled batches. A share of `some` is a note, `many` a warning, all of them critical.

    What to try
        Look at these columns in the data as they enter the model, and before each step of the preparation.

    When it is wrong
        The borders of images in rows are constant: a few per cent, silent. Rare words and categories do not occur in
        few examples: ten examples a feature are needed. Padding wide borders around images in rows is a false alarm.
    """

    code = "DA03"
    name = "constant-features"
    topic = "data"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("constant_features", "input_features")
    uses = ("batch_size",)
    references = (
        Reference(
            "Breck et al. 2019: Data Validation for Machine Learning, section 3",
            "Errors in the data spread into the model unnoticed: check each feature's values before training.",
            "https://mlsys.org/Conferences/2019/doc/2019/167.pdf",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        examples: float = option(200.0, "examples", "house choice: ten a feature decide where features are many")
        some: float = option(0.25, "share of the features", "house choice: MNIST's border is 0.09 of its pixels")
        many: float = option(0.5, "share of the features", "house choice")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if many features are constant."""
        constant, features = latest(run, "constant_features"), usual(run, "input_features")
        needed = max(options.examples, 10 * features) if features > 0 else options.examples
        seen = examples_in(run, "constant_features")
        if seen < needed:
            return NotChecked(f"{seen} examples in sampled batches are too few: it takes {number(needed)}")
        if not features > 0 or not constant / features >= options.some:
            return []
        share = min(constant / features, 1.0)
        steps = run.series("constant_features").steps
        finding = self.finding(
            f"{number(constant)} of the {number(features)} features of the input had one and the same value in all"
            f" {seen} examples that were looked at.",
            [Evidence("constant_features", None, int(steps[0]), int(steps[-1]), constant, "0, or a few")],
            [
                Recommendation(
                    "Look at a batch as it enters the model: which features are constant, and at which value.",
                    "Columns that were filled with a default, cut off, or divided as integers look like this.",
                    "constant_features is near 0.",
                    recipe="check-labels",
                ),
                Recommendation(
                    "Leave features out that are constant by nature.",
                    "They add weights that can only learn a bias.",
                    "input_features is smaller, and the results are the same.",
                ),
            ],
            severity=Severity.CRITICAL
            if share == 1.0
            else Severity.WARNING
            if share >= options.many
            else Severity.NOTE,
        )
        return [finding]
