"""The callbacks: open a watch when training starts, tell it every batch and epoch, and close it.

Ultralytics passes its trainer to each callback and nothing else: everything is read from the trainer's attributes.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import trainhealth
from trainhealth_ultralytics.batches import pictures_first
from trainhealth_ultralytics.losses import step_losses, validation_signals

EVENTS = (
    "on_train_start",
    "on_train_epoch_start",
    "on_train_batch_end",
    "on_train_epoch_end",
    "on_fit_epoch_end",
    "on_train_end",
)


def watch(
    model: Any, run_dir: str | os.PathLike[str] | None = None, *, stop_on: str | None = None, **options: Any
) -> TrainHealthCallbacks:
    """Watch every training of an Ultralytics model (``YOLO``, ``RTDETR``, …) or of one of its trainers.

    Args:
        model: what has `add_callback`.
        run_dir: the folder to log into; the training's own (``runs/detect/train``) where it is None.
        stop_on: "critical", "warning" or "note": end the training when there is such a finding.
        options: further arguments of `trainhealth.watch` (hyperparameters, overhead, task, …).
    """
    callbacks = TrainHealthCallbacks(run_dir, stop_on=stop_on, **options)
    for event in EVENTS:
        model.add_callback(event, getattr(callbacks, event))
    return callbacks


class TrainHealthCallbacks:
    """Streams what a doctor needs from ``model.train`` to a run folder; the arguments are those of `watch`.

    Until a training starts there is nothing in it that can't be pickled: for several GPUs Ultralytics sends the
    callbacks to processes of its own.
    """

    def __init__(
        self, run_dir: str | os.PathLike[str] | None = None, *, stop_on: str | None = None, **options: Any
    ) -> None:
        self._options = {"run_dir": run_dir, "stop_on": stop_on, **options}
        self._watch: trainhealth.Watch | None = None
        self._optimizer: Any = None
        self._metrics: Any = None  # the trainer's, before this epoch's validation
        self._epoch_trained = False  # and its validation is to come

    # --- life ---

    def on_train_start(self, trainer: Any) -> None:
        """Begin to watch; a training that an exception has ended is closed first."""
        self._close()
        options = {key: value for key, value in self._options.items() if value is not None}
        options.setdefault("run_dir", trainer.save_dir)
        options.setdefault("resume", trainer.start_epoch > 0)
        if trainer.args.task == "classify":
            options.setdefault("task", "classification")
        self._optimizer = trainer.optimizer
        trainer.preprocess_batch = pictures_first(trainer.preprocess_batch)
        self._watch = trainhealth.watch(trainer.model, trainer.optimizer, **options)

    def on_train_end(self, trainer: Any) -> None:
        """End the log, and take every hook off the model."""
        self._close()

    def _close(self) -> None:
        if self._watch is not None:
            self._watch.close()
        self._watch, self._optimizer, self._metrics, self._epoch_trained = None, None, None, False

    # --- steps ---

    def on_train_epoch_start(self, trainer: Any) -> None:
        """Follow the trainer to another optimizer: it makes one where it begins anew with smaller batches."""
        self._epoch_trained = False  # after a NaN the trainer repeats an epoch, which then has not ended
        if self._watch is not None and trainer.optimizer is not self._optimizer:
            self._optimizer = trainer.optimizer
            self._watch.recorder.use_optimizers([trainer.optimizer])

    def on_train_batch_end(self, trainer: Any) -> None:
        """End a step, or a micro-batch of it: a batch without an update is accumulated."""
        if self._watch is None:
            return
        self._watch.step(step_losses(trainer))
        if int(os.environ.get("WORLD_SIZE", 1)) == 1:  # torchrun's, with which Ultralytics starts several processes
            self._stop_where_asked(trainer)

    # --- epochs ---

    def on_train_epoch_end(self, trainer: Any) -> None:
        """Remember the metrics of the validation before, to tell them from the one to come."""
        self._epoch_trained, self._metrics = True, trainer.metrics

    def on_fit_epoch_end(self, trainer: Any) -> None:
        """End the epoch with what its validation has measured, where there was one.

        The event comes once more after the training, for the best checkpoint: that is no epoch.
        """
        if self._watch is None or not self._epoch_trained:
            return
        self._epoch_trained = False
        validated = trainer.metrics is not None and trainer.metrics is not self._metrics
        self._watch.epoch(**(validation_signals(trainer.metrics) if validated else {}))
        self._stop_where_asked(trainer)

    def _stop_where_asked(self, trainer: Any) -> None:
        """End the training in Ultralytics' way; of several processes the first one decides, for all, after epochs."""
        if self._watch is None or int(os.environ.get("RANK", 0)) > 0 or not self._watch.should_stop:
            return
        if not trainer.stop:
            sys.stderr.write(f"trainhealth: training ends in epoch {trainer.epoch + 1}: {self._watch.stop_reason}\n")
        trainer.stop = True
