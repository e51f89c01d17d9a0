"""Sees the loss functions that a script calls: those that are trained on, and those of its evaluations."""

from __future__ import annotations

import math
import re
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from trainhealth.hooks import targets as labels
from trainhealth.hooks.tensors import in_dispatch_mode, measurable

if TYPE_CHECKING:
    from torch.utils.data import DataLoader
    from torch.utils.hooks import RemovableHandle

# functions of torch.nn.functional that take (prediction, target, …), and what the rest of the hooks calls them
FUNCTIONS = {
    "binary_cross_entropy": "binary_cross_entropy",
    "binary_cross_entropy_with_logits": "binary_cross_entropy_with_logits",
    "cross_entropy": "cross_entropy",
    "gaussian_nll_loss": "gaussian_nll",
    "huber_loss": "huber",
    "kl_div": "kl_div",
    "l1_loss": "l1",
    "mse_loss": "mse",
    "multi_margin_loss": "multi_margin",
    "multilabel_margin_loss": "multilabel_margin",
    "multilabel_soft_margin_loss": "multilabel_soft_margin",
    "nll_loss": "nll",
    "poisson_nll_loss": "poisson_nll",
    "smooth_l1_loss": "smooth_l1",
    "soft_margin_loss": "soft_margin",
}
CRITERION = re.compile(r"loss|criterion|objective", re.IGNORECASE)  # in the name of a module's class
LOOKED_BACK = 16  # nodes behind what is trained on, among which a loss function's result is looked for
REMEMBERED = 64  # calls between two backwards that are remembered at most
SHARE = 0.02  # of an evaluation's time that its accuracy may take
ALLOWANCE = 0.05  # seconds that it may take besides


@dataclass(slots=True)
class Call:
    """A call of a loss function with gradients. Nothing is kept alive: each part is there as long as the script's."""

    function: str
    prediction: weakref.ref[Tensor]
    target: weakref.ref[Tensor]
    result: weakref.ref[Tensor]
    value: float | None  # where it can be read without making a device wait

    @property
    def pair(self) -> tuple[Tensor, Tensor] | None:
        """What the function was given, where that is still there."""
        prediction, target = self.prediction(), self.target()
        return None if prediction is None or target is None else (prediction, target)


class Evaluation:
    """The losses of one evaluation, over one data set: their mean, and the accuracy of what was looked at."""

    def __init__(self) -> None:
        self._losses: dict[str, list[tuple[Any, float]]] = {}  # by function: (value, weight)
        self._accuracies: list[tuple[Any, float]] = []
        self._began = time.perf_counter()
        self._spent = 0.0
        self.partial = False  # the accuracy is that of a part

    def add(self, function: str, value: Tensor, prediction: Any, target: Any) -> None:
        """Take the result of one call."""
        size = _examples(prediction, target)
        mean = value if value.dim() == 0 else value.mean()
        self._losses.setdefault(function, []).append((float(mean) if mean.is_cpu else mean.clone(), size))
        if not isinstance(prediction, Tensor) or not isinstance(target, Tensor):
            return
        now = time.perf_counter()
        if self._spent > ALLOWANCE + SHARE * (now - self._began):
            self.partial = True
            return
        accuracy = labels.accuracy(prediction, target, function)
        if accuracy is not None:
            self._accuracies.append((float(accuracy) if accuracy.is_cpu else accuracy, size))
        self._spent += time.perf_counter() - now

    def values(self, terms: Iterable[str]) -> dict[str, float]:
        """Return "loss" (the sum of the functions `terms`) and "accuracy", whichever there is."""
        values: dict[str, float] = {}
        means = [_mean(self._losses[term]) for term in terms if term in self._losses]
        if means:
            values["loss"] = math.fsum(means) if all(map(math.isfinite, means)) else sum(means)
        if self._accuracies:
            values["accuracy"] = _mean(self._accuracies)
        return values


