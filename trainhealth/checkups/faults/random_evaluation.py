"""CU13 random-evaluation: in evaluation mode the same batch gets a different answer every time."""

from __future__ import annotations

from dataclasses import dataclass

from trainhealth.findings import Confidence, Reference, Severity
from trainhealth.rules.base import Fault, option


class RandomEvaluation(Fault):
    """In evaluation mode the outputs of a batch are random: dropout that model.eval() does not switch off.

    What it detects
        The outputs of a batch in evaluation mode, twice, from different random states; and the dropout functions that
        are called meanwhile (F.dropout and its like, scaled_dot_product_attention).

    Why it matters
        Every prediction and every validation loss is noisy, and worse than the model could do.

    How it decides
        The outputs differ by more than `change` standard deviations, and a dropout function has dropped.

    What to try
        nn.Dropout instead of F.dropout, or F.dropout(x, p, training=self.training).

    When it is wrong
        Dropout that is left on to estimate uncertainty is told. Models that sample otherwise (variational autoencoders,
        policies) are silent, and so is dropout written by hand.
    """

    code = "CU13"
    name = "random-evaluation"
    topic = "mode"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.2"
    references = (
        Reference(
            "Reg Regularization: dropout at test time",
            "At test time no unit is dropped.",
        ),
        Reference(
            "PyTorch, torch.nn.functional.dropout",
            "It drops unless training=False is passed: the module's mode is not asked.",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.dropout.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        change: float = option(1e-4, "standard deviations of the outputs", "rounding of float32 stays below")
