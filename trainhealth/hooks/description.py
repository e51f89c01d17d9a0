"""What is trained, for ``run.json``: model, optimizers and their settings, versions."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainhealth.hooks.run_folder import rank_and_world
from trainhealth.records import OptimizerInfo, RunInfo


def describe(
    name: str,
    models: Mapping[str, nn.Module],
    optimizers: Mapping[str, Optimizer],
    hyperparameters: Mapping[str, Any] | None,
    task: str | None,
    total_steps: int | None,
) -> RunInfo:
    """Return the content of ``run.json`` as it is known before the first step."""
    parameters = list({id(p): p for model in models.values() for p in model.parameters()}.values())
    sized = [p for p in parameters if not isinstance(p, nn.parameter.UninitializedParameter)]
    return RunInfo(
        name=name,
        created=int(time.time()),  # an int: nine significant digits would round it to ten seconds
        model=", ".join(f"{n}: {type(m).__name__}" if n else type(m).__name__ for n, m in models.items()),
        parameters=sum(p.numel() for p in sized),
        trainable_parameters=sum(p.numel() for p in sized if p.requires_grad),
        optimizers=[
            OptimizerInfo(name=n, type=type(o).__name__, groups=[_settings(group) for group in o.param_groups])
            for n, o in optimizers.items()
        ],
        hyperparameters=dict(hyperparameters or {}),
        task=task,
        total_steps=total_steps,
        world_size=rank_and_world()[1],
        device=str(parameters[0].device) if parameters else "",
        versions={
            "python": platform.python_version(),
            "torch": torch.__version__,
            "trainhealth": version("trainhealth"),
        },
    )


def _settings(group: Mapping[str, Any]) -> dict[str, Any]:
    plain = {
        key: float(value) if isinstance(value, Tensor) and value.numel() == 1 else value for key, value in group.items()
    }
    return {key: value for key, value in plain.items() if key != "params" and not isinstance(value, Tensor)}
