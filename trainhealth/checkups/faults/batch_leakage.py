"""CU07 batch-leakage: an example's output depends on the other examples of its batch."""

from __future__ import annotations

from dataclasses import dataclass

from trainhealth.findings import Confidence, Reference, Severity
from trainhealth.rules.base import Fault, option


class BatchLeakage(Fault):
    """In evaluation mode the output for one example changes when another example of the batch is exchanged.

    What it detects
        The model's output for an example, before and after another example of the batch is replaced by a third one.
        Every module is in evaluation mode, so that batch norm takes its running statistics and dropout is off.

    Why it matters
        Examples get mixed: a `view` or `reshape` that should have been a transpose, a softmax or a mean over the batch
        axis, a recurrent layer that takes the batch for time. The model trains all the same, worse than it could, and
        in use its answer depends on the company.

    How it decides
        The output of an example changes by more than `change` times the standard deviation of all outputs, after some
        training, in at least one of `pairs` exchanges.

    What to try
        Follow the shapes layer by layer; permute or transpose axes, view only splits or joins neighbours;
        batch_first=True; dim=-1 in softmax and normalisation.

    When it is wrong
        Models that are meant to compare the examples of a batch: graph networks, where the batch is one graph,
        contrastive models that return [N, N] (not checked), mixtures of experts with a capacity, batch norm without
        running statistics. Where the first axis counts time ([T, N]) and nothing tells so: not checked.
    """

    code = "CU07"
    name = "batch-leakage"
    topic = "mode"
    severity = Severity.CRITICAL
    confidence = Confidence.LIKELY
    since = "0.2"
    references = (
        Reference(
            "Karpathy 2019, A Recipe for Training Neural Networks: use backprop to chart dependencies",
            "A view instead of a transpose mixes information across the batch, and the network still trains.",
            "https://karpathy.github.io/2019/04/25/recipe/",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        change: float = option(1e-4, "standard deviations of the outputs", "rounding of float32 stays below")
        pairs: int = option(3, "exchanges", "house choice: one may hit twins")
