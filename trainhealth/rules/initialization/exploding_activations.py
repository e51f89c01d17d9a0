"""IN02 exploding-activations: from the start the signal grows from layer to layer, and training suffers from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import poor_loss
from trainhealth.rules.chance import Chance, chance_level
from trainhealth.rules.signal_chains import Chain, growing_chains, spread
from trainhealth.series import RunView


class ExplodingActivations(Rule):
    """The initial weights are too large for the depth: the signal grows from layer to layer, and with it the loss.

    What it detects
        example_std at the first sample (step 0 or 1), the std of an output over the examples of a batch (in a log that
        lacks it, activation_std), along a chain: unbounded activation functions of one kind in order of execution with
        no normalisation layer between them.

    Why it matters
        Outputs, and so the loss and its gradients, are as many times too large. The first updates throw the weights
        about, or the numbers overflow.

    How it decides
        growth = std of the chain's last function / std of its first (at least 3 functions; at least half of the layers
        let it grow, and none makes up more than 0.7 of it on the logarithmic scale) is at least `strong`, and the loss
        shows it: the first one is at least `implausible` times that of a model that knows nothing, or train_loss is
        poor: it broke, or stands above `poor` of the untrained loss.

    What to try
        He initialisation for ReLU and its like; batch normalisation; for residual branches a zero as last weight.

    When it is wrong
        The signal of a residual net without normalisation grows with every block; where the loss begins and falls as it
        should, that is no illness: silent. Behind normalisation there is no chain. Parallel branches are read as one
        chain. Bounded functions can't explode: there saturated-activations looks.
    """

    code = "IN02"
    name = "exploding-activations"
    topic = "initialization"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("example_std|activation_std", "train_loss")
    references = (
        Reference(
            "UO, Underfitting, Overfitting, Regularization, Optimization: parameter initialization",
            "Weights that are too large give exploding values in forward or backward propagation.",
        ),
        Reference(
            "He et al. 2015, Delving Deep into Rectifiers, section 2.2",
            "A factor other than 1 a layer reduces or magnifies the signal exponentially with depth.",
            "https://arxiv.org/abs/1502.01852",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        strong: float = option(100.0, "times", "house choice: as for vanishing-activations")
        implausible: float = option(3.0, "times the loss of guessing", "lectures L16 and Tr1: 3 x the original cost")
        poor: float = option(0.6, "share of the untrained loss", "house choice: as for the other rules")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding for the chain that grows most, if the loss shows it."""
        first_sample = int(spread(run).steps[0])
        if first_sample > 1:
            return NotChecked(f"the log begins at step {first_sample}: how the signal passed at first was not seen")
        chain = max(growing_chains(run), key=lambda one: one.growth, default=None)
        if chain is None or chain.growth < options.strong:
            return []
        lost = poor_loss(run, options.poor)
        start, chance = float(run.series("train_loss").values[0]), chance_level(run)
        guess = chance.untrained * chance.scale if isinstance(chance, Chance) else 0.0
        if guess > 0 and not start < options.implausible * guess:
            fact = f"train_loss begins at {number(start)}, where guessing gives {number(guess)}"
        elif lost:
            fact = lost.fact
        else:
            return []
        return [self._describe(run, chain, fact, Severity.CRITICAL if lost else Severity.WARNING)]

    def _describe(self, run: RunView, chain: Chain, fact: str, severity: Severity) -> Finding:
        columns = spread(run)
        step, first = int(columns.steps[0]), float(chain.stds[0])
        return self.finding(
            f"At step {step} the signal grows over {len(chain.places)} {chain.function} layers: its std rises from "
            f"{number(first)} ({chain.places[0]}) to {number(float(chain.stds[-1]))} ({chain.places[-1]}), "
            f"{number(float(f'{chain.growth:.2g}'))}-fold; {fact}.",
            [
                Evidence(columns.signal, place, step, step, float(std), f"about {number(first)}")
                for place, std in zip(chain.places, chain.stds, strict=True)
            ],
            _recommend(chain),
            severity=severity,
        )


def _recommend(chain: Chain) -> Iterable[Recommendation]:
    verify = "At step 0 the activation std of the last layer is at most twice the first one's, and train_loss falls."
    yield Recommendation(
        f"Initialise layers {chain.layers[0]} to {chain.layers[-1]} with He: weights of std sqrt(2/fan_in), biases 0.",
        "The weights are too large: He keeps the std the same from layer to layer.",
        verify,
        recipe="he-initialization",
        change=Change("initialization", "too large", "he"),
    )
    yield Recommendation(
        f"Or put batch normalisation before every {chain.function}.",
        "It brings the signal back to a standard deviation of 1 in every layer, whatever the weights.",
        verify,
        "It behaves differently in training and in evaluation: switch with model.train() and model.eval().",
        "batch-normalization",
    )
