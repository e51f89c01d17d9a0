"""Watches the training of a script that knows nothing of it: ``trainhealth run``.

What is needed is seen where every script passes: optimizers when they are made, models at the first forward (see
`script_models`), losses in `backward` and in the loss functions (`script_losses`), the ends of steps in the optimizers'
updates (`script_steps`). From there on it is the machinery of `watch`.
"""

from __future__ import annotations

import contextlib
import gc
import os
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from trainhealth.hooks.guard import Guard
from trainhealth.hooks.loss import saved_pair
from trainhealth.hooks.own_hooks import take_off
from trainhealth.hooks.patches import Patches
from trainhealth.hooks.script_functions import replace_functions
from trainhealth.hooks.script_handle import Begin, Handle, ObservedEvaluations, tell
from trainhealth.hooks.script_left_out import LeftOut
from trainhealth.hooks.script_losses import LossCalls
from trainhealth.hooks.script_models import Candidates, named, named_after, parameters_of, trained
from trainhealth.hooks.script_objectives import Objectives, in_examples
from trainhealth.hooks.script_resets import Resets
from trainhealth.hooks.script_signs import SignedTargets
from trainhealth.hooks.script_steps import Backward, Steps, divisor_of
from trainhealth.hooks.untraced import untraced
from trainhealth.hooks.warning import warn_once


