"""CU08 unused-input: the outputs are the same, whatever stands in an input."""

from __future__ import annotations

from dataclasses import dataclass

from trainhealth.findings import Confidence, Reference, Severity
from trainhealth.rules.base import Fault, option


class UnusedInput(Fault):
    """The model's outputs do not depend on one of its inputs at all.

    What it detects
        The outputs of a batch in evaluation mode, before and after one input tensor is exchanged between the examples
        (each example gets its neighbour's).

    Why it matters
        A model that does not look at its first input can only learn which answer is frequent. One that ignores another
        input was given it for nothing.

    How it decides
        The input differs between the examples, and no output changes by more than `change` times the size of the
        outputs, after some training.

    What to try
        Follow the input through `forward`: a variable that is overwritten, a branch that is not taken, a detached or
        constant tensor in its place.

    When it is wrong
        Outputs that have collapsed for another reason (dead units, vanishing signals) are the same for all inputs: that
        finding then explains this one. Inputs that only the loss reads (weights of examples) are told if they
        are passed to the model: a note.
    """

    code = "CU08"
    name = "unused-input"
    topic = "mode"
    severity = Severity.CRITICAL
    confidence = Confidence.CERTAIN
    since = "0.2"
    references = (
        Reference(
            "Karpathy 2019, A Recipe for Training Neural Networks: input-independent baseline",
            "Set all inputs to zero: it has to perform worse than with the data; otherwise the model does not look.",
            "https://karpathy.github.io/2019/04/25/recipe/",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        change: float = option(1e-6, "times the largest output", "rounding of float32")
