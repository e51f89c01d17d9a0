"""The callback: opens a watch when training starts, tells it every update and evaluation, and closes it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from accelerate.utils import broadcast_object_list
from torch import nn
from torch.optim import Optimizer
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

import trainhealth
from trainhealth_transformers.losses import Losses

SIGNALS = {
    "eval_loss": "validation_loss",
    "eval_accuracy": "validation_accuracy",
    "test_loss": "test_loss",
    "test_accuracy": "test_accuracy",
}
_TIMES = ("_runtime", "_per_second", "_time", "epoch")  # beside the metrics


class TrainHealthCallback(TrainerCallback):
    """Streams what a doctor needs from ``Trainer.train`` to a run folder.

    Args:
        run_dir: the folder to log into; ``runs/<time>-<model>`` where it is None.
        stop_on: "critical", "warning" or "note": end the training when there is such a finding.
        options: further arguments of `trainhealth.watch` (hyperparameters, overhead, task, …).
    """

    def __init__(
        self, run_dir: str | os.PathLike[str] | None = None, *, stop_on: str | None = None, **options: Any
    ) -> None:
        self._options = {"run_dir": run_dir, "stop_on": stop_on, **options}
        self._stops = stop_on is not None
        self._watch: trainhealth.Watch | None = None
        self._losses: Losses | None = None
        self._saw_a_loss = True  # in what the model returned

    # --- life ---

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module | None = None,
        optimizer: Optimizer | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin to watch; a training that an exception has ended is closed first."""
        self._close()
        if model is not None:
            options = {"total_steps": state.max_steps if state.max_steps > 0 else None} | self._options
            self._watch = trainhealth.watch(model, optimizer, **options)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """End the log, and take every hook off the model."""
        self._close()

    def _close(self) -> None:
        if self._losses is not None:
            self._losses.close()
            self._losses = None
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    # --- steps ---

    def on_step_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module | None = None,
        **kwargs: Any,
    ) -> None:
        """Look at what the model returns until the update."""
        if self._watch is not None and model is not None:
            self._losses = Losses(model)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """End the step; the Trainer has counted it already."""
        if self._watch is None or self._losses is None:
            return
        self._losses.close()
        loss, outputs, targets = self._losses.step()
        self._losses, self._saw_a_loss = None, loss is not None
        self._watch.step(loss, outputs=outputs, targets=targets, step=state.global_step - 1)
        if args.world_size == 1:
            self._stop_where_asked(args, state, control)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Take the Trainer's mean, where the loss is not the one that the model returns (`compute_loss`)."""
        if self._watch is not None and not self._saw_a_loss and logs is not None and "loss" in logs:
            self._watch.log(train_loss=logs["loss"])

    # --- evaluations and epochs ---

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Record what the evaluation measured."""
        if self._watch is not None:
            kept = {name: value for name, value in (metrics or {}).items() if not name.endswith(_TIMES)}
            self._watch.log(**{SIGNALS.get(name, name): value for name, value in kept.items()})
            self._stop_where_asked(args, state, control)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """End the epoch."""
        if self._watch is not None:
            self._watch.epoch()
            self._stop_where_asked(args, state, control)

    def _stop_where_asked(self, args: TrainingArguments, state: TrainerState, control: TrainerControl) -> None:
        """End the training in the Trainer's way; of several processes the first one decides, after evaluations only."""
        if self._watch is None or not self._stops or control.should_training_stop:
            return
        decision = [self._watch.should_stop if state.is_world_process_zero else False]
        if args.world_size > 1:
            broadcast_object_list(decision)
        if decision[0]:
            control.should_training_stop = True
            first = next(iter(self._watch.findings()), None) if state.is_world_process_zero else None
            if first is not None:
                sys.stderr.write(f"trainhealth: training ends at step {state.global_step}: {first.message}\n")
