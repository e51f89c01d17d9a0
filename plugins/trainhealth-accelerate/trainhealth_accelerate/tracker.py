"""The tracker: what ``accelerator.log`` is given becomes steps and evaluations of a watched run."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, ClassVar

from accelerate import PartialState
from accelerate.tracking import GeneralTracker
from accelerate.utils import extract_model_from_parallel
from torch import nn
from torch.optim import Optimizer

import trainhealth

LOSSES = ("train_loss", "loss", "train/loss")  # a call of `log` with one of these is a step
SIGNALS = {
    "val_loss": "validation_loss",
    "val/loss": "validation_loss",
    "eval_loss": "validation_loss",
    "eval/loss": "validation_loss",
    "val_accuracy": "validation_accuracy",
    "val/accuracy": "validation_accuracy",
    "eval_accuracy": "validation_accuracy",
    "eval/accuracy": "validation_accuracy",
}


class TrainHealthTracker(GeneralTracker):  # type: ignore[misc]  # Accelerate ships no types
    """Streams what a doctor needs from a training loop to a run folder.

    ``watch(model, optimizer)`` after ``accelerator.prepare`` begins it; then ``accelerator.log({"train_loss": loss})``
    ends a step, and any other values are those of an evaluation. ``accelerator.end_training`` closes it.

    Args:
        run_dir: the folder to log into; ``runs/<time>-<model>`` where it is None.
        options: further arguments of `trainhealth.watch` (stop_on, overhead, task, …).
    """

    name: ClassVar[str] = "trainhealth"
    requires_logging_directory: ClassVar[bool] = False
    main_process_only: ClassVar[bool] = True  # `accelerator.log` does nothing on the others

    def __init__(self, run_dir: str | os.PathLike[str] | None = None, **options: Any) -> None:
        super().__init__()
        self._options = {"run_dir": run_dir, **options}
        self._configuration: dict[str, Any] = {}
        self._watch: trainhealth.Watch | None = None
        self._told = False

    @property
    def tracker(self) -> trainhealth.Watch | None:
        """The handle of the watched run; None before `watch`, and on every rank but the first."""
        return self._watch

    @property
    def should_stop(self) -> bool:
        """Whether there is a finding at or above the option `stop_on`; pass it to ``accelerator.set_trigger``."""
        return self._watch is not None and self._watch.should_stop

    def watch(
        self,
        model: nn.Module | Mapping[str, nn.Module],
        optimizer: Optimizer | Mapping[str, Optimizer] | None = None,
    ) -> trainhealth.Watch | None:
        """Begin to watch what ``accelerator.prepare`` has returned; None but on the main process, which alone logs."""
        if not PartialState().is_main_process:
            return None
        models = (
            {name: extract_model_from_parallel(part) for name, part in model.items()}
            if isinstance(model, Mapping)
            else extract_model_from_parallel(model)
        )
        options = {"hyperparameters": self._configuration, **self._options}
        self._watch = trainhealth.watch(models, optimizer, **options)
        return self._watch

    def store_init_configuration(self, values: Mapping[str, Any]) -> None:
        """Keep what ``accelerator.init_trackers`` was given: the run's hyperparameters."""
        self._configuration.update(values)

    def log(self, values: Mapping[str, Any], step: int | None = None, **kwargs: Any) -> None:
        """End a step where there is a training loss in `values`, and record the rest."""
        if self._watch is None:
            if not self._told:
                self._told = True
                sys.stderr.write("trainhealth: nothing is logged before tracker.watch(model, optimizer)\n")
            return
        loss = next((values[name] for name in LOSSES if name in values), None)
        rest = {SIGNALS.get(name, name): value for name, value in values.items() if name not in LOSSES}
        if loss is not None:
            self._watch.step(loss, step=step)
        if rest:
            self._watch.log(**rest)

    def finish(self) -> None:
        """End the log, and take every hook off the model."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
