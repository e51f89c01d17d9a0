"""Observes one model: its sampled training forwards, and the moment at which `backward` has returned."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.autograd import Variable

from trainhealth.hooks.functional import FunctionObserver
from trainhealth.hooks.places import measured_modules
from trainhealth.hooks.tensors import measurable, tensors_in

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

    from trainhealth.hooks.recorder import Recorder
    from trainhealth.hooks.sample import Place, Sample

FORWARDS = 3  # forwards of one sampled step that are looked at, when no backward reaches the first ones
CALL_COST = 1e-6  # seconds that a torch function costs more while the function mode is on (measured: 0.7-1.2 us)


class RootHook:
    """The one hook that stays on a watched model: a pre-hook at its root.

    Copies and pickles of the model get a hook that does nothing: `contextlib.nullcontext().__exit__` takes any
    arguments, returns None, and needs no trainhealth to be loaded again.
    """

    __slots__ = ("__weakref__", "_observer")

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Tell the observer that a forward begins, if it can be a training forward."""
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            self._observer.forward_begins(module, args, kwargs)

    def __deepcopy__(self, memo: dict[int, Any]) -> Callable[..., None]:
        return contextlib.nullcontext().__exit__

    __copy__ = None

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (contextlib.nullcontext(), "__exit__")


class Observer:
    """Sees what passes through one model in sampled steps and hands it to the recorder's probes.

    Hooks on modules and the function mode exist only between entering and leaving the outermost training forward of a
    sampled step.
    """

    def __init__(self, model: nn.Module, name: str, recorder: Recorder) -> None:
        self.prefix = f"{name}." if name else ""
        self.places = recorder.places
        self.compiled = any(_is_compiled(module) for module in model.modules())
        self._recorder = recorder
        self._root: RemovableHandle | None = model.register_forward_pre_hook(RootHook(self), with_kwargs=True)
        self._handles: list[RemovableHandle] = []
        self._mode: FunctionObserver | None = None
        self._seen: set[str] = set()  # places of this forward: each is measured at its first call
        self._last: Place | None = None  # the layer that finished last: it feeds the next activation function
        self._batch: int | None = None
        self._forwards = 0  # looked at in this step
        self.reached = False  # a backward has reached the forward that was looked at
        self._queued = False

    # --- the training forward ---

    def forward_begins(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Called before every forward with gradients enabled: about a microsecond where the step is not sampled."""
        recorder = self._recorder
        recorder.forwards += 1
        if args and isinstance(args[0], Tensor) and args[0].dim():
            recorder.batch_entering = args[0].shape[0]
        sample = recorder.sample
        if sample is None or self._mode is not None or self._forwards >= FORWARDS:
            return
        if torch._C._current_graph_task_id() != -1:
            return  # inside a backward: activation checkpointing computes a forward again
        with recorder.guarded("forward"):
            if not self.reached:
                self._begin(module, args, kwargs, sample)
            elif not recorder.updating:  # a further micro-batch: its gradients add to those of the first
                self._handles.append(module.register_forward_hook(self._forward_ended, always_call=True))

    def _begin(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], sample: Sample) -> None:
        recorder = self._recorder
        if self._forwards:
            sample.forget_layers()  # no backward has reached the one before
        self._forwards += 1
        self._seen, self._last = set(), None
        tensors = [tensor for tensor in tensors_in((args, kwargs)) if tensor.dim()]
        if tensors:
            sample.batch_size = recorder.batch_entering = tensors[0].shape[0]
        entering = next((tensor for tensor in tensors if measurable(tensor)), None)
        if entering is not None:
            recorder.measure("batch_entered", entering.detach(), sample)
        self._handles.append(module.register_forward_hook(self._forward_ended, always_call=True))
        if self.compiled:
            return  # a compiled model stays compiled: hooks inside would change its graphs
        for name, child in measured_modules(module, self.prefix):
            self._handles.append(child.register_forward_hook(self._layer_hook(name)))
        self._mode = FunctionObserver(self._function_called)
        self._mode.__enter__()  # type: ignore[no-untyped-call]  # torch leaves it untyped

    def _layer_hook(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def layer_finished(module: nn.Module, args: Any, output: Any) -> None:
            with self._recorder.guarded("forward"):
                tensor = next(tensors_in(output), None)
                if tensor is not None and measurable(tensor):
                    self._last = self.places.module(name, module, tensor)
                    self._measure(self._last, tensor)

        return layer_finished

    def _function_called(self, function: str, output: Tensor) -> None:
        with self._recorder.guarded("forward"):
            if measurable(output):
                self._measure(self.places.function(function, self._last, output), output)

    def _measure(self, place: Place, output: Tensor) -> None:
        sample = self._recorder.sample
        if sample is not None and place.name not in self._seen:
            self._seen.add(place.name)
            self._recorder.measure("layer_finished", place, output.detach(), sample)

    def _forward_ended(self, module: nn.Module, args: Any, output: Any) -> None:
        self.release()
        with self._recorder.guarded("forward"):
            for tensor in tensors_in(output):
                if tensor.requires_grad and not tensor.is_leaf:
                    handle = tensor.register_hook(self._backward_reached)  # type: ignore[no-untyped-call]  # likewise
                    self._handles.append(handle)
                    if len(self._handles) >= 4:
                        break

    def release(self) -> None:
        """Leave the function mode and take every hook off but the root's."""
        mode, self._mode = self._mode, None
        if mode is not None:
            _leave(mode)
            self._recorder.charge(mode.calls * CALL_COST)
        handles, self._handles = self._handles, []
        for handle in handles:
            handle.remove()

    # --- the backward ---

    def _backward_reached(self, gradient: Tensor) -> None:
        """A gradient has arrived at the output: this forward was a training forward."""
        self.reached = True
        if not self._queued and self._recorder.sample is not None:
            with self._recorder.guarded("backward"):
                Variable._execution_engine.queue_callback(self._backward_ended)  # as DDP does
                self._queued = True

    def _backward_ended(self) -> None:
        """The whole backward has run: gradients are accumulated."""
        self._queued = False
        self._recorder.backward_ended()

    # --- life ---

    def step_ended(self) -> None:
        """Be ready for the next step."""
        self.release()
        self._forwards, self.reached, self._queued = 0, False, False

    def close(self) -> None:
        """Leave nothing behind."""
        self.release()
        if self._root is not None:
            self._root.remove()
            self._root = None


def watched(model: nn.Module) -> bool:
    """Tell whether a hook of ours is on the model."""
    return any(isinstance(hook, RootHook) for hook in model._forward_pre_hooks.values())


def _is_compiled(module: nn.Module) -> bool:
    return module._compiled_call_impl is not None or type(module).__name__ == "OptimizedModule"


def _leave(mode: FunctionObserver) -> None:
    """Take the mode off the stack, also where an interrupted forward has left modes of the user's above it."""
    above = []
    while torch._C._len_torch_function_stack() > 0:
        top = torch._C._pop_torch_function_stack()
        if top is mode:
            break
        above.append(top)
    for other in reversed(above):
        torch._C._push_on_torch_function_stack(other)
