"""CU14 unlearnable-sample: not even some twenty examples can be learnt by heart."""

from __future__ import annotations

from dataclasses import dataclass

from trainhealth.findings import Confidence, Reference, Severity
from trainhealth.rules.base import Fault, option


class UnlearnableSample(Fault):
    """The model can't learn some twenty examples by heart, at any rate that was tried.

    What it detects
        The training loss and the accuracy (regression: the share of the targets' variance that is explained) on a few
        examples, trained on them alone, without dropout and weight decay, with the user's optimizer at several rates.

    Why it matters
        A network has enough parameters to learn twenty examples by heart. If it can't, something is broken: data,
        labels, loss, gradients, or a part that is not trained; no length of training repairs that.

    How it decides
        No rate reaches an accuracy of 1, or `variance` of the variance, or `loss` of the loss at the start where
        neither can be told; for sequences an accuracy of `sequences`. Of examples that are equal and differ in their
        label, only the most frequent label counts. Then the same is tried with Adam on all parameters, and with two
        examples: that tells the optimizer's part, too little capacity, and a bug apart.

    What to try
        What the cause asks for: pass all parameters to the optimizer, widen the model, or look for the bug between
        inputs and loss.

    When it is wrong
        Losses that have a floor above zero (contrastive ones, ones of a likelihood) where no accuracy can be told:
        then it is a hint. Models that need thousands of steps before anything moves. Pretrained parts that are frozen
        on purpose below a head that is too small.
    """

    code = "CU14"
    name = "unlearnable-sample"
    topic = "optimization"
    severity = Severity.CRITICAL
    confidence = Confidence.LIKELY
    since = "0.2"
    references = (
        Reference(
            "Tr1, Training Networks, Part 1: babysitting the learning process",
            "If you can't overfit a tiny piece of data then things are definitely broken.",
        ),
        Reference(
            "Opt, Optimizing Neural Networks: choosing hyperparameters, step 2",
            "Train to 100 % accuracy on a small sample, with the rate and the initialisation varied.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        variance: float = option(0.95, "share of the targets' variance", "house choice")
        loss: float = option(0.05, "share of the first loss", "Tr1: a very small loss, near zero")
        sequences: float = option(0.9, "accuracy", "house choice: the first elements of sequences can't be told")
