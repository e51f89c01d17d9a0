"""Asking a model: what it answers to a batch, and to the same batch with something exchanged, in evaluation mode."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence
from torch.overrides import TorchFunctionMode

from trainhealth.checkups.batches import mapped
from trainhealth.checkups.examples import inputs_and_target
from trainhealth.checkups.guard import random_states
from trainhealth.checkups.subject import Subject
from trainhealth.hooks.tensors import prediction_in, tensors_in


class Asked:
    """A model after its watched start, asked again and again about one batch.

    Some training has moved layers that begin at zero: before it, nothing would depend on anything.
    """

    def __init__(self, subject: Subject) -> None:
        self._model = copy.deepcopy(subject.watched.trial.model).eval()
        batch = subject.batches[0]
        trial = subject.fresh()
        trial.model.eval()
        with torch.no_grad():
            seen = trial.observe(batch)
        self.arguments, self.named = seen.arguments, seen.named
        self.kind = type(subject.model).__name__
        self.target = subject.target(batch, seen.compared)
        if self.target is None and subject.forward is None:
            self.target = inputs_and_target(batch)[1]  # among the arguments of a model that computes its loss
        self._random_states = random_states()
        self.answer = self.ask(lambda tensor: tensor)

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors among the model's arguments, in order."""
        return list(tensors_in((self.arguments, self.named)))

    def ask(self, change: Callable[[Tensor], Tensor], *, at_random: bool = False) -> Tensor | None:
        """Return the prediction for the arguments with `change` applied to each tensor; None where there is none.

        The random states are the same every time, so that what a model draws in evaluation mode does not look like an
        effect of the change; `at_random` goes on from wherever they are.
        """
        for restore in () if at_random else self._random_states:
            restore()
        copied = [tensor.clone() for tensor in self.tensors]
        changed = iter([change(tensor) for tensor in copied])
        arguments, named = mapped((self.arguments, self.named), lambda tensor: next(changed))
        with torch.no_grad():
            prediction = prediction_in(self._model(*arguments, **named))
        return None if prediction is None else prediction.detach().clone()

    @property
    def why_not(self) -> str | None:
        """Why the answer says nothing about single examples, in words; None where it does."""
        if self.answer is None:
            return "the model returns no tensor of real numbers"
        if any(isinstance(one, PackedSequence) for one in (*self.arguments, *self.named.values())):
            return "the inputs are packed sequences"
        if not bool(torch.isfinite(self.answer).all()):
            return "the outputs are not finite"
        tensors = [tensor for tensor in self.tensors if tensor.dim()]
        if not tensors or len({len(tensor) for tensor in tensors}) != 1 or len(tensors[0]) < 3:
            return "the model's inputs are no batch of three or more examples, one a row"
        return None


def changed(before: Tensor, after: Tensor) -> float:
    """Return the largest change of an output, in standard deviations of all outputs before."""
    difference = float((after.double() - before.double()).abs().max())
    spread = float(before.double().std())
    return difference / spread if spread > 0 else (float("inf") if difference > 0 else 0.0)


def exchanged(tensor: Tensor, place: int, other: int, axis: int = 0) -> Tensor:
    """Return a copy in which the slice at `place` of an axis is that of `other`."""
    result = tensor.clone()
    result.select(axis, place).copy_(tensor.select(axis, other))
    return result


class Drops(TorchFunctionMode):
    """Sees whether a dropout function drops, while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if "dropout" in name:
            self.seen |= bool(named.get("training", args[2] if len(args) > 2 else False)) and named.get("p", 0.5) > 0
        elif name == "scaled_dot_product_attention":
            self.seen |= float(named.get("dropout_p", args[4] if len(args) > 4 else 0.0)) > 0
        return func(*args, **named)
