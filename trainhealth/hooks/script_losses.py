"""Sees the loss functions that a script calls: those that are trained on, and those of its evaluations."""

from __future__ import annotations

import re
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from trainhealth.hooks.own_hooks import OwnHook
from trainhealth.hooks.script_evaluation import Data, Evaluation
from trainhealth.hooks.tensors import in_dispatch_mode, measurable
from trainhealth.hooks.untraced import passing, untraced

if TYPE_CHECKING:
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
KEPT = 1 << 18  # numbers that a prediction may have to be kept until its backward: a megabyte
REMEMBERED = 64  # calls between two backwards that are remembered at most


@dataclass(slots=True)
class Call:
    """A call of a loss function with gradients, whose parts are there as long as the script keeps them."""

    function: str
    prediction: weakref.ref[Tensor]
    target: weakref.ref[Tensor]
    result: weakref.ref[Tensor]
    value: float | None  # where it can be read without making a device wait
    elements: int  # that a sum was taken over; 1 for a mean
    judged: bool  # the models were in evaluation mode: it counts as an evaluation unless a backward comes

    @property
    def pair(self) -> tuple[Tensor, Tensor] | None:
        """What the function was given, where that is still there."""
        prediction, target = self.prediction(), self.target()
        return None if prediction is None or target is None else (prediction, target)


