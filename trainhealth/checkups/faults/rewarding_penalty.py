"""CU02 rewarding-penalty: a penalty with the wrong sign, which makes the weights grow."""

from __future__ import annotations

from dataclasses import dataclass

from trainhealth.findings import Confidence, Reference, Severity
from trainhealth.rules.base import Fault, option


class RewardingPenalty(Fault):
    """The loss falls when all weights grow, whatever the data: a penalty that was meant to restrain them rewards them.

    What it detects
        The part of the loss that does not pass through the model's outputs: its gradient with respect to the
        parameters, and the angle of that gradient with the parameters themselves.

    Why it matters
        Regularisation has to raise the loss. One that is subtracted makes the weights run away, without end.

    How it decides
        The cosine between the penalty's gradient and the parameters that it acts on is at most `cosine`. For any norm
        of the weights (L1, L2, elastic net) with the right sign it is positive, for L2 it is 1.

    What to try
        Add the penalty to the loss; a coefficient is positive.

    When it is wrong
        A term that keeps weights away from zero on purpose (a barrier, a unit-norm constraint on short weights) looks
        alike.
    """

    code = "CU02"
    name = "rewarding-penalty"
    topic = "loss"
    severity = Severity.CRITICAL
    confidence = Confidence.LIKELY
    since = "0.2"
    references = (
        Reference(
            "Tr1, Training Networks (Part 1); Opt, step 1 of choosing hyperparameters",
            "Crank up the regularisation: the loss has to go up.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        cosine: float = option(-0.5, "1", "house choice: far from 0, where constraints of unit norm lie")
