"""IN01 vanishing-activations: from the start the signal fades from layer to layer, and training does not get going."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import EXPLOSION, UNLEARNT, recent_level, untrained_loss
from trainhealth.rules.signal_chains import BOUNDED, Chain, fading_chains, spread
from trainhealth.rules.update_ratio import explains_standstill, model_update_ratio
from trainhealth.rules.weights import relative_gradient
from trainhealth.series import RunView


class VanishingActivations(Rule):
    """The initial weights are too small for the depth: the signal fades from layer to layer, and the gradient with it.

    What it detects
        example_std at the first sample (step 0 or 1), the std of an output over the examples of a batch (in a log that
        lacks it, activation_std, over examples and units), along a chain: activation functions of one kind in order of
        execution with no normalisation layer between them. It falls by about the same factor in every layer.

    Why it matters
        A gradient is the product of the signals and weights on its way. Where both shrink with depth it vanishes, the
        loss stays where it began for a long time, and plain SGD may never leave it.

    How it decides
        factor = std of the chain's first function / std of its last (at least 3 functions; at least half of the
        layers let it fall, and none makes up more than 0.7 of the fall on the logarithmic scale). It matters only where
        the loss shows it, after at least `least_steps`, and never jumped above 3 times its start: a faded signal moves
        nothing that far. level = median of the last tenth of train_loss / untrained loss (the first one, or that of
        guessing where it is lower).
        (1) level is at least 0.9 and factor at least `strong`; or factor is at least `mild`, the relative gradient,
        norm of gradient over norm of weight (median over weights) before the first update, is at most
        `small_gradient`, and the learning rate does not explain the standstill (see learning-rate-too-low).
        (2) level is at least `poor` after twice as many steps, and factor at least `strong`.
        (3) The loss stood above 0.95 of the untrained one for at least `late` of the run, and then fell, and factor is
        at least `strong`: a note.

    What to try
        He initialisation for ReLU and its like, Xavier for tanh; batch normalisation; residual connections.

    When it is wrong
        Default initialisation of deep ReLU nets shrinks the signal, too (0.4 to 0.6 a layer); adaptive optimizers
        train them all the same: silent. A task that can't be learnt keeps the loss of such a net at its start. Parallel
        branches are read as one chain. In a log without example_std a bias that differs between units keeps the std up
        while the signal fades: the rule then misses it. Behind normalisation, and in residual networks, there is no
        chain.
    """

    code = "IN01"
    name = "vanishing-activations"
    topic = "initialization"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("example_std|activation_std", "train_loss")
    uses = ("parameter_gradient_norm", "parameter_norm", "update_ratio", "learning_rate")
    references = (
        Reference(
            "Tr1 Training Networks (Part 1): weight initialization",
            "tanh, 10 layers, W = 0.01 randn: std 0.213, 0.0476, …, 1e-6; all activations become zero.",
        ),
        Reference(
            "Reg Regularization: weight initialization",
            "With small weights activations tend to zero for deeper layers; gradients are all zero, no learning.",
        ),
        Reference(
            "Opt Optimizing Neural Networks: learning curves",
            "A loss that is flat and then falls: bad initialization is a prime suspect.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        mild: float = option(5.0, "times", "house choice: default nets of 6 and more layers, which SGD could not train")
        strong: float = option(100.0, "times", "house choice: lecture Tr1's W = 0.01 randn gives 100 in 4 layers")
        small_gradient: float = option(3e-3, "gradient norm / weight norm", "house choice: healthy nets had 1e-2 to 1")
        poor: float = option(0.6, "share of the untrained loss", "house choice: as for the other rules")
        late: float = option(0.25, "share of the run's steps", "house choice")
        least_steps: int = option(100, "steps", "lecture Opt: the loss should drop within about 100 iterations")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding for the chain that fades most, if the loss does not get going."""
        first_sample = int(spread(run).steps[0])
        if first_sample > 1:
            return NotChecked(f"the log begins at step {first_sample}: how the signal passed at first was not seen")
        chain = max(fading_chains(run), key=lambda one: one.fall, default=None)
        if chain is None or chain.fall < options.mild or run.last_step + 1 < options.least_steps or _jumped(run):
            return []
        level, strong = _level(run), chain.fall >= options.strong
        now, untrained = number(level * untrained_loss(run)), number(untrained_loss(run))
        fact = f"train_loss is still {now} after {run.last_step + 1} steps (untrained: {untrained})"
        if level >= UNLEARNT:
            severity = Severity.CRITICAL if strong else Severity.WARNING
            faded = relative_gradient(run, first_sample) <= options.small_gradient and not _rate_too_low(run)
            return [self._describe(run, chain, fact, severity)] if strong or faded else []
        if strong and level >= options.poor and run.last_step + 1 >= 2 * options.least_steps:
            return [self._describe(run, chain, fact, Severity.WARNING)]
        until = _flat_until(run)
        if strong and until >= max(options.late * run.last_step, options.least_steps):
            fact = f"train_loss was flat until step {until}; since then it falls, so that training has healed it"
            return [self._describe(run, chain, fact, Severity.NOTE)]
        return []

    def _describe(self, run: RunView, chain: Chain, fact: str, severity: Severity) -> Finding:
        columns = spread(run)
        step = int(columns.steps[0])
        factor = f"{number(float(f'{chain.fall:.2g}'))}-fold" if math.isfinite(chain.fall) else "to nothing"
        return self.finding(
            f"At step {step} the signal fades over {len(chain.places)} {chain.function} layers: its std falls from "
            f"{number(float(chain.stds[0]))} ({chain.places[0]}) to {number(float(chain.stds[-1]))} "
            f"({chain.places[-1]}), {factor}; {fact}.",
            [
                Evidence(columns.signal, place, step, step, float(std), f"about {number(float(chain.stds[0]))}")
                for place, std in zip(chain.places, chain.stds, strict=True)
            ],
            _recommend(run, chain),
            severity=severity,
        )


