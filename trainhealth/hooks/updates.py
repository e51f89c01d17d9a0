"""Sees the optimizers' updates: that there was one, at which rate, and whether it was refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.compiler import is_compiling
from torch.optim import Optimizer

from trainhealth.hooks.own_hooks import take_off
from trainhealth.hooks.rates import Rates
from trainhealth.hooks.untraced import untraced

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

    from trainhealth.hooks.recorder import Recorder


class Updates:
    """Two hooks on each optimizer, and what they have seen since the last step ended."""

    def __init__(self, recorder: Recorder, optimizers: Sequence[Optimizer]) -> None:
        self.count = 0  # of any optimizer, since the last step ended
        self.never = True  # no optimizer has made one, so far
        self.under_way = False  # inside an optimizer's step: a closure's forwards and backwards run there
        self.seen = bool(optimizers)  # before they happen
        self.refusals: list[Tensor] = []  # not 0 where a fused optimizer, under a loss scaler, refuses its update
        self.unnoticed = False  # one has happened in compiled code
        self.compiled = False  # some do: then only the next forward, or call of `step`, tells that there was one
        self.made: dict[int, int] = {}  # updates of each optimizer that is watched now, by identity
        self._recorder = recorder
        self._resting = self._ending = False
        self._handles: list[RemovableHandle] = []  # of the hooks after updates
        self._before_handles: list[RemovableHandle] = []
        self.use(optimizers)

    def use(self, optimizers: Sequence[Optimizer]) -> None:
        """Watch these optimizers from here on."""
        for handle in self._handles:
            handle.remove()
        self.optimizers, self.rates, self.made = tuple(optimizers), Rates(optimizers), {}
        self._handles = [optimizer.register_step_post_hook(self._after) for optimizer in self.optimizers]
        self.rest(False)

    @property
    def may_rest(self) -> bool:
        """Whether a hook after the update sees all that there is to see of a plain step."""
        return len(self.optimizers) == 1 and self.seen

    def rest(self, resting: bool, *, ending: bool = False) -> None:
        """Leave the hooks after updates alone on the optimizers, or put the others back.

        Meanwhile updates are plain, and may be `ending` a step. The hooks after them stay where they are: a script may
        end its step in such a hook of its own, while torch goes through them.
        """
        for handle in self._before_handles:
            handle.remove()
        self._resting, self._ending = resting and not ending, resting and ending
        waking = () if resting else self.optimizers
        self._before_handles = [optimizer.register_step_pre_hook(self._before) for optimizer in waking]

    def close(self) -> None:
        """Take the hooks off, and keep no optimizer in memory."""
        take_off((*self._handles, *self._before_handles))
        self._handles, self._before_handles = [], []
        self.use(())

    def notice(self) -> None:
        """Catch up with an update that happened in compiled code: before the next forward, or the next `step`."""
        self.unnoticed, self.seen, self.made = False, False, {}  # whose it was is not known
        self.compiled = True
        self._recorder.plain.end()
        with self._recorder.guarded("rates"):
            self.rates.read()
        self._recorder.updated()

    def take_refusals(self) -> list[Tensor]:
        """Return the refusals of the step that ends, where all of its updates may have been refused; else none."""
        refusals, self.refusals = self.refusals, []
        count, self.count = self.count, 0
        return refusals if len(refusals) == count else []

    @untraced
    def _before(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if is_compiling():
            return
        self.under_way = True
        self._read(optimizer)
        if not self._recorder.plain.under_way:
            self._recorder.sampler.before_update(optimizer)

    @untraced
    def _after(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if is_compiling():
            self.unnoticed = True  # is compiled into one assignment after the graph
            return
        self.made[id(optimizer)] = self.made.get(id(optimizer), 0) + 1
        if self._resting:
            self._plainly_after(optimizer)
        elif self._ending:
            self._plainly_after(optimizer)
            self._recorder.plain.updated()
        elif self._recorder.plain.under_way:
            self.count += 1
            if self._recorder.plain.held:
                self._recorder.plain.updated()
        else:
            self._recorder.sampler.after_update(optimizer)
            self._recorder.updated()
        self.under_way = False

    def _plainly_after(self, optimizer: Optimizer) -> None:
        self.count += 1
        groups = optimizer.param_groups  # the rate that the update has used still stands there
        if len(groups) != 1 or groups[0].get("lr") is not self.rates.same or "found_inf" in optimizer.__dict__:
            self._read(optimizer)

    def _read(self, optimizer: Optimizer) -> None:
        """Read the rates, and whether a loss scaler has the update refused."""
        try:
            self.rates.read()
        except Exception as error:  # noqa: BLE001  # as in a guard, which would cost more than reading a rate
            self._recorder.failed("rates", error)
        refusal = optimizer.__dict__.get("found_inf")
        if refusal is not None:
            self.refusals.append(refusal.detach())
