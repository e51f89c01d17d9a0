"""The callback: opens a watch when training starts, tells it every batch and epoch, and closes it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.dataset import unpack_data
from torch import Tensor, distributed

import trainhealth

SIGNALS = {"valid_loss": "validation_loss", "valid_acc": "validation_accuracy", "train_acc": "train_accuracy"}


class TrainHealthCallback(Callback):  # type: ignore[misc]  # skorch ships no types
    """Streams what a doctor needs from ``net.fit`` to a run folder.

    Args:
        run_dir: the folder to log into; ``runs/<time>-<module>`` where it is None.
        stop_on: "critical", "warning" or "note": end the training, at the end of an epoch, when there is such a
            finding.
        options: further arguments of `trainhealth.watch` (hyperparameters, overhead, task, …).
    """

    # plain arguments under their own names: scikit-learn clones a callback by them
    def __init__(
        self,
        run_dir: str | os.PathLike[str] | None = None,
        stop_on: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.run_dir = run_dir
        self.stop_on = stop_on
        self.options = options

    def initialize(self) -> TrainHealthCallback:
        """Start anew."""
        self._close()
        return self

    def on_train_begin(self, net: NeuralNet, X: Any = None, y: Any = None, **kwargs: Any) -> None:  # noqa: N803  # skorch's
        """Begin to watch."""
        self._close()
        modules = {name: getattr(net, f"{name}_") for name in net._modules}
        optimizers = {name: getattr(net, f"{name}_") for name in net._optimizers}
        model = modules if len(modules) > 1 else net.module_
        optimizer = optimizers if len(optimizers) > 1 else next(iter(optimizers.values()), None)
        options = {"run_dir": self.run_dir, "stop_on": self.stop_on, **(self.options or {})}
        self.watch_: trainhealth.Watch | None = trainhealth.watch(model, optimizer, **options)

    def on_batch_end(
        self, net: NeuralNet, batch: Any = None, training: bool | None = None, loss: Any = None, **kwargs: Any
    ) -> None:
        """End a step; validation batches are none."""
        if self._open is None or not training:
            return
        outputs = kwargs.get("y_pred")
        targets = unpack_data(batch)[1]
        if isinstance(targets, Tensor) and isinstance(loss, Tensor):
            targets = targets.to(loss.device)  # as the net does
        self._open.step(loss, outputs=outputs if isinstance(outputs, Tensor) else None, targets=targets)

    def on_epoch_end(self, net: NeuralNet, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        """End the epoch with what the net has scored, and the training where asked."""
        if self._open is None:
            return
        scores = {name: value for name, value in net.history[-1].items() if name in SIGNALS}
        self._open.epoch(**{SIGNALS[name]: value for name, value in scores.items()})
        if self._asked_to_stop(self._open):
            first = next(iter(self._open.findings()), None)
            if first is not None and _rank_and_world()[0] == 0:
                sys.stderr.write(f"trainhealth: training ends after epoch {len(net.history)}: {first.message}\n")
            raise KeyboardInterrupt  # skorch's way: its EarlyStopping does the same, and fit returns

    def on_train_end(self, net: NeuralNet, X: Any = None, y: Any = None, **kwargs: Any) -> None:  # noqa: N803  # skorch's
        """End the log, and take every hook off the module."""
        self._close()

    def _asked_to_stop(self, watch: trainhealth.Watch) -> bool:
        """Whether this rank or another is to stop: one that left alone would be waited for."""
        if self.stop_on is None:
            return False
        asked = [watch.should_stop] * _rank_and_world()[1]
        if len(asked) > 1:
            distributed.all_gather_object(asked, asked[0])
        return any(asked)

    @property
    def _open(self) -> trainhealth.Watch | None:
        return getattr(self, "watch_", None)

    def _close(self) -> None:
        if self._open is not None:
            self._open.close()
            self.watch_ = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open watch behind: a net is copied and pickled with its callbacks."""
        return {name: value for name, value in self.__dict__.items() if name != "watch_"}


def _rank_and_world() -> tuple[int, int]:
    """Return this process's rank and how many there are."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1
