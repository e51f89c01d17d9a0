"""Observes one model: its sampled training forwards, and the moment at which `backward` has returned."""

from __future__ import annotations

import contextlib
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.autograd import Variable

from trainhealth.hooks.functional import FunctionObserver
from trainhealth.hooks.places import measured_modules
from trainhealth.hooks.tensors import in_dispatch_mode, measurable, tensors_in

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

    from trainhealth.hooks.recorder import Recorder
    from trainhealth.hooks.sample import Place, Sample
    from trainhealth.hooks.sampler import Sampler

FORWARDS = 3  # forwards of one sampled step that are looked at, when no backward reaches the first ones
OUTPUTS = 4  # tensors of the output that are asked whether a backward has reached them
CALL_COST = 1e-6  # seconds that a torch function costs more while the function mode is on (measured: 0.7-1.2 us)


class _Ours:
    """A hook of ours. Copies and pickles of the module that holds it get a hook that does nothing instead.

    `contextlib.nullcontext().__exit__` takes any arguments, returns None, and needs no trainhealth to be loaded again.
    """

    __slots__ = ("__weakref__", "_call")

    def __init__(self, call: Callable[..., None]) -> None:
        self._call = call

    def __call__(self, *args: Any) -> None:
        """Do what the hook is for."""
        self._call(*args)

    def __deepcopy__(self, memo: dict[int, Any]) -> Callable[..., None]:
        return contextlib.nullcontext().__exit__

    def __copy__(self) -> Callable[..., None]:
        return contextlib.nullcontext().__exit__

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (contextlib.nullcontext(), "__exit__")


class RootHook(_Ours):
    """The one hook that stays on a watched model: a pre-hook at its root."""

    __slots__ = ()


