"""CU10 unreached-parameters: trainable parameters that no batch gives a gradient."""

from __future__ import annotations

from dataclasses import dataclass

from trainhealth.findings import Confidence, Reference, Severity
from trainhealth.rules.base import Fault, option


class UnreachedParameters(Fault):
    """Trainable parameters got no gradient on any batch: the loss does not depend on them.

    What it detects
        Of every trainable parameter, whether a backward from the loss has ever filled its gradient, over the batches of
        the watched start.

    Why it matters
        They stay as they were drawn. Often that is a head that is not used; sometimes it is a layer that `forward`
        forgot, and distributed training stops with an error.

    How it decides
        The gradient was missing (None) at every one of at least `steps` steps. Parameters that frozen-parameters names
        already don't count.

    What to try
        Use the layer in `forward`, or take it out of the model; requires_grad=False for what is meant to stay.

    When it is wrong
        Branches that are taken seldom (experts, stochastic depth) may not have come up. A note: unused parts do no
        harm to the rest.
    """

    code = "CU10"
    name = "unreached-parameters"
    topic = "gradients"
    severity = Severity.NOTE
    confidence = Confidence.CERTAIN
    since = "0.2"
    references = (
        Reference(
            "PyTorch, DistributedDataParallel: find_unused_parameters",
            "Parameters that receive no gradient in a backward make the reduction wait, and the training fail.",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        steps: int = option(4, "steps", "house choice: the fewest that a watched start has")
