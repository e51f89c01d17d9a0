"""CU03 duplicate-features: columns of the input that say the same."""

from __future__ import annotations

from dataclasses import dataclass

from trainhealth.findings import Confidence, Reference, Severity
from trainhealth.rules.base import Fault, option


class DuplicateFeatures(Fault):
    """Several features of the input are copies of each other, up to scale and shift.

    What it detects
        Columns of inputs [N, F] that are equal for every example looked at, after each has been standardised.

    Why it matters
        A copy adds no information, and doubles the rate at which its weights together learn. Often it is a sign that
        another column was meant: a join that went wrong, or the target itself under two names.

    How it decides
        The standardised columns differ by less than `tolerance` in every one of at least `examples` examples. Constant
        columns don't count: constant-features tells those. Columns of two values are compared only with columns of two
        values in the same places, so that flags that happen to agree in a few examples need `examples` times 4.

    What to try
        Leave the copies out, or find the column that was meant.

    When it is wrong
        A unit in two scales (metres and feet) may be there on purpose: a note. Inputs of more than `features` features
        are compared in every k-th column only. Images and sequences are not compared.
    """

    code = "CU03"
    name = "duplicate-features"
    topic = "data"
    severity = Severity.NOTE
    confidence = Confidence.CERTAIN
    since = "0.2"
    references = (
        Reference(
            "L16 Practical Aspects: normalising inputs, PCA and whitening",
            "Correlated inputs make a badly conditioned loss surface; decorrelating them speeds training up.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        tolerance: float = option(1e-4, "standard deviations", "rounding of float32 after a change of units")
        examples: int = option(32, "examples", "house choice: two random columns don't agree in so many")
        features: int = option(2048, "features", "house choice: memory of the comparison")