class LossCalls:
    """Tells losses that are trained on from those of evaluations, which have no gradients or models in `eval` mode.

    A loss over what was just trained on is neither. Evaluations of the training data, where a data loader shows that
    they are, are left out; without data loaders nothing tells them from those of other data.
    """

    def __init__(self, safely: Callable[..., None]) -> None:
        self.models: list[nn.Module] = []  # those that are trained
        self.data = Data()
        self._safely = safely  # calls a function of ours inside the script's
        self._evaluations: dict[str, Evaluation] = {}  # by the name of the data
        self._calls: list[Call] = []  # since the last backward
        self._kept: tuple[Tensor, Tensor] | None = None  # of the last of them: a few scripts keep nothing but the loss
        self._depth = 0  # of loss functions that are being called: the outermost is what the script calls
        self._terms: Counter[str] | None = None  # of the loss that is trained on; empty where they are weighted
        self._elements = 1
        self._settled = False  # the terms are known
        self._last: Call | None = None  # that was trained on
        self._trains_in_eval_mode = False
        self._criteria: list[RemovableHandle] = []

    # --- what the script calls ---

    def replacement(self, function: str, active: Callable[[], bool]) -> Callable[..., Any]:
        """Return what makes, of a loss function, one whose calls are seen."""

        def make(original: Callable[..., Any]) -> Callable[..., Any]:
            @passing
            def seen(*args: Any, **kwargs: Any) -> Any:
                if torch.compiler.is_compiling() or not active():
                    return original(*args, **kwargs)
                self._depth += 1
                try:
                    result = original(*args, **kwargs)
                finally:
                    self._depth -= 1
                if self._depth == 0:
                    prediction = args[0] if args else kwargs.get("input")
                    target = args[1] if len(args) > 1 else kwargs.get("target")
                    if self._settled and torch.is_grad_enabled() and self.models[0].training:
                        self._note(function, prediction, target, result)
                    else:
                        summed = kwargs.get("reduction") == "sum"
                        self._safely(self._called, function, prediction, target, result, summed)
                return result

            return seen

        return make

    def begin(self, modules: Iterable[nn.Module]) -> None:
        """Other models are trained from here on. Of all `modules`, those that look like losses are seen, too."""
        self._terms, self._elements, self._last = None, 1, None
        self._settled = self._trains_in_eval_mode = False
        self.leave_criteria()
        for module in modules:
            kind = type(module)
            if kind.__module__.startswith("torch.") or not CRITERION.search(kind.__name__):
                continue
            if next(module.parameters(), None) is None:
                self._criteria.append(module.register_forward_pre_hook(OwnHook(self._criterion_entered)))
                left = OwnHook(self._criterion_left)
                self._criteria.append(module.register_forward_hook(left, always_call=True))

    def leave_criteria(self) -> None:
        """Take the hooks off the modules."""
        handles, self._criteria = self._criteria, []
        for handle in handles:
            handle.remove()

    def _criterion_entered(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        if not torch.compiler.is_compiling():
            self._depth += 1

    def _criterion_left(self, module: nn.Module, args: tuple[Any, ...], result: Any) -> None:
        if torch.compiler.is_compiling():
            return
        self._depth -= 1
        if self._depth == 0 and len(args) > 1:
            summed = getattr(module, "reduction", None) == "sum"
            self._safely(self._called, type(module).__name__, args[0], args[1], result, summed)

    def _called(self, function: str, prediction: Any, target: Any, result: Any, summed: bool) -> None:
        tensors = isinstance(prediction, Tensor) and isinstance(target, Tensor) and isinstance(result, Tensor)
        if not tensors or in_dispatch_mode() or torch._C._get_tracing_state() is not None:
            return
        judged = not result.requires_grad
        if not judged:
            judged = self._evaluating()
            if len(self._calls) < REMEMBERED:
                value = result.item() if self._terms is None and result.is_cpu and result.numel() == 1 else None
                parts = weakref.ref(prediction), weakref.ref(target), weakref.ref(result)
                self._calls.append(Call(function, *parts, value, target.numel() if summed else 1, judged))
            self._kept = None if judged or prediction.numel() > KEPT else (prediction, target)
        elif prediction.requires_grad or self._is_training_batch(prediction, target):
            return
        if judged and measurable(result) and measurable(prediction) and (data := self.data.evaluated()) is not None:
            evaluation = self._evaluations.setdefault(data, Evaluation())
            mean = result.detach() / max(target.numel(), 1) if summed else result.detach()
            evaluation.add(function, mean, prediction.detach(), target)

    @untraced
    def _note(self, function: str, prediction: Any, target: Any, result: Any) -> None:
        """Remember a call in training, in a microsecond; it takes no look at the tensors, which would need a guard."""
        if len(self._calls) < REMEMBERED and type(prediction) is type(target) is type(result) is Tensor:
            parts = weakref.ref(prediction), weakref.ref(target), weakref.ref(result)
            self._calls.append(Call(function, *parts, None, 1, judged=False))

    def _evaluating(self) -> bool:
        """Tell whether no model is in training mode, which says nothing where models are trained so."""
        if self._trains_in_eval_mode or not self.models:
            return False
        return not any(model.training for model in self.models)

    def _is_training_batch(self, prediction: Tensor, target: Tensor) -> bool:
        """Tell whether a loss without gradients is a number about the batch that was trained on."""
        if self._last is None:
            return False
        trained, labels = self._last.prediction(), self._last.target()
        return (trained is not None and trained.data_ptr() == prediction.data_ptr()) or (
            labels is not None and labels.data_ptr() == target.data_ptr() and labels.shape == target.shape
        )

    # --- what becomes of them ---

    def trained_on(self, loss: Tensor | None, divisor: float) -> tuple[Tensor, Tensor] | None:
        """Return the (prediction, target) that `loss` comes from, as its backward begins; None where they are gone."""
        calls, self._calls, self._depth = self._calls, [], 0
        pair, self._kept = self._kept, None
        self.data.trained_on()
        if loss is None or loss.grad_fn is None or not calls:
            return None
        if len(calls) == 1 and calls[0].result() is loss:  # nearly always
            parts = calls
        else:
            behind = _behind(loss)
            parts = [call for call in calls if (made := call.result()) is not None and made.grad_fn in behind]
        if not parts:
            return None
        if any(call.judged for call in parts):
            self._trains_in_eval_mode = True
            self._evaluations = {}
        if self._terms is None:
            self._terms = _terms(loss, divisor, parts)
            self._elements = parts[0].elements
            self._settled = True
        self._last = parts[-1]
        return pair if parts[-1] is calls[-1] and pair is not None else self._last.pair

    def take_evaluations(self, seen: Callable[[], Tensor | None]) -> tuple[dict[str, float], bool]:
        """Return the values of the evaluations since the last call, and whether an accuracy is that of a part.

        `seen` tells how often each class was a target in training.
        """
        evaluations, self._evaluations = self._evaluations, {}
        values: dict[str, float] = {}
        for data, evaluation in evaluations.items():
            loss = evaluation.loss(self._terms)
            if loss is not None:
                values[f"{data}_loss"] = loss * self._elements
            if evaluation.accuracy is not None:
                values[f"{data}_accuracy"] = evaluation.accuracy
            unseen = evaluation.unseen_share(seen()) if data == "validation" else None
            if unseen is not None:
                values["validation_unseen_share"] = unseen
        return values, any(evaluation.partial for evaluation in evaluations.values())


def _behind(loss: Tensor) -> list[Any]:
    """Return the first nodes of the graph behind a loss."""
    nodes: list[Any] = []
    waiting: deque[Any] = deque([loss.grad_fn])
    while waiting and len(nodes) < LOOKED_BACK:
        node = waiting.popleft()
        nodes.append(node)
        waiting.extend(following for following, _ in node.next_functions if following is not None)
    return nodes


def _terms(loss: Tensor, divisor: float, calls: list[Call]) -> Counter[str]:
    """Return how often each function stands in the sum that the loss is; nothing where they do not add up to it."""
    functions = Counter(call.function for call in calls)
    if len(calls) == 1:
        return functions  # what else is in it, a penalty on the weights, is not part of an evaluation
    total = sum(call.value for call in calls if call.value is not None)
    whole = loss.item() * divisor if loss.is_cpu and loss.numel() == 1 else float("nan")
    return functions if abs(total - whole) <= 1e-3 * abs(whole) else Counter()