class Script:
    """Watches one script, from the moment at which it has imported torch until `end`.

    Models that are trained together are one run. A new model with a new optimizer (the next fold) begins another run,
    a new optimizer for the same models does not. Nothing here raises: what fails is a warning, and the script goes on.
    """

    def __init__(self, begin: Begin) -> None:
        self.folders: list[Path] = []
        self.stood_down = False  # the script watches its training itself
        self.patches = Patches()
        self._begin_run = begin
        self._handle: Handle | None = None
        self._steps: Steps | None = None
        self._resets: Resets | None = None
        self._left_out: LeftOut | None = None
        self._optimizers: dict[str, Optimizer] = {}
        self._former: weakref.WeakSet[Optimizer] = weakref.WeakSet()  # of runs that are over
        self._candidates = Candidates(self._first_forward)
        self._losses = LossCalls(self.safely)
        self.signs = SignedTargets(self.safely)
        self._objectives = Objectives()
        self.updates = 0  # of any optimizer
        self._unnoticed: dict[int, bool] = {}  # who has made one in compiled code, or in a backward, by identity
        self._charged = 0.0  # by others, when our own work began
        self._observed = ObservedEvaluations(self._losses)
        self._owner = os.getpid()
        self._hooks = [
            register_optimizer_step_pre_hook(self._update_begins),
            register_optimizer_step_post_hook(self._update_ended),
        ]
        replace_functions(self.patches, self, self._losses)
        here = weakref.WeakMethod(self._abandon)
        os.register_at_fork(after_in_child=lambda: (abandon := here()) and abandon())

    def stand_down(self) -> None:
        """Leave the script alone: it watches its training itself."""
        self.stood_down = True
        self._leave()
        self._close(None)

    def end(self, error: BaseException | None) -> None:
        """The script has ended, with `error` where it has raised one."""
        if os.getpid() == self._owner:
            self._leave()
            if error is None:
                self.safely(self._take_evaluations)
            self._close(error)

    # --- models and optimizers -----------------------------------------------------------------------------------

    def optimizer_made(self, made: Optimizer, *_: Any) -> None:
        """An optimizer's constructor has returned."""
        if not self._join(made):
            self._candidates.add(made)

    def compiled(self, *_: Any) -> None:
        """``torch.compile`` has returned."""
        if self._candidates.optimizers:
            self._candidates.wait()  # hooks move from what is compiled to what stands around it

    def _first_forward(self, module: nn.Module) -> None:
        if os.getpid() == self._owner and not _in_a_backward():
            self.safely(self._begin_with, module)

    def _begin_with(self, module: nn.Module) -> None:
        trained = {id(parameter) for made in self._candidates.optimizers for parameter in parameters_of(made)}
        if any(id(parameter) in trained for parameter in module.parameters()):
            self._begin(module)  # else `functional_call` has put others in their place: the backward will tell

    def _join(self, made: Optimizer) -> bool:
        """Take an optimizer of models that are watched; one whose parameters it takes over is let go."""
        if self._handle is None or self._steps is None:
            return False
        watched = {id(parameter) for model in self._losses.models for parameter in model.parameters()}
        own = {id(parameter) for parameter in parameters_of(made)}
        if not own or not own <= watched:
            return False
        # an older one may still hold a head that the model has no more
        held = {name: {id(parameter) for parameter in parameters_of(o)} for name, o in self._optimizers.items()}
        left = {name: o for name, o in self._optimizers.items() if not held[name] & watched <= own}
        name = type(made).__name__
        while name in left:
            name += "_2"
        self._optimizers = left | {name: made}
        self._handle.recorder.use_optimizers(list(self._optimizers.values()))
        self._steps.use(self._optimizers)
        message = f"the script trains with a new {type(made).__name__}"
        tell(self._handle, "optimizer-added", message, {"type": type(made).__name__})
        return True

    def _begin(self, called: nn.Module | None) -> None:
        """Begin a run with the optimizers that wait; `called` is the model whose forward shows that training begins."""
        optimizers, began = self._candidates.optimizers, time.perf_counter()
        if not optimizers:
            return
        models = trained(optimizers, called)
        self._candidates.clear()
        self._take_evaluations()
        self._close(None)
        self._losses.models = models
        together = named(models)
        self._optimizers = named_after(together, optimizers)
        self._handle = handle = self._begin_run(together, self._optimizers)
        self.folders.append(handle.run_dir.absolute())
        self._charged = handle.recorder.governor.spent
        self._steps = Steps(handle.recorder, self._optimizers)
        self._resets = Resets(handle.recorder, models)
        self._left_out = LeftOut(handle.recorder, models, optimizers)
        self.signs.begin(handle.recorder)
        self._losses.begin(thing for thing in gc.get_objects() if issubclass(type(thing), nn.Module))
        handle.recorder.charge(time.perf_counter() - began)

    # --- a step --------------------------------------------------------------------------------------------------

    def backward_begins(self, tensors: Any, inputs: Any) -> Backward | None:
        """A backward of `tensors` is about to run; return what there is to say of it when it has."""
        found: list[Backward] = []
        self._notice()
        self.safely(self._look_at_loss, tensors, inputs, found)
        return found[0] if found else None

    def _look_at_loss(self, tensors: Any, inputs: Any, found: list[Backward]) -> None:
        if self._handle is None:
            self._begin(None)
        if self._handle is None or not self._is_training(inputs):
            return
        loss = self._objectives.loss_among(tensors)
        divisor = divisor_of(loss)
        pair = self._losses.trained_on(loss, divisor)
        self._take_evaluations()
        recorder = self._handle.recorder
        if recorder.wants_labels and len(self._losses.models) == 1:  # of several, one's outputs are another's inputs
            outputs, targets = in_examples(pair or saved_pair(loss), recorder.batch_entering)
        else:
            outputs = targets = None
        found.append(Backward(loss, outputs, targets, divisor))

    def _is_training(self, inputs: Any) -> bool:
        """Tell whether a backward into `inputs` alone (None: into all leaves) is one into what is trained."""
        if inputs is None:
            return True
        asked = {id(tensor) for tensor in (inputs if isinstance(inputs, Sequence) else (inputs,))}
        return any(id(p) in asked for updater in self._optimizers.values() for p in parameters_of(updater))

    def backward_ended(self, backward: Backward) -> None:
        """That backward has returned."""
        if self._steps is not None:
            self.lightly(self._steps.backward_ended, backward)
            self._notice()

    def loss_scaled(self, scaler: Any, outputs: Any, *results: Any) -> None:
        """A scaler has multiplied `outputs`."""
        self._objectives.scaled(outputs, results)

    def gradients_cleared(self, updater: Optimizer) -> None:
        """``optimizer.zero_grad()`` has returned."""
        self._notice()
        if self._steps is not None and self._steps.knows(updater):
            self.lightly(self._steps.gradients_cleared, updater)

    def gradients_clipped(self, parameters: Any, limit: Any) -> None:
        """``clip_grad_norm_`` or ``clip_grad_value_`` has returned."""
        if self._steps is not None:
            self._steps.gradients_clipped(parameters, limit)

    def weights_drawn(self, tensor: Any, *_: Any) -> None:
        """A function of ``torch.nn.init`` has returned."""
        if self._resets is not None:
            self._resets.drawn(tensor)

    def state_loaded(self, module: nn.Module, *_: Any) -> None:
        """``load_state_dict`` has returned."""
        if self._resets is not None:
            self._resets.loaded(module)

    @untraced
    def _update_begins(self, updater: Optimizer, args: Any, kwargs: Any) -> None:
        if torch.compiler.is_compiling() or not self.patches.active:
            return
        self._notice()
        if self._steps is None or not self._steps.knows(updater):
            self.safely(self._meet, updater)
        if self._steps is not None and self._steps.knows(updater) and not _in_a_backward():
            self.lightly(self._steps.update_begins, updater)

    def _meet(self, updater: Optimizer) -> None:
        if self._join(updater):
            return
        if updater in self._former:  # trained in turns with what is watched now: together from here on
            for other in self._optimizers.values():
                self._candidates.add(other)
        self._candidates.add(updater)  # perhaps a copy, which was not made by its constructor
        self._begin(None)

    @untraced
    def _update_ended(self, updater: Optimizer, args: Any, kwargs: Any) -> None:
        if torch.compiler.is_compiling():
            self._unnoticed[id(updater)] = True  # is compiled into an assignment after the graph
        elif self.patches.active and _in_a_backward():
            self._unnoticed[id(updater)] = True  # the backward whose gradients it has used has not ended
        elif self.patches.active:
            self._updated(updater)

    def _updated(self, updater: Optimizer) -> None:
        self.updates += 1
        if self._left_out is not None and not self._left_out.settled:
            self.lightly(self._left_out.updated)
        if self._steps is not None and self._steps.knows(updater):
            self.lightly(self._steps.update_ended, updater)

    def _notice(self) -> None:
        """Catch up with updates that happened in compiled code, or in a backward that has ended."""
        while self._unnoticed and self._steps is not None and not _in_a_backward():
            identity, _ = self._unnoticed.popitem()
            for updater in [updater for updater in self._optimizers.values() if id(updater) == identity]:
                self.lightly(self._steps.update_begins, updater)
                self._updated(updater)

    def update_skipped(self, updater: Any) -> None:
        """A scaler has passed over the update of an optimizer."""
        updater = getattr(updater, "optimizer", updater)
        if self._steps is not None and self._steps.knows(updater):
            self._steps.update_skipped(updater)

    # --- evaluations ---------------------------------------------------------------------------------------------

    def data_opened(self, loader: Any, *_: Any) -> None:
        """A data loader is about to be gone through."""
        self._losses.data.open(loader)

    def _take_evaluations(self) -> None:
        if self._handle is not None:  # else it is before the training: the run is about to begin
            self._observed.take(self._handle)

    # --- life ----------------------------------------------------------------------------------------------------

    @untraced
    def safely(self, call: Callable[..., None], *arguments: Any) -> None:
        """Call a function of ours inside the script's."""
        if self._handle is not None:
            self._charged = self._handle.recorder.governor.spent
        with Guard(self, "script"):
            call(*arguments)

    @untraced
    def lightly(self, call: Callable[..., None], *arguments: Any) -> None:
        """Call a function of ours that does nothing with tensors but through the recorder, which guards itself."""
        try:
            call(*arguments)
        except Exception as error:  # noqa: BLE001  # as in a guard, which would cost more
            self.failed("script", error)

    def charge(self, seconds: float) -> None:
        """Count time that was ours, without what was charged meanwhile by those whom we called."""
        if self._handle is not None:
            recorder = self._handle.recorder
            recorder.charge(max(seconds - (recorder.governor.spent - self._charged), 0.0))

    def failed(self, part: str, error: Exception) -> None:
        """Leave the script alone: something of ours has raised."""
        warn_once(f"trainhealth: watching the script failed: {type(error).__name__}: {error}. The script goes on.")
        self._leave()
        if self._handle is not None:
            tell(self._handle, "script-disabled", f"{type(error).__name__}: {error}", {"part": part})
            self._close(None)

    def _abandon(self) -> None:
        """In a forked child: it is not watched."""
        self._leave()
        self._handle = self._steps = self._resets = self._left_out = None

    def _leave(self) -> None:
        self.patches.restore()
        take_off(self._hooks)
        self._hooks = []
        for leave in (self._candidates.clear, self._losses.leave_criteria):
            with contextlib.suppress(Exception):  # it may be what has failed
                leave()

    def _close(self, error: BaseException | None) -> None:
        if error is None:
            self._notice()
        steps, self._steps = self._steps, None  # first: where its end fails, `failed` comes here again
        if steps is not None and error is None:
            self.lightly(steps.end)
        handle = self._handle
        self._handle = self._steps = self._resets = self._left_out = None
        self._former.update(self._optimizers.values())
        self._optimizers = {}
        if handle is not None:
            handle.__exit__(None if error is None else type(error), error, None)


def _in_a_backward() -> bool:
    """Tell whether a backward is under way: some scripts make updates in hooks on their parameters."""
    return torch._C._current_graph_task_id() != -1
