"""The scale of the data, which many an illness of activations and rates comes from."""

from __future__ import annotations

import math
from typing import NamedTuple

from trainhealth.findings import Change, Recommendation
from trainhealth.series import RunView

UNSCALED = 3.0  # mean or standard deviation beyond which data count as unscaled; Tr1, L16: mean 0, deviation 1


class Inputs(NamedTuple):
    """Mean and standard deviation of the first sampled batch that entered the model; NaN where unknown."""

    mean: float
    std: float

    @property
    def unscaled(self) -> bool:
        """Whether they are far from mean 0 and standard deviation 1."""
        return abs(self.mean) > UNSCALED or self.std > UNSCALED


def inputs(run: RunView) -> Inputs:
    """Return the scale of the inputs."""
    mean, std = (run.series(f"input_{name}").finite().values[:1] for name in ("mean", "std"))
    return Inputs(float(mean[0]) if len(mean) else math.nan, float(std[0]) if len(std) else math.nan)


def standardize_inputs(run: RunView, effect: str, verify: str) -> Recommendation:
    """Return the advice to standardize the inputs, with their numbers; `effect` says what their scale does here."""
    scale = inputs(run)
    return Recommendation(
        "Standardize the inputs to mean 0 and standard deviation 1.",
        f"The inputs have mean {scale.mean:.3g} and standard deviation {scale.std:.3g}: {effect}.",
        verify,
        recipe="standardize-inputs",
        change=Change("inputs", "as they are", "standardized"),
    )


def targets_size(run: RunView) -> float:
    """Return the root mean square of a regression's targets (first batch); NaN where unknown or no regression."""
    square = run.facts.get("target_mean_square")
    if isinstance(square, int | float) and math.isfinite(square) and square >= 0:
        return math.sqrt(square)
    return math.nan


def scale_targets(run: RunView, effect: str, verify: str) -> Recommendation:
    """Return the advice to scale the targets, with their size; `effect` says what it does here."""
    return Recommendation(
        "Scale the targets to mean 0 and standard deviation 1.",
        f"The targets' root mean square is {targets_size(run):.3g}: {effect}.",
        verify,
        "Predictions must be scaled back.",
        "scale-targets",
        Change("targets", "as they are", "standardized"),
    )
