"""The subject of a checkup: what the user has passed, and fresh copies of it for every check."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import LBFGS, AdamW, Optimizer

from trainhealth.checkups.batches import Batches, mapped, split
from trainhealth.checkups.coming import Coming
from trainhealth.checkups.graphs import leaves_of
from trainhealth.checkups.guard import random_states
from trainhealth.errors import UsageError
from trainhealth.hooks.loss import saved_pair
from trainhealth.hooks.tensors import prediction_in, tensors_in

if TYPE_CHECKING:
    from trainhealth.checkups.base import Outcome
    from trainhealth.checkups.watched import Watched

Forward = Callable[[nn.Module, Any], Tensor]
DEFAULT_RATE = 1e-3  # of the AdamW that stands in where no optimizer is passed: its own default, and the lectures'


@dataclass(frozen=True, slots=True)
class Pass:
    """One forward: what entered the model, what came out, and the loss."""

    arguments: tuple[Any, ...]  # of the model's last call
    named: dict[str, Any]  # the keyword arguments of that call
    outputs: Any  # as the model returned it
    loss: Tensor
    compared: Tensor | None = None  # the target that the loss function has saved, where it is one of torch's

    @property
    def prediction(self) -> Tensor | None:
        """The prediction in the outputs: what is called logits, else the first tensor of real numbers."""
        return prediction_in(self.outputs)


class Trial:
    """A copy of model, loss function and optimizer, to do with as one likes."""

    def __init__(
        self, model: nn.Module, optimizer: Optimizer, loss_fn: Callable[..., Any] | None, forward: Forward | None
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self._loss_fn = loss_fn
        self._forward = forward

    def loss(self, batch: Any) -> Tensor:
        """Return the loss of a batch as the user's training computes it, with its graph: a tensor of one number."""
        if self._forward is not None:
            value: Any = self._forward(self.model, batch)
        elif self._loss_fn is None:
            value = _own_loss(self._outputs(batch))
        else:
            arguments, named, target = split(batch)
            value = self._loss_fn(self.model(*arguments, **named), target)
        if not isinstance(value, Tensor) or value.numel() != 1:
            kind = (
                f"a tensor of shape {list(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            )
            raise UsageError(f"the loss is {kind}, not one number", "Return the mean over the batch as a tensor.")
        return value.reshape(())

    def observe(self, batch: Any) -> Pass:
        """Return one forward with what entered and left the model."""
        calls: list[tuple[tuple[Any, ...], dict[str, Any], Any]] = []

        def keep(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
            calls[:] = [(arguments, named, output)]

        handle = self.model.register_forward_hook(keep, with_kwargs=True)
        try:
            loss = self.loss(batch)
        finally:
            handle.remove()
        pair = saved_pair(loss)
        arguments, named, outputs = calls[0] if calls else ((), {}, None)
        return Pass(arguments, named, outputs, loss, None if pair is None else pair[1])

    def step(self, batch: Any) -> Pass:
        """Train on one batch; return its forward, that before the update (the graph is used up)."""
        passes: list[Pass] = []

        def closure() -> Tensor:
            self.optimizer.zero_grad()
            with torch.enable_grad():
                seen = self.observe(batch)
                seen.loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            passes.append(seen)
            return seen.loss

        if isinstance(self.optimizer, LBFGS):
            self.optimizer.step(closure)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        else:
            closure()
            self.optimizer.step()
        return passes[0]

    def _outputs(self, batch: Any) -> Any:
        if isinstance(batch, Mapping):
            return self.model(**batch)
        return self.model(*batch) if isinstance(batch, tuple | list) else self.model(batch)


def _own_loss(outputs: Any) -> Any:
    """Return the loss that the model has computed itself: what is called so, or the scalar among its outputs."""
    named = outputs.get("loss") if isinstance(outputs, Mapping) else getattr(outputs, "loss", None)
    if isinstance(named, Tensor):
        return named
    scalars = [tensor for tensor in tensors_in(outputs) if tensor.dim() == 0 and tensor.is_floating_point()]
    if len(scalars) == 1:
        return scalars[0]
    raise UsageError(
        "there is no loss: no loss_fn was passed, and the model returns none",
        "Pass loss_fn=, a function (outputs, target) -> loss, or forward=, a function (model, batch) -> loss.",
    )


@dataclass
class Subject:
    """What is looked at, and for how long.

    `fresh` gives copies; nothing else of the user's is handed out. Before each copy the random states are set to
    those that the user's process had, so that every check sees the same dropout and the same initial weights of lazy
    modules, whichever checks ran before.
    """

    model: nn.Module  # the user's own: look at names and shapes, never run it
    optimizer: Optimizer | None  # the user's own: look at settings
    batches: Batches
    loss_fn: Callable[..., Any] | None = None
    forward: Forward | None = None
    validation: Batches | None = None
    quick: bool = False
    total_steps: int | None = None  # that the run is planned for, where the user has told
    loader_length: int | None = None  # batches that the loader has, where it knows
    partners: Sequence[nn.Module] = ()  # other models that the loss uses, and that train as well
    coming: Coming | None = None  # the batches of the epochs to come; None where there are only those drawn
    deadline: float = float("inf")  # of the check that runs, on the clock of time.monotonic
    outcomes: dict[str, Outcome] = field(default_factory=dict)  # by name, of the checks that have run

    def __post_init__(self) -> None:
        self._random_states = random_states()

    @property
    def epoch_steps(self) -> int:
        """The number of batches in an epoch; at least as many as were drawn."""
        return max(len(self.batches), self.loader_length or 0)

    def fresh(self) -> Trial:
        """Return a copy of everything that trains, in training mode, as it is before the first step.

        Raises:
            UsageError: it can't be copied.
        """
        for restore in self._random_states:
            restore()
        memo = _held_tensors(one for one in (self.model, self.loss_fn) if isinstance(one, nn.Module))
        try:
            model, loss_fn, optimizer = copy.deepcopy((self.model, self.loss_fn, self.optimizer), memo)
        except Exception as error:
            raise UsageError(
                f"the model can't be copied ({type(error).__name__}: {error}), and a checkup works on copies only",
                "copy.deepcopy((model, loss_fn, optimizer)) has to work.",
            ) from error
        if not any(module.training for module in model.modules()):
            model.train()  # a pretrained model comes in evaluation mode, and the script's loop switches it
        if optimizer is None:
            optimizer = AdamW(list(model.parameters()), lr=DEFAULT_RATE)
        optimizer.zero_grad()
        return Trial(model, optimizer, loss_fn, self.forward)

    def target(self, batch: Any, compared: Tensor | None = None) -> Tensor | None:
        """Return the target of a batch; None where only the user's `forward` or the model knows which part it is.

        Where the loss compares with numbers (`compared`), those count: they may be one-hot vectors made of classes, or
        have lost an axis on the way.
        """
        try:
            target = split(batch)[2]
        except UsageError:
            return compared
        if not isinstance(target, Tensor) or (self.loss_fn is None and not isinstance(batch, Mapping)):
            return compared
        if compared is None or not compared.is_floating_point():
            return target
        if compared.numel() > target.numel():  # it was broadcast: its shape is no longer the target's
            return target if target.dim() < compared.dim() else None
        return compared

    def time_left(self) -> float:
        """Return the seconds that the check may still take; negative when they are spent."""
        return self.deadline - time.monotonic()

    @cached_property
    def differentiable(self) -> bool:
        """Whether a backward from the loss reaches any parameter; looked at once, and then true of every copy.

        Raises:
            UsageError: the model can't be run on the batch, or the loss is computed with the user's own model.
        """
        trial = self.fresh()
        try:
            with torch.enable_grad():
                loss = trial.loss(self.batches[0])
        except UsageError:
            raise
        except Exception as error:
            raise UsageError(
                f"the model can't be run on a batch: {type(error).__name__}: {error}",
                f"The batch was read as {self._reading()}. If that is wrong, pass forward=, (model, batch) -> loss.",
            ) from error
        reached = {id(leaf) for leaf in leaves_of(loss)}
        if reached & {id(parameter) for parameter in self.model.parameters()}:
            raise UsageError(
                "the loss is computed with the model that you have passed, not with the copy that is looked at",
                "Let forward=(model, batch) -> loss use the model that it is given.",
            )
        return bool(reached & {id(parameter) for parameter in trial.model.parameters()})

    @cached_property
    def watched(self) -> Watched:
        """The watched start of the training: the same measurements and the same rules as in any other run."""
        from trainhealth.checkups.watched import watch_start

        return watch_start(self)

    def _reading(self) -> str:
        batch = self.batches[0]
        if self.forward is not None:
            return f"{shapes(batch)}, and given to forward"
        if self.loss_fn is None:
            return f"{shapes(batch)}, all of it for the model"
        arguments, named, target = split(batch)
        return f"inputs {shapes(named or arguments)} and target {shapes(target)}"


def shapes(value: Any) -> str:
    """Return a batch with its tensors as shapes, for a message.

    >>> shapes((torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64)))
    '(float32[2, 3], int64[2])'
    """
    shown = mapped(value, lambda tensor: _Shape(tensor))  # type: ignore[arg-type, return-value]  # any leaf will do
    text = str(shown)
    return text if len(text) <= 200 else f"{text[:200]}…"


class _Shape:
    def __init__(self, tensor: Tensor) -> None:
        self._text = f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"

    def __repr__(self) -> str:
        return self._text


def _held_tensors(modules: Iterable[nn.Module]) -> dict[int, Any]:
    """Return a memo for deepcopy with the tensors that modules keep as plain attributes and that have a graph.

    The old ``weight_norm`` keeps its product so, others a cached output; deepcopy refuses them. Their values are all
    that the copy needs: the next forward computes them anew.
    """
    memo: dict[int, Any] = {}
    for module in modules:
        for part in module.modules():
            for value in vars(part).values():
                if isinstance(value, Tensor) and value.grad_fn is not None:
                    memo[id(value)] = value.detach().clone()
    return memo
