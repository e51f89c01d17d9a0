"""The callback: opens a watch when training starts, tells it every batch and epoch, and closes it."""

from __future__ import annotations

import os
import sys
from typing import Any

from fastai.callback.core import Callback, CancelFitException
from torch import Tensor, distributed
from torch.optim import Optimizer

import trainhealth

SIGNALS = {"valid_loss": "validation_loss", "accuracy": "validation_accuracy", "valid_accuracy": "validation_accuracy"}


class TrainHealthCallback(Callback):  # type: ignore[misc]  # fastai ships no types
    """Streams what a doctor needs from ``learn.fit`` to a run folder.

    Args:
        run_dir: the folder to log into; ``runs/<time>-<model>`` where it is None.
        stop_on: "critical", "warning" or "note": end the training when there is such a finding.
        options: further arguments of `trainhealth.watch` (hyperparameters, overhead, task, …).
    """

    order = 60  # after the Recorder, whose values it takes

    def __init__(
        self, run_dir: str | os.PathLike[str] | None = None, *, stop_on: str | None = None, **options: Any
    ) -> None:
        self._options = {"run_dir": run_dir, "stop_on": stop_on, **options}
        self._watch: trainhealth.Watch | None = None
        self._rate: float | None = None  # as it was logged last
        self._losses: list[tuple[Tensor, int]] = []  # of the batches since the last update, with their sizes
        self._updated = False

    def before_fit(self) -> None:
        """Begin to watch; looking for a learning rate and predicting are no trainings."""
        self.after_fit()
        if hasattr(self.learn, "lr_finder") or hasattr(self, "gather_preds"):
            return
        inner = getattr(self.learn.opt, "opt", None)  # of an OptimWrapper; fastai's own optimizers are none of torch's
        options = {"total_steps": self.learn.n_epoch * len(self.learn.dls.train), **self._options}
        self._watch = trainhealth.watch(self.learn.model, inner if isinstance(inner, Optimizer) else None, **options)

    def after_step(self) -> None:
        """Note that this batch has ended with an update: others are accumulated."""
        self._updated = True

    def after_batch(self) -> None:
        """End a step; validation batches are none."""
        if self._watch is None or not self.learn.training or not len(self.learn.yb):
            return
        targets, outputs = self.learn.yb[0], self.learn.pred
        self._losses.append((self.learn.loss, len(targets)))
        if not self._updated:
            return
        rate = self.learn.opt.hypers[-1]["lr"]
        if rate != self._rate:
            self._rate = rate
            self._watch.log(learning_rate=rate)
        losses, self._losses, self._updated = self._losses, [], False
        if len(losses) == 1:
            plain = all(isinstance(value, Tensor) for value in (outputs, targets))
            self._watch.step(losses[0][0], outputs=outputs if plain else None, targets=targets if plain else None)
        else:
            self._watch.step(sum(loss.detach() * size for loss, size in losses) / sum(size for _, size in losses))
        if _rank_and_world()[1] == 1:
            self._stop_where_asked()

    def after_epoch(self) -> None:
        """End the epoch with what the Recorder has."""
        if self._watch is None:
            return
        names: list[str] = list(self.learn.recorder.metric_names)[1:]
        values = dict(zip(names, self.learn.recorder.values[-1], strict=False))  # "time" has none
        values.pop("train_loss", None)  # a moving average; the losses are known from the steps
        self._watch.epoch(**{SIGNALS.get(name, name): value for name, value in values.items() if value is not None})
        self._stop_where_asked()

    def after_fit(self) -> None:
        """End the log, and take every hook off the model."""
        if self._watch is not None:
            self._watch.close()
        self._watch, self._rate, self._losses, self._updated = None, None, [], False

    def _stop_where_asked(self) -> None:
        """End the training in fastai's way; several ranks look at the ends of epochs only, and together."""
        if self._watch is None or self._options["stop_on"] is None:
            return
        asked = [self._watch.should_stop] * _rank_and_world()[1]
        if len(asked) > 1:
            distributed.all_gather_object(asked, asked[0])
        if any(asked):
            first = next(iter(self._watch.findings()), None)
            if first is not None and _rank_and_world()[0] == 0:
                sys.stderr.write(f"trainhealth: training ends in epoch {self.learn.epoch}: {first.message}\n")
            raise CancelFitException


def _rank_and_world() -> tuple[int, int]:
    """Return this process's rank and how many there are."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1
