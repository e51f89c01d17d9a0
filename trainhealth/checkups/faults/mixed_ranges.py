"""CU06 mixed-ranges: some images from 0 to 255, others from 0 to 1."""

from __future__ import annotations

from dataclasses import dataclass

from trainhealth.findings import Confidence, Reference, Severity
from trainhealth.rules.base import Fault, option


class MixedRanges(Fault):
    """Some images were scaled and others were not: they come in ranges that differ by a factor of about 255.

    What it detects
        The largest absolute value of every image [C, H, W] that was drawn.

    Why it matters
        To the model the unscaled ones are 255 times as bright: they alone make the loss and the gradients.

    How it decides
        Sorted by their largest value, the images fall into two groups with a gap of at least `gap` between them, each
        with at least `share` of the images. Images without any signal (all zero) don't count.

    What to try
        One place that scales, for every file format and every branch of the data pipeline.

    When it is wrong
        Measurements of very different brightness that are meant to be (astronomy, counts) may have such a gap: those
        are rarely empty in between.
    """

    code = "CU06"
    name = "mixed-ranges"
    topic = "data"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.2"
    references = (
        Reference(
            "L16 Practical Aspects, Tr1 Training Networks (Part 1): data preprocessing",
            "All inputs get the same mean and scale, that of the training set.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        gap: float = option(30.0, "times", "house choice: between 1 (scaled by 1/255) and the darkest of 0 to 255")
        share: float = option(0.02, "share of the images", "house choice: fewer are outliers")