class Observer:
    """Sees what passes through one model in sampled steps and hands it to the recorder's probes.

    Hooks on modules and the function mode exist only between entering and leaving the outermost training forward of a
    sampled step. Only the thread that trains is observed.
    """

    def __init__(self, model: nn.Module, name: str, recorder: Recorder, sampler: Sampler) -> None:
        self.prefix = f"{name}." if name else ""
        self._recorder = recorder
        self._sampler = sampler
        self._root: RemovableHandle | None = model.register_forward_pre_hook(RootHook(self._entered), with_kwargs=True)
        self._handles: list[RemovableHandle] = []
        self._mode: FunctionObserver | None = None
        self._frame: FrameType | None = None  # of the outermost forward that is being observed
        self._depth = 0  # forwards of the root inside that forward: a model that calls itself
        self._seen: set[str] = set()  # places that this forward has passed
        self._last: Place | None = None  # the layer that finished last
        self._outputs: dict[int, tuple[weakref.ref[Tensor], Place]] = {}  # of the layers, by identity
        self._forwards = 0  # looked at in this step
        self.reached = False  # a backward has reached the forward that was looked at
        self._queued = False

    # --- the training forward ---

    def _entered(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Called before every forward of the root: about a microsecond where the step is not sampled."""
        recorder = self._recorder
        if torch.compiler.is_compiling() or threading.get_ident() != recorder.thread:
            return
        if self._frame is not None:
            if _is_running(self._frame):
                self._depth += 1
                return
            self.release()  # an interrupt has left the forward before this one, which torch's hooks do not see
        if not torch.is_grad_enabled():
            return
        recorder.forwards += 1
        quiet = torch._C._len_torch_function_stack() == 0  # else reading a shape is seen by the user's mode
        if quiet and args and isinstance(args[0], Tensor) and args[0].dim():
            recorder.batch_entering = args[0].shape[0]
        sample = self._sampler.sample
        if sample is None or self._forwards >= FORWARDS:
            return
        # inside a backward, activation checkpointing computes a forward again; a trace would record what we do
        if torch._C._current_graph_task_id() != -1 or torch._C._get_tracing_state() is not None:
            return
        with recorder.guarded("forward"):
            if not self.reached:
                self._begin(module, args, kwargs, sample)
            elif not recorder.updating:  # a further micro-batch: its gradients add to those of the first
                self._handles.append(module.register_forward_hook(_Ours(self._forward_ended), always_call=True))

    def _begin(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], sample: Sample) -> None:
        recorder = self._recorder
        if self._forwards:
            sample.forget_layers()  # no backward has reached the one before
        self._forwards += 1
        self._seen, self._last, self._outputs, self._depth = set(), None, {}, 0
        tensors = [tensor for tensor in tensors_in((args, kwargs)) if tensor.dim()]
        if tensors:
            sample.batch_size = recorder.batch_entering = tensors[0].shape[0]
        entering = next((tensor for tensor in tensors if measurable(tensor)), None)
        if entering is not None:
            self._sampler.measure("batch_entered", entering.detach(), sample)
        self._handles.append(module.register_forward_hook(_Ours(self._forward_ended), always_call=True))
        if any(_is_compiled(part) for part in module.modules()):
            return  # a compiled model stays compiled: hooks inside would change its graphs
        for name, child in measured_modules(module, self.prefix):
            self._handles.append(child.register_forward_hook(_Ours(self._layer_hook(name))))
        self._mode = FunctionObserver(self._function_called, self.release)
        self._mode.__enter__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._frame = sys._getframe(3)  # of torch's call of the root's forward

    def _layer_hook(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def layer_finished(module: nn.Module, args: Any, output: Any) -> None:
            if threading.get_ident() != self._recorder.thread or in_dispatch_mode():
                return
            with self._recorder.guarded("forward"):
                tensor = next(tensors_in(output), None)
                if tensor is not None and measurable(tensor):
                    self._last = self._sampler.places.module(name, module, tensor)
                    self._outputs[id(tensor)] = (weakref.ref(tensor), self._last)
                    self._measure(self._last, tensor)

        return layer_finished

    def _function_called(self, function: str, argument: Any, output: Tensor) -> None:
        if in_dispatch_mode():
            return
        with self._recorder.guarded("forward"):
            if measurable(output):
                known = self._outputs.get(id(argument))
                fed_by = known[1] if known is not None and known[0]() is argument else self._last
                self._measure(self._sampler.places.function(function, fed_by, output), output)

    def _measure(self, place: Place, output: Tensor) -> None:
        sample = self._sampler.sample
        if sample is not None:
            method = "layer_repeated" if place.name in self._seen else "layer_finished"
            self._seen.add(place.name)
            self._sampler.measure(method, place, output.detach(), sample)

    def _forward_ended(self, module: nn.Module, args: Any, output: Any) -> None:
        if threading.get_ident() != self._recorder.thread:
            return
        if self._depth:
            self._depth -= 1
            return
        self.release()
        with self._recorder.guarded("forward"):
            for tensor in tensors_in(output):
                if tensor.requires_grad and not tensor.is_leaf:
                    handle = tensor.register_hook(self._backward_reached)  # type: ignore[no-untyped-call]  # likewise
                    self._handles.append(handle)
                    if len(self._handles) >= OUTPUTS:
                        break

    def release(self) -> None:
        """Leave the function mode and take every hook off but the root's."""
        mode, self._mode, self._frame = self._mode, None, None
        self._outputs = {}
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
        if not self._queued and self._sampler.sample is not None:
            with self._recorder.guarded("backward"):
                Variable._execution_engine.queue_callback(self._backward_ended)  # as DDP does
                self._queued = True

    def _backward_ended(self) -> None:
        """The whole backward has run: gradients are accumulated."""
        self._queued = False
        self._sampler.backward_ended()

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
    compiled = module._compiled_call_impl is not None or type(module).__name__ == "OptimizedModule"
    return compiled or hasattr(module.forward, "_torchdynamo_orig_callable")


def _is_running(frame: FrameType) -> bool:
    """Tell whether `frame` is among the callers: a frame that was left by an interrupt is not."""
    caller: FrameType | None = sys._getframe(1)
    while caller is not None:
        if caller is frame:
            return True
        caller = caller.f_back
    return False


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