class LossCalls:
    """Tells losses that are trained on from those of evaluations, which have no gradients or a model in `eval` mode."""

    def __init__(self) -> None:
        self.evaluations: dict[str, Evaluation] = {}  # by the name of the data: "validation", "test"
        self.models: list[nn.Module] = []  # those that are trained
        self._calls: list[Call] = []  # since the last backward
        self._depth = 0  # of loss functions that are being called: the outermost is what the script calls
        self._terms: tuple[str, ...] | None = None  # of the loss that is trained on
        self._trained_on = 0  # address of the prediction that was trained on last
        self._data = _Data()
        self._criteria: list[RemovableHandle] = []

    # --- what the script calls ---

    def replacement(self, function: str, active: Callable[[], bool]) -> Callable[..., Any]:
        """Return what makes, of a loss function, one that is seen."""

        def make(original: Callable[..., Any]) -> Callable[..., Any]:
            def seen(*args: Any, **kwargs: Any) -> Any:
                if torch.compiler.is_compiling() or torch.jit.is_tracing() or not active():
                    return original(*args, **kwargs)
                self._depth += 1
                try:
                    result = original(*args, **kwargs)
                finally:
                    self._depth -= 1
                if self._depth == 0 and isinstance(result, Tensor):
                    prediction = args[0] if args else kwargs.get("input")
                    target = args[1] if len(args) > 1 else kwargs.get("target")
                    self._called(function, prediction, target, result, kwargs.get("reduction", "mean"))
                return result

            return seen

        return make

    def watch_criteria(self, modules: Iterable[nn.Module]) -> None:
        """See the calls of modules that look like losses and hold no parameters: the user's own."""
        self.leave_criteria()
        for module in modules:
            kind = type(module)
            if kind.__module__.startswith("torch.") or not CRITERION.search(kind.__name__):
                continue
            if next(module.parameters(), None) is None:
                self._criteria.append(module.register_forward_pre_hook(_Entered(self)))
                self._criteria.append(module.register_forward_hook(_Left(self), always_call=True))

    def leave_criteria(self) -> None:
        """Take the hooks off the modules."""
        handles, self._criteria = self._criteria, []
        for handle in handles:
            handle.remove()

    def data_opened(self, loader: DataLoader[Any]) -> None:
        """A data loader is about to be gone through."""
        self._data.open(loader)

    # --- training ---

    def trained_on(self, loss: Tensor | None) -> Call | None:
        """Return the call that `loss` comes from, as its backward begins; calls before it are over."""
        calls, self._calls, self._depth = self._calls, [], 0
        self._data.trained_on()
        if loss is None or loss.grad_fn is None or not calls:
            return None
        behind = _behind(loss)
        parts = [call for call in calls if (made := call.result()) is not None and made.grad_fn in behind]
        if not parts:
            return None
        if self._terms is None:
            self._terms = _terms(loss, parts)
        pair = parts[-1].pair
        self._trained_on = pair[0].data_ptr() if pair is not None and measurable(pair[0]) else 0
        return parts[-1]

    # --- evaluation ---

    def take_evaluations(self) -> tuple[dict[str, float], bool]:
        """Return the values of the evaluations that are over, and whether an accuracy is that of a part."""
        evaluations, self.evaluations = self.evaluations, {}
        values: dict[str, float] = {}
        for data, evaluation in evaluations.items():
            functions = evaluation._losses if self._terms is None else self._terms
            values |= {f"{data}_{what}": value for what, value in evaluation.values(functions).items()}
        return values, any(evaluation.partial for evaluation in evaluations.values())

    def _called(self, function: str, prediction: Any, target: Any, result: Tensor, reduction: str) -> None:
        if not (isinstance(prediction, Tensor) and isinstance(target, Tensor) and measurable(result)):
            return
        if in_dispatch_mode() or not measurable(prediction):
            return
        if result.requires_grad and not self._evaluating():
            value = result.item() if result.is_cpu and result.numel() == 1 and self._terms is None else None
            if len(self._calls) < REMEMBERED:
                refs = weakref.ref(prediction), weakref.ref(target), weakref.ref(result)
                self._calls.append(Call(function, *refs, value))
            return
        if not result.requires_grad and (prediction.requires_grad or prediction.data_ptr() == self._trained_on):
            return  # a number about the training batch
        data = self._data.name()
        if data is None:
            return
        if reduction == "sum":
            result = result / max(target.numel(), 1)
        self.evaluations.setdefault(data, Evaluation()).add(function, result, prediction, target)

    def _evaluating(self) -> bool:
        return bool(self.models) and not any(model.training for model in self.models)
