"""IN04 unsuited-initialization: weights far too large or too small for the activation function after them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.records import LayerEntry, ParameterEntry
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import poor_loss
from trainhealth.rules.chance import Chance, chance_level
from trainhealth.rules.objective import moving_target
from trainhealth.rules.signal_chains import BOUNDED, UNBOUNDED
from trainhealth.series import RunView

_SIMPLE = ("Linear", "Conv", "LazyLinear", "LazyConv")  # types of layers whose weights are [outputs, inputs, ...]
_ENOUGH = 16  # elements: how a few were drawn, nobody can tell


class _Weight(NamedTuple):
    """A weight before an activation function: its entry, the function, its first moments, and what would suit."""

    entry: ParameterEntry
    function: str
    std: float
    mean: float
    fan_in: int
    suited: float

    @property
    def size(self) -> float:
        """The std of elements that make the same sums: a mean adds up over the inputs, and a spread cancels."""
        return math.hypot(self.std, self.mean * math.sqrt(self.fan_in))

    @property
    def ratio(self) -> float:
        return self.size / self.suited


class UnsuitedInitialization(Rule):
    """The initial weights are far from the size that suits the activation function after them, and the loss shows it.

    What it detects
        The size of a weight at the first sample (step 0 or 1), sqrt(weight_std^2 + fan_in x weight_mean^2), of layers
        that an activation function follows, against sqrt(2 / fan_in) (He) for ReLU and its like and 1 / sqrt(fan_in)
        (Xavier) for tanh and sigmoid.

    Why it matters
        A layer multiplies the signal's standard deviation by about size / suited, forwards and backwards: far above 1
        outputs and loss explode or units saturate, far below 1 signal and gradient fade. A mean counts sqrt(fan_in)
        times as much as a spread: inputs of one sign, as a ReLU gives, add up instead of cancelling.

    How it decides
        ratio = size / suited is at least `large` before an unbounded function, or at most `small` before any, and
        the loss shows it: at a large ratio the first one is at least `implausible` times that of a model that knows
        nothing, or train_loss is poor (it broke, or stands above `poor` of the untrained loss); at a small ratio it
        still stands above 0.9 of the untrained loss.

    What to try
        He before ReLU, Xavier before tanh and sigmoid, with the numbers of these layers.

    When it is wrong
        torch's defaults are 0.41 of He for linear and convolution layers, and train well at ordinary depths: silent.
        Before a normalisation layer the size does not matter: such weights are not judged, nor are embeddings, output
        layers, attention and recurrent weights. Of a layer of the user's own its only matrix is judged, whichever way
        round it stands. A weight of exactly 0 is often meant: not judged, nor is one of fewer than 16 elements. Where
        the loss begins and falls as it should, any size is good. What too large weights do to tanh and sigmoid is
        saturated-activations' matter.
    """

    code = "IN04"
    name = "unsuited-initialization"
    topic = "initialization"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("weight_std", "train_loss")
    uses = ("weight_mean",)
    references = (
        Reference(
            "L16 Practical Aspects, Tr1 Training Networks (Part 1): weight initialization",
            "Xavier: std = 1/sqrt(fan_in) for tanh; for ReLU sqrt(2/fan_in) (He).",
        ),
        Reference(
            "He et al. 2015, Delving Deep into Rectifiers, section 2.2",
            "The variance of the signal is multiplied by fan_in x variance / 2 in each ReLU layer.",
            "https://arxiv.org/abs/1502.01852",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        large: float = option(4.0, "times the suited std", "house choice: signal 16 times as large after two layers")
        small: float = option(0.1, "times the suited std", "house choice: a quarter of torch's default before ReLU")
        implausible: float = option(3.0, "times the loss of guessing", "lectures L16 and Tr1: 3 x the original cost")
        poor: float = option(0.6, "share of the untrained loss", "house choice: as for the other rules")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding for the weights that don't suit, if the loss shows it."""
        first_sample = int(run.columns("weight_std").steps[0])
        if first_sample > 1:
            return NotChecked(f"the log begins at step {first_sample}: how the weights were drawn was not seen")
        weights = _before_functions(run)
        large = [weight for weight in weights if weight.ratio >= options.large and weight.function in UNBOUNDED]
        small = [weight for weight in weights if 0 < weight.ratio <= options.small]
        unsuited = large if len(large) >= len(small) else small
        if not unsuited or moving_target(run):
            return []
        start, chance = float(run.series("train_loss").values[0]), chance_level(run)
        guess = chance.untrained * chance.scale if isinstance(chance, Chance) else 0.0
        if large and guess > 0 and not start < options.implausible * guess:
            fact = f"train_loss begins at {number(start)}, where guessing gives {number(guess)}"
        elif (lost := poor_loss(run, options.poor)) and (unsuited is large or lost.kind == "stuck"):
            fact = lost.fact
        else:
            return []
        return [self._describe(unsuited, fact, first_sample)]

    def _describe(self, unsuited: list[_Weight], fact: str, step: int) -> Finding:
        worst = max(unsuited, key=lambda weight: abs(math.log(weight.ratio)))
        size = "large" if worst.ratio > 1 else "small"
        times = worst.ratio if worst.ratio > 1 else 1 / worst.ratio
        others = f" ({len(unsuited)} weights are too {size})" if len(unsuited) > 1 else ""
        alike = abs(worst.mean) > worst.std
        start = (
            f"at {number(worst.mean)} in every element" if worst.std == 0 else f"with a mean of {number(worst.mean)}"
        )
        start = start if alike else f"with a std of {number(worst.std)}"
        return self.finding(
            f"{worst.entry.name} starts {start}, {number(float(f'{times:.2g}'))} times too {size} before "
            f"{worst.function}{others}; {fact}.",
            [_evidence(weight, step) for weight in unsuited],
            [_advice(worst)],
        )