def _level(run: RunView) -> float:
    """Return the median of the last tenth of the losses as a share of the untrained loss; 0 where it is no number."""
    losses = run.series("train_loss").finite().values
    untrained = untrained_loss(run)
    return recent_level(losses) / untrained if untrained > 0 else 0.0


def _jumped(run: RunView) -> bool:
    losses = run.series("train_loss").values
    return len(losses) > 0 and bool((losses > EXPLOSION * losses[0]).any() or not np.isfinite(losses).all())


def _rate_too_low(run: RunView) -> bool:
    ratios = model_update_ratio(run).values
    rate = run.learning_rate.at(run.last_step)
    return len(ratios) > 0 and explains_standstill(run, float(np.median(ratios)), rate)


def _flat_until(run: RunView) -> int:
    """Return the step up to which the loss stood above 0.95 of the untrained loss; 0 where it fell at once."""
    parts = curves.blocks(run.series("train_loss"))
    left = np.flatnonzero(parts.medians < 0.95 * untrained_loss(run))
    return int(parts.first_steps[left[0]]) if len(left) else 0


def _recommend(run: RunView, chain: Chain) -> Iterable[Recommendation]:
    verify = "At step 0 the activation std of the last layer is at least half of the first one's, and train_loss falls."
    if chain.function == "sigmoid":
        yield Recommendation(
            "Use ReLU with He initialisation in the hidden layers.",
            "A sigmoid passes a quarter of the signal at most: it fades fourfold a layer, with Xavier's weights, too.",
            verify,
            recipe="relu-instead-of-sigmoid",
        )
    bounded = chain.function in BOUNDED
    name, formula, gain = ("Xavier", "1/sqrt(fan_in)", 1.0) if bounded else ("He", "sqrt(2/fan_in)", 2.0)
    if chain.function == "sigmoid":
        formula, gain = "4/sqrt(fan_in)", 16.0  # the slope at 0 is 1/4
    yield Recommendation(
        f"Initialise layers {chain.layers[0]} to {chain.layers[-1]} with {name}: weights of std {formula}, biases 0.",
        _weight_size(run, chain, gain)
        or f"The weights are too small: {name} keeps the std the same from layer to layer.",
        verify,
        recipe="xavier-initialization" if bounded else "he-initialization",
        change=Change("initialization", "too small", "xavier" if bounded else "he"),
    )
    yield Recommendation(
        f"Or put batch normalisation before every {chain.function}.",
        "It brings the signal back to a standard deviation of 1 in every layer, whatever the weights.",
        verify,
        "It behaves differently in training and in evaluation: switch with model.train() and model.eval().",
        "batch-normalization",
    )
    yield Recommendation(
        "Or add residual connections around pairs of layers.",
        "Signal and gradient then have a way that no weights shrink.",
        verify,
        recipe="residual-connections",
    )


def _weight_size(run: RunView, chain: Chain, gain: float) -> str:
    """Return how large the weights of the chain's last layer are and should be, in words; empty where unknown."""
    name = f"{chain.layers[-1]}.weight"
    entry = next((entry for entry in run.parameters if entry.name == name), None)
    norms = run.columns("parameter_norm").place(name).finite().values
    if entry is None or len(entry.shape) < 2 or not len(norms):
        return ""
    size, fan_in = math.prod(entry.shape), math.prod(entry.shape[1:])
    std, wanted = float(norms[0]) / math.sqrt(size), math.sqrt(gain / fan_in)
    return f"Layer {chain.layers[-1]} has weights of std {number(std)}; for {fan_in} inputs {number(wanted)} is right."
