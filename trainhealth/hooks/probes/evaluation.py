"""The beginning of an evaluation: what enters the model there, and in which mode the model is."""

from __future__ import annotations

from torch import Tensor, nn

from trainhealth.hooks.probes.base import Probe, bounded, in_float32, mean_and_std
from trainhealth.hooks.probes.modes import training_share
from trainhealth.hooks.sample import Sample


class Evaluation(Probe):
    """Looks at the first evaluation after a sampled step, and puts what it saw into the next sample.

    Only the model's input and its modules' modes are looked at: nothing of ours enters the model.
    """

    name = "evaluation"
    signals = ("evaluation_input_mean", "evaluation_input_std", "evaluation_training_mode")

    def __init__(self) -> None:
        self._moments: tuple[Tensor, Tensor, float] | None = None
        self._mode: float | None = None

    def evaluation_entered(self, model: nn.Module, inputs: Tensor | None, step: int) -> None:
        """Take the moments of the input and the share of modules in training mode.

        Of a model that is in evaluation mode itself, modules in training mode were put there one by one, on purpose:
        Monte Carlo dropout. They do not count.
        """
        share = training_share([model])
        self._mode = share if share is None or model.training else 0.0
        if inputs is not None:
            self._moments = mean_and_std(in_float32(bounded(inputs)))

    def step_ended(self, sample: Sample) -> None:
        """Hand over what was seen."""
        if self._mode is not None:
            sample.batch("evaluation_training_mode", self._mode)
        if self._moments is not None:
            mean, deviations, divisor = self._moments
            sample.batch("evaluation_input_mean", mean)
            sample.batch("evaluation_input_std", deviations, finish=lambda norm: norm / divisor)
        self._moments = self._mode = None
