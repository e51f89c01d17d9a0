"""CU09 detached-loss: no gradient flows from the loss to any parameter."""

from __future__ import annotations

from dataclasses import dataclass

from trainhealth.findings import Confidence, Reference, Severity
from trainhealth.rules.base import Fault


class DetachedLoss(Fault):
    """The loss has no gradient: no backward from it reaches a parameter of the model.

    What it detects
        The graph behind the loss of the first batch: the parameters at its ends.

    Why it matters
        Nothing can be learnt. Where the loss has any other graph (a parameter of the loss function, an input that
        requires a gradient) backward does not even complain.

    How it decides
        No trainable parameter of the model stands at the end of the graph.

    What to try
        Take out what cuts the graph: detach(), .data, .item(), numpy, argmax, rounding, a new tensor made of numbers,
        no_grad() around the forward; set requires_grad on what should learn.

    When it is wrong
        Gradients that a script computes and sets by itself are not seen.
    """

    code = "CU09"
    name = "detached-loss"
    topic = "gradients"
    severity = Severity.CRITICAL
    confidence = Confidence.CERTAIN
    since = "0.2"
    references = (
        Reference(
            "PyTorch, Autograd mechanics",
            "Operations on detached tensors, and those under no_grad, are not recorded in the graph.",
            "https://docs.pytorch.org/docs/stable/notes/autograd.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """It has no thresholds."""
