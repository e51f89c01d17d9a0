"""CU11 mode-gap: the same batch has a much higher loss in evaluation mode than in training mode."""

from __future__ import annotations

from dataclasses import dataclass

from trainhealth.findings import Confidence, Reference, Severity
from trainhealth.rules.base import Fault, option


class ModeGap(Fault):
    """In evaluation mode the model does much worse than in training mode, on the very batches that it was trained on.

    What it detects
        The loss of the same batches in training mode (dropout off) and in evaluation mode, after some training, and
        after the running statistics of batch-norm layers have had time to settle on the final weights.

    Why it matters
        What is measured and used later is the model in evaluation mode. It is not the one that was trained.

    How it decides
        Over up to `batches` batches: the mean loss in evaluation mode is at least `factor` times that in training mode,
        the difference is at least `errors` times its standard error, and it is at least `room` of the loss of guessing.

    What to try
        Larger batches, group or layer normalisation instead of batch norm, a larger batch-norm momentum; one batch-norm
        layer for one kind of data.

    When it is wrong
        A model that is meant to differ (a mixup head, an auxiliary loss in training mode) does. Loss functions without
        a known loss of guessing are judged by the first two conditions alone.
    """

    code = "CU11"
    name = "mode-gap"
    topic = "mode"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.2"
    references = (
        Reference(
            "L16 Practical Aspects, Reg Regularization: batch normalisation at test time",
            "It behaves differently in training and in evaluation: a very common source of bugs.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        batches: int = option(8, "batches", "house choice")
        factor: float = option(1.5, "times the loss in training mode", "house choice: as for batchnorm-mismatch (MO03)")
        errors: float = option(3.0, "standard errors", "house choice: by chance once in a thousand")
        room: float = option(0.1, "of the loss of guessing", "house choice: near 0 a ratio says nothing")
