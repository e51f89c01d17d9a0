"""The callback: opens a watch when training starts, tells it every batch and evaluation, and closes it."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import trainhealth
from trainhealth_lightning.metrics import signals
from trainhealth_lightning.models import watched_modules

if TYPE_CHECKING:
    from lightning.pytorch import Callback, LightningModule, Trainer
    from torch import Tensor
    from torch.optim import Optimizer
else:
    # Lightning has two import roots with a class each: take the one in use, and import no second one
    _roots = ("lightning.pytorch", "pytorch_lightning")
    _root = next((root for root in _roots if root in sys.modules), None)
    Callback = import_module(_root or _roots[0 if find_spec("lightning") else 1]).Callback


class TrainHealthCallback(Callback):
    """Streams what a doctor needs from ``Trainer.fit`` to a run folder.

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
        self._losses: list[Tensor] = []  # of this batch's backwards, with their graphs
        self._step = 0

    # --- life: a sanity check comes before `on_train_start`, and restored optimizers are there ---

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to watch."""
        steps = trainer.estimated_stepping_batches
        options = {"total_steps": int(steps) if 0 < steps < float("inf") else None} | self._options
        self._watch = trainhealth.watch(watched_modules(pl_module), _optimizers(trainer), **options)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """End the log with what went wrong."""
        if self._watch is not None:
            self._watch.__exit__(type(exception), exception, exception.__traceback__)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """End the log, and take every hook off the model."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        self._losses = []

    # --- steps ---

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Note which update this batch belongs to."""
        self._losses, self._step = [], trainer.global_step

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Keep the loss, whose graph says which function it is."""
        self._losses.append(loss)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """End a step, or a micro-batch of it."""
        losses, self._losses = self._losses, []
        if self._watch is None or not losses:  # the training step has skipped this batch
            return
        self._watch.step(_raw_loss(trainer, pl_module, losses, outputs), step=self._step)
        if trainer.world_size == 1:
            self._stop_where_asked(trainer)

    # --- evaluations and epochs ---

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record what the validation logged."""
        if self._watch is not None and not trainer.sanity_checking:
            self._watch.log(**signals(trainer.callback_metrics, "validation"))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the epoch; of the training's own metrics the losses are known from the steps."""
        if self._watch is None:
            return
        logged = signals(trainer.callback_metrics, "train")
        logged.pop("train_loss", None)
        self._watch.epoch(**logged)
        self._stop_where_asked(trainer)

    def _stop_where_asked(self, trainer: Trainer) -> None:
        """End the training in Lightning's way; several ranks look at the ends of epochs only, and together."""
        if self._watch is None or not self._stops or trainer.should_stop:
            return
        if trainer.strategy.reduce_boolean_decision(self._watch.should_stop, all=False):
            trainer.should_stop = True
            first = next(iter(self._watch.findings()), None)
            if first is not None and trainer.is_global_zero:
                sys.stderr.write(f"trainhealth: training ends at step {trainer.global_step}: {first.message}\n")


def _optimizers(trainer: Trainer) -> Optimizer | dict[str, Optimizer] | None:
    if len(trainer.optimizers) > 1:
        return {str(number): optimizer for number, optimizer in enumerate(trainer.optimizers)}
    return trainer.optimizers[0] if trainer.optimizers else None


def _raw_loss(
    trainer: Trainer, module: LightningModule, losses: list[Tensor], outputs: Any
) -> Tensor | dict[str, Tensor]:
    """Return the loss as the training step returned it; one a backward where it calls backward itself.

    Lightning divides it by the number of batches that it accumulates, and multiplies it by the scale of mixed
    precision before `on_before_backward`.
    """
    if not module.automatic_optimization:
        return losses[0] if len(losses) == 1 else {f"loss_{number}": loss for number, loss in enumerate(losses)}
    scaled = getattr(trainer.precision_plugin, "scaler", None) is not None
    loss: Tensor = outputs["loss"] if scaled else losses[0]  # the first: LBFGS calls backward several times
    return loss * trainer.accumulate_grad_batches if trainer.accumulate_grad_batches > 1 else loss
