"""CU12 nondeterministic-training: two trainings from one seed differ."""

from __future__ import annotations

from dataclasses import dataclass

from trainhealth.findings import Confidence, Reference, Severity
from trainhealth.rules.base import Fault, option


class NondeterministicTraining(Fault):
    """Two trainings from the same weights, batches and random states come to different losses.

    What it detects
        The losses of the first steps of two copies, with the random states of Python, numpy and torch set alike.

    Why it matters
        A result can't be repeated, and a change can't be told from chance.

    How it decides
        A loss of the first `steps` steps differs in any bit.

    What to try
        torch.use_deterministic_algorithms(True) names the operation; a generator of your own gets a fixed seed.

    When it is wrong
        Accelerators add in any order, and are fast by it: many accept that. A note.
    """

    code = "CU12"
    name = "nondeterministic-training"
    topic = "mode"
    severity = Severity.NOTE
    confidence = Confidence.CERTAIN
    since = "0.2"
    references = (
        Reference(
            "PyTorch, Reproducibility",
            "Results may differ between runs; deterministic algorithms and seeded generators limit that.",
            "https://docs.pytorch.org/docs/stable/notes/randomness.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        steps: int = option(3, "steps", "house choice: an update has then acted on the loss")
