"""Tells the steps of a script that does not tell them: which backwards and which updates belong together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.optim import Optimizer

from trainhealth.hooks.graph import kept
from trainhealth.hooks.script_backwards import Backwards
from trainhealth.hooks.script_clipping import ClippingPlace
from trainhealth.hooks.script_models import parameters_of

if TYPE_CHECKING:
    from trainhealth.hooks.batches import MicroBatch
    from trainhealth.hooks.recorder import Recorder

PATIENCE = 4  # times the longest run of updates of one optimizer; then others, which took turns with it, are done
UNUSED = 20  # backwards that are cleared before the first update of all: then none is to come, and each is a step
WAITED = 256  # backwards before the first update of all, as in `recorder`: more are not accumulated
BACKWARDS = 4096  # of one step at most: where updates are not seen (one in compiled code), memory stays bounded


@dataclass(slots=True)
class Backward:
    """A backward that has returned, and belongs to the step under way."""

    loss: Tensor | None
    outputs: Tensor | None
    targets: Tensor | None
    divisor: float = 1.0  # that the script has divided the loss by, last of all
    batch: MicroBatch | None = None  # what is left of it when another one follows
    name: str | None = None  # of the optimizer that has used its gradients


class Steps:
    """Hands each step to the recorder when the last of its optimizers has made its update.

    With several optimizers (a GAN) a step ends when each of them has made one. Those that have never taken turns are
    not waited for when one comes round again: they belong to different phases of the script.
    """

    def __init__(self, recorder: Recorder, optimizers: Mapping[str, Optimizer]) -> None:
        self._recorder = recorder
        self.backwards = Backwards(recorder, self._weights)
        self._clipping = ClippingPlace()
        self._told = False  # that the division of the loss is undone
        self._backwards: list[Backward] = []
        self._cleared: Backward | None = None  # the last one whose gradients were set to zero before an update
        self._inside = 0  # backwards in the update under way: a closure's
        self._updating = self._skipped = False
        self._late = False  # a step has ended after the forward of the next one
        self._in_turn: tuple[int, int] = (0, 0)  # the optimizer of the last update, and how many it has made in a row
        self._longest: dict[int, int] = {}  # how many an optimizer has made in a row before another one's
        self._take_turns = False
        self._accumulated = 1.0  # batches a step: their losses are divided by it
        self._adds_up: bool | None = None  # a step's backwards are terms of one loss; None: there was one alone so far
        self.use(optimizers)

    def use(self, optimizers: Mapping[str, Optimizer]) -> None:
        """Count the updates of these optimizers from here on."""
        self._names = {id(optimizer): name for name, optimizer in optimizers.items()}
        self._optimizers = {id(optimizer): optimizer for optimizer in optimizers.values()}
        self._expected = set(self._optimizers)
        self._updated: dict[int, int] = {}  # how often each optimizer has, in this step

    def knows(self, optimizer: Optimizer) -> bool:
        """Tell whether the updates of `optimizer` belong to these steps."""
        return id(optimizer) in self._optimizers

    def backward_ended(self, backward: Backward) -> None:
        """A backward of the training has returned."""
        if not self._clipping.settled:
            self._clipping.backward_ended()
        if self._updating:
            self._inside += 1
            if self._inside > 1:
                return  # a closure is called several times in one update: the first time counts
        if self._backwards:
            self._settle(self._backwards[-1])
        if len(self._backwards) < BACKWARDS:
            self._backwards.append(backward)
        self.backwards.ended()
        if self.backwards.never_used and (self.backwards.discarded >= UNUSED or self.backwards.since >= WAITED):
            self._late = True  # the recorder must not wait for the update
            self._end()  # optimizer.step() is missing: that is for rules to say, and they need steps

    def gradients_clipped(self, parameters: Any, limit: Any) -> None:
        """The script has clipped the gradients of `parameters`."""
        if not self._clipping.settled and len(self._optimizers) == 1:  # of several, each has an order of its own
            self._clipping.clipped(parameters, limit, set(map(id, self._weights())))

    def gradients_cleared(self, optimizer: Optimizer) -> None:
        """Gradients were set to zero: a backward that none has used was not for an update (an attack on the inputs)."""
        if self._updating or not self._backwards:
            return
        own = {id(parameter) for parameter in parameters_of(optimizer)}
        others = [o for o in self._optimizers.values() if o is not optimizer]
        if any(id(p) not in own and p.grad is not None for other in others for p in parameters_of(other)):
            return  # it may be another optimizer's
        for backward in self._backwards:
            if backward.name is None:
                self._cleared = backward
        used = [backward for backward in self._backwards if backward.name is not None]
        self.backwards.discarded += len(self._backwards) - len(used)
        self._backwards = used

    def update_begins(self, optimizer: Optimizer) -> None:
        """An optimizer is about to make its update."""
        self._updating, self._inside = True, 0
        if self._cleared is not None and not self._backwards:
            self._backwards = [self._cleared]  # the script clears its gradients too early: that is for rules to say
        self._cleared = None
        key = id(optimizer)
        turns = self._updated.get(key, 0)
        if turns and turns >= (PATIENCE * self._longest.get(key, 1) if self._take_turns else 1):
            self._expected = set(self._updated)
            unused = [backward for backward in self._backwards if backward.name is None]
            self._backwards = [backward for backward in self._backwards if backward.name is not None]
            self._end()
            self._backwards, self._late = unused, True

    def update_ended(self, optimizer: Optimizer) -> None:
        """An optimizer has made its update."""
        self._updating = False
        self.backwards.updated()
        if not self._clipping.settled and self._clipping.updated():
            self._recorder.learn("clipping_misplaced", self._clipping.limit)
        key = id(optimizer)
        last, row = self._in_turn
        if last and key != last:
            self._take_turns |= key in self._longest
            self._longest[last] = max(row, self._longest.get(last, 0))
            row = 0
        self._in_turn = key, row + 1
        self._updated[key] = self._updated.get(key, 0) + 1
        self._expected.add(key)
        for backward in self._backwards:
            backward.name = self._names[key] if backward.name is None else backward.name
        if len(self._updated) == len(self._expected):
            self._end()
            return
        covered = {id(p) for done in self._updated for p in parameters_of(self._optimizers[done])}
        for other in self._expected - set(self._updated):
            if any(id(parameter) not in covered for parameter in parameters_of(self._optimizers[other])):
                return
        self._end()

    def update_skipped(self, optimizer: Optimizer) -> None:
        """The loss scaler has skipped the update of an optimizer: gradients were not finite."""
        self._skipped = True
        self.update_ended(optimizer)

    def end(self) -> None:
        """The run is over: where no update has ever come, each backward was a step."""
        if self.backwards.never_used:
            for backward in self._backwards:
                self._backwards, self._late = [backward], True
                self._end()
            self.backwards.end()

    def _weights(self) -> Iterator[Tensor]:
        return (parameter for optimizer in self._optimizers.values() for parameter in parameters_of(optimizer))

    def _end(self) -> None:
        backwards, self._backwards, self._updated = self._backwards, [], {}
        skipped, late, self._skipped, self._late = self._skipped, self._late, False, False
        simple = self._accumulated == 1.0 and not skipped and not late
        if len(backwards) == 1 and backwards[0].batch is None and simple:
            only = backwards[0]
            self._recorder.step(only.loss, only.outputs, only.targets, None)
            return
        for backward in backwards:
            self._settle(backward)
        self._undo_division(backwards)
        several = len({backward.name for backward in backwards}) > 1
        if self._adds_up is None and len(backwards) > 1:
            self._adds_up = self._recorder.forwards == 1 and not several and self._accumulated == 1.0
        batches: list[MicroBatch] = []
        for backward in backwards:
            if backward.batch is not None:
                if several and backward.name:
                    backward.batch.losses = dict.fromkeys([backward.name], sum(backward.batch.losses.values()))
                batches.append(backward.batch)
        self._recorder.end_step([_summed(batches)] if self._adds_up and batches else batches, skipped=skipped)

    def _settle(self, backward: Backward) -> None:
        """Keep of a backward what its record needs, and let go of its tensors."""
        if backward.batch is None:
            with self._recorder.guarded("step"):
                backward.batch = self._recorder.micro_batch(backward.loss, backward.outputs, backward.targets)
            backward.loss = backward.outputs = backward.targets = None

    def _undo_division(self, backwards: list[Backward]) -> None:
        """Multiply losses that were divided by the number of batches that are accumulated: the step's is their mean."""
        divisor = backwards[0].divisor if backwards else 1.0
        if divisor == 1.0 or any(backward.divisor != divisor for backward in backwards):
            return
        if len(backwards) == divisor:
            self._accumulated = divisor
        if divisor == self._accumulated:
            factor = self._recorder.facts.get("loss_factor")
            if factor is not None and not self._told:  # the first batch was described before it could be known
                self._told = True
                self._recorder.learn("loss_factor", factor * divisor, anew=True)
            for backward in backwards:
                if backward.batch is not None:
                    losses = backward.batch.losses
                    backward.batch.losses = {name: value * divisor for name, value in losses.items()}


def _summed(batches: list[MicroBatch]) -> MicroBatch:
    """Return the only batch of a step whose forward has had several backwards: its loss is the sum of theirs."""
    losses = {f"backward {number}": sum(batch.losses.values()) for number, batch in enumerate(batches, 1)}
    return replace(batches[0], losses=losses) if len(batches) > 1 else batches[0]


def divisor_of(loss: Tensor | None) -> float:
    """Return the number that the script has divided the loss by last of all; 1.0 where it has not."""
    node = loss.grad_fn if loss is not None else None
    if node is None or node.name() not in ("DivBackward0", "MulBackward0"):
        return 1.0
    factor = kept(node, "other")
    if factor is None or node.next_functions[1][0] is not None:
        return 1.0
    if factor.numel() != 1 or not factor.is_cpu or not float(factor):
        return 1.0
    return float(factor) if node.name() == "DivBackward0" else round(1.0 / float(factor), 6)
