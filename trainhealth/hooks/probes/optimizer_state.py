"""What adaptive optimizers remember of a parameter's gradients, and the rate that it amounts to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from torch import Tensor
from torch.optim import Adagrad, Adam, NAdam, Optimizer, RAdam, RMSprop

from trainhealth.hooks.probes.base import Probe
from trainhealth.hooks.probes.gradients import dense_values
from trainhealth.hooks.sample import Parameter, Sample
from trainhealth.hooks.strided import stacked, stride_for

LARGEST_STATE = 1 << 12  # elements of which the mean is taken: of a larger parameter every k-th
MEDIAN_OF = 1 << 8  # elements of which the median is taken: it costs sixty times as much

_Settings: TypeAlias = Mapping[str, float]


class OptimizerState(Probe):
    """Reads the second moments v that an optimizer divides by.

    For Adam, AdamW, NAdam and RAdam (arXiv:1412.6980, 1711.05101, Dozat 2016, 1908.03265), RMSprop (Hinton 2012) and
    Adagrad (Duchi et al. 2011), by the formulas of torch.optim. The effective rate is ``rate / (sqrt(v) + eps)``, with
    v as the optimizer uses it: bias corrected by Adam's kind, the largest so far under AMSGrad, centred by a centred
    RMSprop. The second moment is ``sqrt(mean v)``, bias corrected for all; of Adagrad's sum, the mean over its steps.
    """

    name = "optimizer_state"
    signals = ("effective_learning_rate", "second_moment")

    def optimizer_stepped(self, optimizer: Optimizer, parameters: Sequence[Parameter], sample: Sample) -> None:
        """Put both for the parameters of one optimizer."""
        kind = next((kind for type_, kind in _KINDS.items() if isinstance(optimizer, type_)), None)
        if kind is None:
            return
        known = {id(parameter.tensor): parameter for parameter in parameters}
        for group in optimizer.param_groups:
            settings = _settings(group)
            moment = "max_exp_avg_sq" if group.get("amsgrad") else kind.moment
            states = [(known[id(p)], optimizer.state.get(p)) for p in group["params"] if id(p) in known]
            having = [(parameter, state) for parameter, state in states if state and moment in state]
            if settings is not None and having:
                centre = "grad_avg" if group.get("centered") else None
                _put(sample, kind, settings, having, moment, centre, _number(group["lr"]))


def _put(
    sample: Sample,
    kind: _Kind,
    settings: _Settings,
    having: Sequence[tuple[Parameter, Mapping[str, Any]]],
    moment: str,
    centre: str | None,
    learning_rate: Tensor | float,
) -> None:
    centres = [dense_values(state[centre]) for _, state in having] if centre else []
    centred = stacked(centres, LARGEST_STATE)
    for positions, values in stacked([dense_values(state[moment]) for _, state in having], LARGEST_STATE):
        of = [having[position][0] for position in positions]
        steps = [_number(having[position][1]["step"]) for position in positions]
        finish = partial(kind.second_moment, settings)
        sample.parameters("second_moment", of, values.mean(1).unbind(), steps, finish=finish)
        if centre:
            _, means = next(centred)  # of the same shapes, and so in the same order
            values = values.addcmul_(means, means, value=-1).clamp_(min=0.0)
        medians = values[:, :: stride_for([values.shape[1]], MEDIAN_OF)].median(1).values
        rates = [learning_rate] * len(of)
        finish = partial(kind.effective_rate, settings)
        sample.parameters("effective_learning_rate", of, medians.unbind(), steps, rates, finish=finish)


def _number(value: Any) -> Tensor | float:
    """Return a number of the optimizer's; a tensor where reading it would make a device wait."""
    return value.detach() if isinstance(value, Tensor) and not value.is_cpu else float(value)


def _settings(group: Mapping[str, Any]) -> dict[str, float] | None:
    """Return the group's constants; None where they stand on a device."""
    named = {name: group[name] for name in ("eps", "alpha", "lr_decay") if name in group}
    if "betas" in group:
        named["beta2"] = group["betas"][1]
    numbers = {name: number for name, value in named.items() if isinstance(number := _number(value), float)}
    return numbers if len(numbers) == len(named) else None


# --- what torch.optim does with v, on the host: every function takes (settings, v, step, ...) -------------------------


def _adam_rate(settings: _Settings, v: float, step: float, learning_rate: float) -> float:
    return _quotient(learning_rate, math.sqrt(_quotient(v, 1 - settings["beta2"] ** step)) + settings["eps"])


def _radam_rate(settings: _Settings, v: float, step: float, learning_rate: float) -> float:
    beta2 = settings["beta2"]
    correction = 1 - beta2**step
    longest = _quotient(2, 1 - beta2) - 1
    length = longest - _quotient(2 * step * beta2**step, correction)
    if not length > 5:
        return learning_rate  # the variance of v is too large yet: the step is that of momentum
    rectified = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    return _quotient(learning_rate * math.sqrt(rectified * correction), math.sqrt(v) + settings["eps"])


def _rmsprop_rate(settings: _Settings, v: float, step: float, learning_rate: float) -> float:
    return _quotient(learning_rate, math.sqrt(v) + settings["eps"])


def _adagrad_rate(settings: _Settings, v: float, step: float, learning_rate: float) -> float:
    decayed = _quotient(learning_rate, 1 + (step - 1) * settings["lr_decay"])
    return _quotient(decayed, math.sqrt(v) + settings["eps"])


def _decayed(constant: str) -> Callable[[_Settings, float, float], float]:
    """Return the root of a moving mean that began at zero and keeps the share `constant` a step."""
    return lambda settings, v, step: math.sqrt(_quotient(v, 1 - settings[constant] ** step))


def _summed(settings: _Settings, v: float, step: float) -> float:
    return math.sqrt(_quotient(v, step))


def _quotient(dividend: float, divisor: float) -> float:
    """Return the quotient; NaN for 0 / 0 and infinity for others over 0, as tensors do."""
    return dividend / divisor if divisor else math.nan if not dividend else math.inf


@dataclass(frozen=True, slots=True)
class _Kind:
    moment: str  # name of v in the optimizer's state
    effective_rate: Callable[[_Settings, float, float, float], float]
    second_moment: Callable[[_Settings, float, float], float]


_KINDS: dict[type[Optimizer], _Kind] = {
    Adam: _Kind("exp_avg_sq", _adam_rate, _decayed("beta2")),  # and AdamW
    NAdam: _Kind("exp_avg_sq", _adam_rate, _decayed("beta2")),
    RAdam: _Kind("exp_avg_sq", _radam_rate, _decayed("beta2")),
    RMSprop: _Kind("square_avg", _rmsprop_rate, _decayed("alpha")),
    Adagrad: _Kind("sum", _adagrad_rate, _summed),
}
