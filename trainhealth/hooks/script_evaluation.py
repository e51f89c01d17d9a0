"""One evaluation of a script: the mean of its losses, its accuracy, and which data it was over."""

from __future__ import annotations

import time
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any

from torch import Tensor

from trainhealth.hooks import targets as labels
from trainhealth.hooks.probes.class_shares import class_counts

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

SHARE = 0.02  # of an evaluation's time that its accuracy may take
ALLOWANCE = 0.05  # seconds that it may take besides


class Evaluation:
    """The losses of an evaluation over one data set, and the accuracy of those batches for which there was time."""

    def __init__(self) -> None:
        self.partial = False  # the accuracy is that of a part
        self._losses: dict[str, list[tuple[Tensor | float, int]]] = {}  # by function: (mean of a batch, its size)
        self._accuracies: list[tuple[Tensor | float, int]] = []
        self._classes: Tensor | None = None  # how often each class was a target, [classes]
        self._began = time.perf_counter()
        self._spent = 0.0

    def add(self, function: str, loss: Tensor, prediction: Tensor, target: Tensor) -> None:
        """Take the loss of a batch (of any shape, where it was not reduced), and what it was computed from."""
        size = target.shape[0] if target.dim() else 1
        mean = loss if loss.dim() == 0 else loss.mean()
        self._losses.setdefault(function, []).append((_held(mean), size))
        now = time.perf_counter()
        if self._spent > ALLOWANCE + SHARE * (now - self._began):
            self.partial = True
            return
        accuracy = labels.accuracy(prediction, target, function)
        if accuracy is not None:
            self._accuracies.append((_held(accuracy), size))
        self._count_classes(target, prediction, function)
        self._spent += time.perf_counter() - now

    def loss(self, terms: Counter[str] | None) -> float | None:
        """Return the mean loss: the sum of `terms`, or, where they are not known, that of the only function."""
        if terms is None:
            terms = Counter(self._losses.keys()) if len(self._losses) == 1 else Counter()
        means = [count * _mean(self._losses[function]) for function, count in terms.items() if function in self._losses]
        return sum(means) if means and len(means) == len(terms) else None

    def _count_classes(self, target: Tensor, prediction: Tensor, function: str) -> None:
        classes = labels.as_classes(target, prediction, {"loss_function": function})
        if classes is None:
            return
        counts = class_counts(classes)
        if self._classes is not None and self._classes.shape == counts.shape and self._classes.device == counts.device:
            counts += self._classes
        self._classes = counts

    def unseen_share(self, seen: Tensor | None) -> float | None:
        """Return the share of targets whose class is none of those `seen` ([classes], how often); None: unknown."""
        counts = self._classes
        if counts is None or seen is None or seen.shape != counts.shape or not float(counts.sum()):
            return None
        return float(counts[(seen == 0).to(counts.device)].sum() / counts.sum())

    @property
    def accuracy(self) -> float | None:
        """The share of right predictions; None where the targets are no classes."""
        return _mean(self._accuracies) if self._accuracies else None


class Data:
    """Names the data of an evaluation by the data loader that was opened for it."""

    def __init__(self) -> None:
        self._opened: weakref.ref[Any] | None = None  # since the last backward: the data set, or the loader
        self._judged = False  # an evaluation has used it
        self._training: list[weakref.ref[Any]] = []
        self._evaluated: dict[str, weakref.ref[Any]] = {}

    def open(self, loader: DataLoader[Any]) -> None:
        """Note that `loader` is about to be gone through."""
        try:
            self._opened = weakref.ref(loader.dataset)
        except TypeError:  # a list has no weak references
            self._opened = weakref.ref(loader)
        self._judged = False

    def trained_on(self) -> None:
        """Note that what was opened is being trained on, unless an evaluation has used it."""
        opened, self._opened = self._opened, None
        if opened is not None and not self._judged and not any(known() is opened() for known in self._training):
            self._training = [known for known in self._training if known() is not None] + [opened]

    def evaluated(self) -> str | None:
        """Return the name of the data that are evaluated: "validation", for further ones "test"; None: of training."""
        opened = self._opened() if self._opened is not None else None
        if opened is None:
            return "validation"
        self._judged = True
        if any(known() is opened for known in self._training):
            return None
        for name in ("validation", "test"):
            known = self._evaluated[name]() if name in self._evaluated else None
            if known is None or known is opened:
                self._evaluated[name] = weakref.ref(opened)
                return name
        return "test"


def _held(value: Tensor) -> Tensor | float:
    """Return a number as it can be kept: a float, or a copy on its device, which need not wait."""
    return value.item() if value.is_cpu else value.clone()


def _mean(weighted: list[tuple[Tensor | float, int]]) -> float:
    return sum(float(value) * size for value, size in weighted) / max(sum(size for _, size in weighted), 1)
