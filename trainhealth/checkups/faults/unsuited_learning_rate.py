"""CU15 unsuited-learning-rate: from the same start, another learning rate trains far better."""

from __future__ import annotations

from dataclasses import dataclass

from trainhealth.findings import Change, Confidence, Evidence, Finding, Recommendation, Reference, Severity
from trainhealth.rules.base import Fault, number, option


class UnsuitedLearningRate(Fault):
    """The optimizer's learning rate gets less than half as far as another one, from the same start.

    What it detects
        The held-out loss after a short training with the optimizer's rate, against the one with the rate that the
        search found best: same start, same batches, as many steps.

    Why it matters
        The learning rate decides more than any other setting. Too high, and the loss breaks or stays; too low, and the
        run ends before it gets anywhere.

    How it decides
        The fall of the held-out loss with the optimizer's rate is less than `share` of the fall with the best one, and
        the rates are at least `apart` times apart. Where the run is planned for n times as many steps as were tried, a
        rate that is too low for those may be right for the run: n times the rate has to fall short as well. Of a rate
        that a scheduler raises later, the highest counts, and it is not called too high. Silent where no rate lets the
        loss fall by 5 %, and not checked where the loss uses another model that trains as well, as in a GAN.

    What to try
        The suggested rate.

    When it is wrong
        A rate that is right for a week looks low after some hundred steps (short-horizon bias): hence only where it
        gets less than half as far. A schedule that is not attached to the optimizer can't be seen.
    """

    code = "CU15"
    name = "unsuited-learning-rate"
    topic = "optimization"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.2"
    references = (
        Reference(
            "Opt, Optimizing Neural Networks: choosing hyperparameters, step 3",
            "Find a rate that makes the loss drop significantly within about 100 steps.",
        ),
        Reference(
            "Tr1, Training Networks, Part 1: babysitting the learning process",
            "The loss does not go down: the rate is too low. It explodes: the rate is too high.",
        ),
        Reference(
            "Wu et al. 2018, Understanding Short-Horizon Bias in Stochastic Meta-Optimization",
            "What looks best after few steps need not be best in the long run.",
            "https://arxiv.org/abs/1803.02021",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        share: float = option(0.5, "share of the best rate's fall", "house choice: far outside of what noise does")
        apart: float = option(2.0, "times", "Bengio 2012: rates matter up to about a factor of two")

    def found(self, rate: float, loss: float, best_rate: float, best_loss: float, start: float, steps: int) -> Finding:
        """Return the finding for an optimizer's rate and the best one, with the held-out losses that they reach."""
        high = rate > best_rate
        reached = f"reaches {number(loss)}" if loss <= start else "breaks" if loss == float("inf") else "rises"
        evidence = Evidence(
            "learning_rate", None, 0, steps, rate, f"about {number(best_rate)}: reaches {number(best_loss)}"
        )
        return self.finding(
            f"the learning rate {number(rate)} is too {'high' if high else 'low'}: within {steps} steps the held-out "
            f"loss ({number(start)} at the start) {reached}, and with {number(best_rate)} it reaches "
            f"{number(best_loss)}",
            [evidence],
            [
                Recommendation(
                    f"set the learning rate to {number(best_rate)}",
                    "of the rates tried from this start, none gets notably further",
                    f"the held-out loss is near {number(best_loss)} after {steps} steps",
                    "longer runs without decay may want a little less",
                    "find-learning-rate",
                    Change("learning_rate", rate, best_rate),
                )
            ],
            severity=Severity.CRITICAL if loss > start else None,
        )
