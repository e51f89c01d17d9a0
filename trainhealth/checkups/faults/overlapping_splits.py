"""CU05 overlapping-splits: validation examples that the model is trained on."""

from __future__ import annotations

from dataclasses import dataclass

from trainhealth.findings import Confidence, Reference, Severity
from trainhealth.rules.base import Fault, option


class OverlappingSplits(Fault):
    """Examples of the validation split are in the training data: validation measures memory.

    What it detects
        Validation examples whose inputs are equal to the bit to those of a training example, among those that were
        drawn of both.

    Why it matters
        The validation loss is then too good, early stopping stops too late, and the model that is chosen is the one
        that has memorised best.

    How it decides
        At least `fewest` validation examples have a twin in training, at least `share` of those drawn, and at least
        `times` as many as training examples have a twin among themselves (data that repeat by nature repeat across
        splits as well). Inputs are compared where an example has at least `numbers` numbers.

    What to try
        Split before anything is copied, augmented or oversampled; split by patient, user or document, not by row.

    When it is wrong
        Only what was drawn is compared: of a loader with a million examples that is a small part, and an overlap of a
        few per cent is missed. Inputs that were augmented are never equal: pass the loader without augmentation.
    """

    code = "CU05"
    name = "overlapping-splits"
    topic = "data"
    severity = Severity.CRITICAL
    confidence = Confidence.CERTAIN
    since = "0.2"
    references = (
        Reference(
            "L16 Practical Aspects: train, validation and test sets",
            "The validation set chooses between models: it must hold examples that training has not seen.",
        ),
        Reference(
            "Kapoor and Narayanan 2023, Leakage and the reproducibility crisis in machine-learning-based science",
            "Duplicates across splits are among the leaks found in 17 fields.",
            "https://doi.org/10.1016/j.patter.2023.100804",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        fewest: int = option(3, "examples", "house choice: fewer may be chance")
        share: float = option(0.005, "share of the validation examples", "house choice: below it no curve shows it")
        times: float = option(5.0, "times the share of twins within training", "house choice")
        numbers: int = option(8, "numbers an example", "house choice: fewer repeat by chance")
