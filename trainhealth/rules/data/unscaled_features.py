"""DA02 unscaled-features: features of very different size, or inputs far from unit scale as a whole."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import Breakdown, poor_loss
from trainhealth.rules.data.whole_numbers import Sizes, taken_as_sizes
from trainhealth.rules.data_scale import UNSCALED
from trainhealth.rules.first_layer import first_fan_in, normalizes_features, normalizes_inputs
from trainhealth.rules.sampled import latest, usual
from trainhealth.series import RunView


class UnscaledFeatures(Rule):
    """The features differ in size by orders of magnitude, or all inputs are far larger or smaller than one.

    What it detects
        feature_std_ratio, the largest over the smallest standard deviation of the features that are not constant;
        input_std, and the largest absolute input (input_minimum, input_maximum), in the input's unit.

    Why it matters
        The largest feature decides the sums of the first layer, the gradient and so the rate; a feature a hundred times
        as small learns ten thousand times as slowly. Inputs that are all far from one make the first activations, the
        loss and the gradients as large or as small, and suit no usual initialisation or rate.

    How it decides
        Different: feature_std_ratio is at least `ratio` and input_std above 3 (what is large is more than one scale
        off). Large: input_std is at least `large`. Small: no input of a usual batch is above `small` in size; or their
        root mean square r is at most that, r sqrt(d), what d inputs add up to beside a bias of one, is at most
        `beside`, and train_loss is poor (not finite, gave back half of its progress, or stands above `poor` of the
        untrained loss and falls no more). Whole numbers, which have no scale in the log: the model has no embedding,
        they enter its first layer as they are, and that gives outputs at its first sample as of inputs of at least
        `large` (a recurrent layer: outputs above 0.95).

    What to try
        Standardise every feature with the training data's mean and deviation; pixels by 255; long tails by a logarithm;
        an embedding for whole numbers that name something.

    When it is wrong
        One-hot, bag-of-words and image-border features differ in spread, too, as rare ones hardly vary; they are small,
        not large, and silent, as input_std stays below 3. A batch norm at the input scales features itself: silent; one
        behind the first layer takes a common scale away: only differences count then. A tiny feature beside others of
        unit scale is not seen. Rows of rare features that sum to 1 are small, too: silent where they train well. Adam
        copes with all of this better than SGD.
    """

    code = "DA02"
    name = "unscaled-features"
    topic = "data"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("input_std|activation_std",)
    uses = ("input_std", "feature_std_ratio", "input_minimum", "input_maximum", "train_loss")
    references = (
        Reference(
            "L16 Practical Aspects: scale of the features",
            "Features of the scales 114.8 and 0.00323 make a ravine: normalise each to unit variance.",
        ),
        Reference(
            "LeCun, Bottou, Orr and Müller 1998: Efficient BackProp, section 4.3",
            "Inputs should be scaled so that their covariances are about the same.",
            "http://yann.lecun.com/exdb/publis/pdf/lecun-98b.pdf",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        ratio: float = option(30.0, "1", "house choice: curvatures 1,000 apart")
        large: float = option(10.0, "input unit", "house choice: digits of 0 … 16 have 6 and train well")
        small: float = option(0.01, "input unit", "house choice: pixels divided by 255 twice have 0.004")
        beside: float = option(0.2, "times a usual bias", "house choice: rows of length 1 have 1")
        poor: float = option(0.6, "share of the untrained loss", "as uncentred-inputs")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if features differ by orders of magnitude, or all are far from one."""
        if not run.has("input_std"):
            sizes = taken_as_sizes(run, options.large)
            return [self._names_as_sizes(sizes)] if sizes else NotChecked("no floating-point input was sampled")
        if normalizes_features(run):
            return []
        std, ratio = usual(run, "input_std"), latest(run, "feature_std_ratio")
        size = max(abs(usual(run, "input_minimum")), abs(usual(run, "input_maximum")))
        if ratio >= options.ratio and std > UNSCALED:
            fact = f"The features' standard deviations differ by a factor of {number(ratio)}"
            seen = ("feature_std_ratio", ratio, "about 1")
        elif std >= options.large and not normalizes_inputs(run):
            fact = "The inputs are far larger than one"
            seen = ("input_std", std, "about 1")
        elif 0 < size <= options.small and not normalizes_inputs(run):
            fact = f"The inputs are far smaller than one: none is above {number(size)}"
            seen = ("input_std", std, "about 1")
        elif (lost := self._drowned(run, options)) is not None:
            fact = f"The inputs are far smaller than one, and {lost.fact}"
            seen = ("input_std", std, "about 1")
        else:
            return []
        mean, steps = usual(run, "input_mean"), run.series(seen[0]).steps
        finding = self.finding(
            f"{fact} (all inputs: mean {number(mean)}, standard deviation {number(std)}).",
            [Evidence(seen[0], None, int(steps[0]), int(steps[-1]), seen[1], seen[2])],
            [
                Recommendation(
                    "Standardise every feature (or channel): subtract its mean, divide by its standard deviation.",
                    "One learning rate then suits all weights of the first layer, and the usual initialisation fits.",
                    "input_mean is near 0 and input_std near 1; train_loss falls from its first steps.",
                    "Use the training data's mean and deviation for validation data as well.",
                    "standardize-inputs",
                    Change("inputs", "as they are", "standardized"),
                ),
                Recommendation(
                    "Take the logarithm of positive features with a long tail (counts, prices) before that.",
                    "A few huge values would otherwise squeeze all others together.",
                    "input_maximum is within a few standard deviations.",
                    recipe="standardize-inputs",
                ),
            ],
        )
        return [finding]

    def _drowned(self, run: RunView, options: Options) -> Breakdown | None:
        """Return how training failed on inputs that are small beside a bias as a whole; None where it did not."""
        size = math.hypot(usual(run, "input_mean"), usual(run, "input_std"))
        small = 0 < size <= options.small and size * math.sqrt(first_fan_in(run)) <= options.beside
        return poor_loss(run, options.poor) if small and not normalizes_inputs(run) else None

    def _names_as_sizes(self, sizes: Sizes) -> Finding:
        """Return the finding for whole numbers that enter the first layer as they are."""
        return self.finding(
            f"The input is of whole numbers, and the model has no embedding: it takes them as sizes, and {sizes.fact}.",
            [Evidence(sizes.signal, sizes.layer, sizes.step, sizes.step, sizes.observed, "below 1")],
            [
                Recommendation(
                    f"Where the numbers stand for words or categories, put nn.Embedding in front of {sizes.layer}.",
                    "Word 200 is not a hundred times word 2: as sizes, the numbers say nothing that can be learnt.",
                    "train_loss falls from its first steps.",
                    "Its first size is the largest number plus one.",
                ),
                Recommendation(
                    "Where they measure something, subtract the mean and divide by the standard deviation.",
                    "One learning rate then suits all weights of the first layer, and the usual initialisation fits.",
                    f"{sizes.signal} of {sizes.layer} is below 1 at the first step.",
                    recipe="standardize-inputs",
                ),
            ],
        )
