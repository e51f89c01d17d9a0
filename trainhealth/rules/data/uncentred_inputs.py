"""DA01 uncentred-inputs: the inputs' mean is far from zero against their spread."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import poor_loss
from trainhealth.rules.first_layer import first_fan_in, normalizes_features, normalizes_inputs
from trainhealth.rules.sampled import latest, usual
from trainhealth.series import RunView


class UncentredInputs(Rule):
    """The inputs lie far from zero compared with their spread: what tells them apart is a small part of each.

    What it detects
        feature_mean_ratio: the median over features of |mean| / standard deviation, over all sampled batches; where it
        is not logged, |input_mean| / input_std of a usual batch.

    Why it matters
        With d features whose mean is r standard deviations from zero, one direction of the first layer's loss surface
        is about 1 + d r^2 times as steep as the others: the rate that it allows is too small for all others. All
        gradients of a unit's weights share one sign when all inputs do (zig-zag).

    How it decides
        d is the fan-in of the first layer, r the ratio. r is at least `off` and d r^2 at least `steep`: a warning. r is
        at least `off`, and train_loss is poor (not finite, gave back half of its progress, or stands above `poor` of
        the untrained loss and falls no more): a warning as well; else a note.

    What to try
        Subtract the training data's mean from every feature (or channel), divide by the standard deviation.

    When it is wrong
        Images scaled to [0, 1] have r up to 2, which practice tolerates: silent. A model whose first or second layer
        normalises (batch norm behind the first convolution) takes the mean away itself: silent. Adam copes with more
        than plain SGD. Token ids are no floating-point numbers and have no mean that matters: not checked.
    """

    code = "DA01"
    name = "uncentred-inputs"
    topic = "data"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("input_mean", "input_std")
    uses = ("feature_mean_ratio", "train_loss")
    references = (
        Reference(
            "L16 Practical Aspects; Tr1 Training Networks (Part 1): data preprocessing",
            "Zero-centre the data; when all inputs are positive, gradients on w are all positive or all negative.",
        ),
        Reference(
            "LeCun, Bottou, Orr and Müller 1998: Efficient BackProp, section 4.3",
            "Convergence is usually faster if the average of each input variable is close to zero.",
            "http://yann.lecun.com/exdb/publis/pdf/lecun-98b.pdf",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        off: float = option(3.0, "standard deviations", "images in [0, 1] have 2; at 3, SGD needs 10 times the steps")
        steep: float = option(150.0, "d r^2", "house choice: four raw measures of irises have 78 and train well")
        poor: float = option(0.6, "share of the untrained loss", "house choice: as saturated-activations")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the inputs are far from zero."""
        if normalizes_inputs(run) or normalizes_features(run):
            return []
        by_feature = run.has("feature_mean_ratio")
        mean, std = usual(run, "input_mean"), usual(run, "input_std")
        ratio = latest(run, "feature_mean_ratio") if by_feature else abs(mean) / std if std > 0 else 0.0
        if not ratio >= options.off:
            return []
        lost = poor_loss(run, options.poor)
        steep = first_fan_in(run) * ratio * ratio >= options.steep
        signal = "feature_mean_ratio" if by_feature else "input_mean"
        steps = run.series(signal).steps
        where = "of a usual feature lies" if by_feature else "of the inputs lies"
        finding = self.finding(
            f"The mean {where} {number(ratio)} standard deviations from zero (all inputs: mean {number(mean)}, standard"
            f" deviation {number(std)}){f', and {lost.fact}' if lost else ''}.",
            [Evidence(signal, None, int(steps[0]), int(steps[-1]), ratio if by_feature else mean, "about 0")],
            [
                Recommendation(
                    "Standardise the inputs: subtract each feature's (or channel's) mean, divide by its deviation.",
                    "The common offset takes most of the first layer's step; what tells examples apart is left little.",
                    "feature_mean_ratio is near 0, and train_loss falls faster at the same learning rate.",
                    "Use the training data's mean and deviation for validation data as well.",
                    "standardize-inputs",
                    Change("inputs", "as they are", "standardized"),
                ),
                Recommendation(
                    "Or put batch normalisation in front of the first layer, or behind it, before its activation.",
                    "It subtracts the mean of every batch.",
                    "train_loss falls faster at the same learning rate.",
                    "It behaves differently in training and in evaluation: switch with model.train() and model.eval().",
                    "batch-normalization",
                ),
            ],
            severity=Severity.WARNING if lost or steep else Severity.NOTE,
        )
        return [finding]
