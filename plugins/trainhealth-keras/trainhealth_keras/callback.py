"""The callback: opens a watch when training starts, tells it every batch and epoch, and closes it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import keras
import torch
from torch import Tensor, distributed
from torch.compiler import is_compiling

import trainhealth

SIGNALS = {"loss": "loss", "acc": "accuracy", "accuracy": "accuracy", "sparse_categorical_accuracy": "accuracy"} | {
    f"{kind}_accuracy": "accuracy" for kind in ("categorical", "binary")
}


class TrainHealthCallback(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Streams what a doctor needs from ``model.fit`` to a run folder.

    Args:
        run_dir: the folder to log into; ``runs/<time>-<model>`` where it is None.
        stop_on: "critical", "warning" or "note": end the training when there is such a finding.
        options: further arguments of `trainhealth.watch` (hyperparameters, overhead, task, …).

    Raises:
        trainhealth.UsageError: Keras does not run on torch.
    """

    def __init__(
        self, run_dir: str | os.PathLike[str] | None = None, *, stop_on: str | None = None, **options: Any
    ) -> None:
        super().__init__()
        if keras.backend.backend() != "torch":
            raise trainhealth.UsageError(
                f"Keras runs on {keras.backend.backend()}", "Set KERAS_BACKEND=torch before importing keras."
            )
        self._options = {"run_dir": run_dir, "stop_on": stop_on, **options}
        self._watch: trainhealth.Watch | None = None
        self._batches: list[tuple[Tensor, Tensor | None, Tensor | None]] = []  # loss, outputs, targets

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Begin to watch; a training that an exception has ended is closed first."""
        self.on_train_end()
        # Keras optimizers are none of torch's: every batch is a step, and updates are not seen
        self._watch = trainhealth.watch(self.model, **self._options)
        computed = self.model.compute_loss

        def compute_loss(*args: Any, **kwargs: Any) -> Any:
            loss = computed(*args, **kwargs)
            if kwargs.get("training") and not is_compiling() and isinstance(loss, Tensor):
                self._batches.append((loss, *_classification(kwargs.get("y_pred"), kwargs.get("y"))))
            return loss

        self.model.compute_loss = compute_loss  # the loss in the logs is the mean since the epoch began

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """End the log, and leave the model as it was."""
        if self._watch is not None:
            self._watch.close()
            self._watch, self._batches = None, []
            del self.model.compute_loss

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Record the learning rate in force."""
        if self._watch is not None and self.model.optimizer is not None:
            self._watch.log(learning_rate=keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """End a step where the optimizer has accumulated as many batches as it was told to."""
        if self._watch is None:
            return
        size = getattr(self.model.optimizer, "gradient_accumulation_steps", None) or 1
        while len(self._batches) >= size:
            group, self._batches = self._batches[:size], self._batches[size:]
            loss, outputs, targets = group[0]
            if size > 1:
                loss = torch.stack([each.detach() for each, _, _ in group]).mean()
            self._watch.step(loss, outputs=outputs, targets=targets)
        if _rank_and_world()[1] == 1:
            self._stop_where_asked()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """End the epoch with what Keras has measured; the training's losses are known from the steps."""
        if self._watch is None:
            return
        values = {}
        for name, value in (logs or {}).items():
            split, bare = ("validation", name[4:]) if name.startswith("val_") else ("train", name)
            values[f"{split}_{SIGNALS[bare]}" if bare in SIGNALS else name] = value
        values.pop("train_loss", None)
        values.pop("learning_rate", None)  # of the epoch's begin
        self._watch.epoch(**values)
        self._stop_where_asked()

    def _stop_where_asked(self) -> None:
        """End the training in Keras's way; several ranks look at the ends of epochs only, and together."""
        if self._watch is None or self._options["stop_on"] is None or self.model.stop_training:
            return
        rank, world = _rank_and_world()
        asked = [self._watch.should_stop] * world
        if world > 1:
            distributed.all_gather_object(asked, asked[0])
        if any(asked):
            self.model.stop_training = True
            first = next(iter(self._watch.findings()), None)
            if first is not None and rank == 0:
                sys.stderr.write(f"trainhealth: training ends: {first.message}\n")


def _rank_and_world() -> tuple[int, int]:
    """Return this process's rank and how many there are."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def _classification(outputs: Any, targets: Any) -> tuple[Tensor, Tensor] | tuple[None, None]:
    """Return outputs and targets where they are classes; in other losses Keras makes shapes agree by itself."""
    if not (isinstance(outputs, Tensor) and isinstance(targets, Tensor)):
        return None, None
    fits = outputs.dim() == 2 and targets.dim() == 1 and not targets.is_floating_point()
    return (outputs.detach(), targets) if fits else (None, None)
