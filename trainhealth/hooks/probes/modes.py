"""The mode of a training forward: whether dropout and batch norm do what they do in training."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from trainhealth.hooks.probes.base import Probe
from trainhealth.hooks.sample import Sample


class Modes(Probe):
    """Takes the share of dropout and batch-norm modules in training mode, over all models of the step."""

    name = "modes"
    signals = ("training_mode",)

    def __init__(self) -> None:
        self._models: list[nn.Module] = []
        self._step = -1

    def forward_entered(self, model: nn.Module, sample: Sample) -> None:
        """Put the share over this model and those of the step before it; a model without such modules has none."""
        if sample.step != self._step:
            self._step, self._models = sample.step, []
        if not any(model is other for other in self._models):
            self._models.append(model)
        share = training_share(self._models)
        if share is not None:
            sample.batch("training_mode", share)

    def step_ended(self, sample: Sample) -> None:
        """Keep no model in memory."""
        self._models = []


def training_share(models: Iterable[nn.Module]) -> float | None:
    """Return the share of the models' modules with two modes that are in training mode; None where there are none."""
    flags = [module.training for model in models for module in model.modules() if _has_two_modes(module)]
    return sum(flags) / len(flags) if flags else None


def _has_two_modes(module: nn.Module) -> bool:
    """Tell whether the module computes something else in training: dropout above 0, batch norm that keeps statistics.

    Recurrent and attention layers have a dropout of their own. Batch norm without running statistics uses the batch's
    in either mode.
    """
    if isinstance(module, _DropoutNd):
        return module.p > 0
    if isinstance(module, nn.RNNBase | nn.MultiheadAttention):
        return module.dropout > 0
    return isinstance(module, _BatchNorm) and module.running_mean is not None


def strongest_dropout(models: Iterable[nn.Module]) -> float:
    """Return the largest probability of any dropout in the models, a fraction; 0 where there is none."""
    modules = [module for model in models for module in model.modules()]
    own = [module.p for module in modules if isinstance(module, _DropoutNd)]
    return float(max([0.0, *own, *(m.dropout for m in modules if isinstance(m, nn.RNNBase | nn.MultiheadAttention))]))