def _before_functions(run: RunView) -> list[_Weight]:
    """Return the weights of layers that an activation function follows, with the std that suits it."""
    functions = {e.fed_by: e.activation for e in run.layers if e.activation in BOUNDED + UNBOUNDED and e.fed_by}
    found = []
    for entry in run.parameters:
        function, layer = functions.get(entry.layer), run.layer(entry.layer)
        stds, means = (run.columns(f"weight_{name}").place(entry.name).finite().values for name in ("std", "mean"))
        mean = float(means[0]) if len(means) else 0.0
        fan_in = _fan_in(run, entry, layer) if layer else 0
        drawn = math.prod(entry.shape) >= _ENOUGH and len(stds) > 0 and (stds[0] > 0 or mean != 0)
        if function and fan_in and drawn:
            gain = 1.0 if function in BOUNDED else 2.0
            found.append(_Weight(entry, function, float(stds[0]), mean, fan_in, math.sqrt(gain / fan_in)))
    return found


def _fan_in(run: RunView, entry: ParameterEntry, layer: LayerEntry) -> int:
    """Return how many inputs each output of the layer sums up; 0 where the weight is of another kind, or unclear.

    A layer of the user's own may hold its matrix either way round: the axis that is as long as its outputs is theirs.
    """
    if len(entry.shape) < 2:
        return 0
    if layer.type.startswith(_SIMPLE):
        return math.prod(entry.shape[1:])
    matrices = [other for other in run.parameters if other.layer == entry.layer and len(other.shape) > 1]
    own, units = len(matrices) == 1 and len(entry.shape) == 2 and not layer.type.startswith("Embedding"), layer.units
    return math.prod(entry.shape) // units if own and units and units in entry.shape else 0


def _evidence(weight: _Weight, step: int) -> Evidence:
    alike, suited = abs(weight.mean) > weight.std, f"about {number(float(f'{weight.suited:.2g}'))}"
    if alike:
        return Evidence("weight_mean", weight.entry.name, step, step, weight.mean, f"0, and a std of {suited}")
    return Evidence("weight_std", weight.entry.name, step, step, weight.std, suited)


def _advice(worst: _Weight) -> Recommendation:
    bounded = worst.function in BOUNDED
    call = "xavier_normal_(weight)" if bounded else "kaiming_normal_(weight, nonlinearity='relu')"
    return Recommendation(
        f"Initialise with torch.nn.init.{call}: {worst.entry.name} from std {number(worst.std)} to "
        f"{number(float(f'{worst.suited:.2g}'))}, around 0; biases 0.",
        f"With {worst.fan_in} inputs that keeps the signal's size from layer to layer.",
        "The first train_loss is near that of guessing, and it falls from there.",
        recipe="xavier-initialization" if bounded else "he-initialization",
        change=Change("initialization", "unsuited", "xavier" if bounded else "he"),
    )
