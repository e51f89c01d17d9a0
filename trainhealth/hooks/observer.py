"""Observes one model: its sampled training forwards, and the moment at which `backward` has returned."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.compiler import is_compiling

from trainhealth.hooks import targets as labels
from trainhealth.hooks.backward_end import when_backward_has_ended
from trainhealth.hooks.compiled import (
    Arguments,
    can_run_again,
    first_examples,
    no_longer_tell,
    run_again,
    tell_before_compiled_code,
)
from trainhealth.hooks.evaluations import Evaluations
from trainhealth.hooks.flow import Flow
from trainhealth.hooks.functional import FunctionObserver, leave
from trainhealth.hooks.own_hooks import OwnHook, RootHook, claim, let_go
from trainhealth.hooks.places import measured_modules
from trainhealth.hooks.scripting import hide_from_scripting
from trainhealth.hooks.strangers import Strangers
from trainhealth.hooks.tensors import in_dispatch_mode, measurable, prediction_in, tensors_in
from trainhealth.hooks.untraced import untraced

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

    from trainhealth.hooks.recorder import Recorder
    from trainhealth.hooks.sample import Place, Sample
    from trainhealth.hooks.sampler import Sampler

FORWARDS = 3  # forwards of one sampled step that are looked at, when no backward reaches the first ones
OUTPUTS = 4  # tensors of the output that are asked whether a backward has reached them
CALL_COST = 1e-6  # seconds that a torch function costs more while the function mode is on (measured: 0.7-1.2 us)


class Observer:
    """Sees what passes through one model in sampled steps and hands it to the recorder's probes.

    Hooks on modules and the function mode exist only between entering and leaving the outermost training forward of a
    sampled step. Only the thread that trains is observed.
    """

    def __init__(self, model: nn.Module, name: str, recorder: Recorder, sampler: Sampler) -> None:
        self.prefix = f"{name}." if name else ""
        self._recorder = recorder
        self._sampler = sampler
        self._model: nn.Module | None = model
        self.evaluations = Evaluations(recorder, sampler, self._evaluation_left)
        hide_from_scripting()
        self._root: RemovableHandle | None = None
        self._has_traced = (
            False  # the root's very call is compiled: what was compiled must meet what it was traced with
        )
        claim(model)
        self.rest(False)
        self._handles: list[RemovableHandle] = []  # on the root and its outputs
        self._inside: list[RemovableHandle] = []  # on the layers
        self._mode: FunctionObserver | None = None
        self._frame: FrameType | None = None  # of the outermost forward that is being observed
        self._arguments: Arguments | None = None  # of that forward
        self._compiled = False  # there is compiled code in it: layers are looked at in a second forward
        self._traced: Arguments | None = None  # of the last training forward, where the root's very call is compiled
        self._again: Arguments | None = None  # what the second forward of this step gets
        self._looking_again = False
        self._unseen = False  # no second forward is possible
        self._example_axis = 0  # of the first input
        self._depth = 0  # forwards of the root inside that forward: a model that calls itself
        self._seen: set[str] = set()  # places that this forward has passed
        self._last: Place | None = None  # the layer that finished last
        self._outputs: dict[int, tuple[weakref.ref[Tensor], Place]] = {}  # of the layers, by identity
        self._flow = Flow()  # from layer to layer, in this forward
        self._strangers = Strangers()
        self._forwards = 0  # looked at in this step
        self.reached = False  # a backward has reached the forward that was looked at
        self._queued = False

    # --- the training forward ---

    @property
    def may_rest(self) -> bool:
        """Whether the root's hook can be taken off for a while: compiled code may have guards that ask for it."""
        around = getattr(self._model, "_orig_mod", None) or getattr(self._model, "_compiled_call_impl", None)
        return not (self._compiled or self._has_traced or around is not None)

    def rest(self, resting: bool) -> None:
        """Take the root's hook off, or put it back."""
        if resting and self._root is not None:
            self._root.remove()
            self._root = None
        elif not resting and self._root is None and self._model is not None:
            self._root = self._model.register_forward_pre_hook(RootHook(self._entered), with_kwargs=True)

    def _entered(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Called before every forward of the root: about a microsecond where the step is not sampled."""
        if is_compiling():
            if torch.is_grad_enabled():
                self._traced = args, kwargs  # is compiled into one assignment after the graph: no break, no guard
            return
        recorder = self._recorder
        if threading.get_ident() != recorder.thread or self._looking_again:
            return
        if self._frame is not None:
            if _is_running(self._frame):
                self._depth += 1
                return
            self.release()  # an interrupt has left the forward before this one, which torch's hooks do not see
        if not torch.is_grad_enabled():
            self.evaluations.forward_began(module, args, kwargs, self._is_first, eager=self.may_rest)
            if self.evaluations.dropout.looking:
                self._frame = sys._getframe(2)  # of torch's call of the root's forward
            return
        if recorder.forwards == 0:
            recorder.loading.batch_came()
        recorder.forward_began()
        if recorder.reads_batch_size:
            self._read_batch_size(args)
        sample = self._sampler.sample
        if sample is None or self._forwards >= FORWARDS:
            return
        # inside a backward, activation checkpointing computes a forward again; a trace would record what we do
        if torch._C._current_graph_task_id() != -1 or torch._C._get_tracing_state() is not None:
            return
        with recorder.guarded("forward"):
            if not self.reached:
                self._begin(module, (args, kwargs), sample)
            elif not recorder.updates.under_way:  # a further micro-batch: its gradients add to those of the first
                self._handles.append(module.register_forward_hook(OwnHook(self._forward_ended), always_call=True))

    def _read_batch_size(self, args: tuple[Any, ...]) -> None:
        quiet = torch._C._len_torch_function_stack() == 0  # else reading a shape is seen by the user's mode
        if quiet and args and isinstance(args[0], Tensor) and args[0].dim() > self._example_axis:
            self._recorder.batch_entering = args[0].shape[self._example_axis]

    @property
    def _is_first(self) -> bool:
        """Whether this is the first of several models: the input and the output of a step are its own."""
        return self._sampler.observers[0] is self

    def _begin(self, module: nn.Module, arguments: Arguments, sample: Sample) -> None:
        recorder = self._recorder
        if self._forwards:
            sample.forget(self)  # no backward has reached the one before
        self._forwards += 1
        self._arguments = arguments
        tensors = [tensor for tensor in tensors_in(arguments) if tensor.dim()]
        self._sampler.sequences.forward_began(self.prefix, tensors)
        if tensors:
            axis = self._example_axis if tensors[0].dim() > self._example_axis else 0
            sample.batch_size = recorder.batch_entering = tensors[0].shape[axis]
        self._show("forward_entered", module)
        entering = next((tensor for tensor in tensors if measurable(tensor)), None)
        if entering is not None and self._is_first:
            self._show("batch_entered", entering.detach())
        self._frame = sys._getframe(3)  # of torch's call of the root's forward
        if self._compiled:
            self._again = first_examples(arguments, sample.batch_size)
        else:
            self._look_inside(module)
        # last of all: the root may itself be a layer, which is looked at before its forward is left
        self._handles.append(module.register_forward_hook(OwnHook(self._forward_ended), always_call=True))

    def _look_inside(self, module: nn.Module) -> None:
        """Put hooks on the layers, and enter the mode that sees functions, until `_look_away`."""
        self._seen, self._last, self._outputs, self._depth = set(), None, {}, 0
        self._flow = Flow()
        for name, child in measured_modules(module, self.prefix):
            hook = OwnHook(self._layer_hook(name))
            self._inside.append(child.register_forward_hook(hook, with_kwargs=True))
        self._strangers.forward_began(module.parameters())
        self._mode = FunctionObserver(self._function_called, self._strangers.used)
        self._mode.__enter__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        if not self._looking_again:
            tell_before_compiled_code(self._compiled_code_entered)

    def _compiled_code_entered(self) -> None:
        """Something compiled is about to be traced or run inside this forward: it must not meet anything of ours."""
        if threading.get_ident() != self._recorder.thread:
            return
        with self._recorder.guarded("forward"):
            self._compiled = True
            self._look_away()
            if self._arguments is not None:
                self._again = first_examples(self._arguments, self._recorder.batch_entering)

    def look_again(self, sample: Sample) -> None:
        """Where the step's forward was compiled: run the model a second time, eagerly, and look at its layers."""
        arguments, traced, self._again, self._traced = self._again, self._traced, None, None
        if arguments is None and traced is not None:
            self.reached = True  # whether a backward came to it, nothing tells; gradients were enabled
            tensors = [tensor for tensor in tensors_in(traced) if tensor.dim()]
            arguments = first_examples(traced, tensors[0].shape[0] if tensors else None)
        if arguments is None or self._model is None or self._unseen or not self.reached:
            return
        self._looking_again = True
        try:
            if can_run_again(self._model, RootHook):
                self._look_inside(self._model)
                run_again(self._model, arguments)
            else:
                self._unseen = True
                self._recorder.tell(
                    "layers-unseen", "the model is compiled, and running it a second time would be seen"
                )
        except Exception as error:  # noqa: BLE001  # what the model cannot do on a part of the batch
            self._unseen = True
            self._recorder.report("layers-unseen", "a second forward of the compiled model", error, {})
        finally:
            self._look_away()
            self._looking_again = False

    def _layer_hook(self, name: str) -> Callable[[nn.Module, Any, Any, Any], None]:
        def layer_finished(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            if threading.get_ident() != self._recorder.thread or in_dispatch_mode():
                return
            with self._recorder.guarded("forward"):
                tensor = next(tensors_in(output), None)
                if tensor is not None and measurable(tensor):
                    self._learn_example_axis(module, tensor)
                    self._sampler.sequences.passed(self.prefix, name, module, args, kwargs, output)
                    entered = next(tensors_in(args), None)
                    source = self._flow.source(entered)
                    self._last = self._sampler.places.module(name, module, tensor, source)
                    self._flow.finished(name, tensor)
                    self._outputs[id(tensor)] = (weakref.ref(tensor), self._last)
                    first = self._last.name not in self._seen
                    self._measure(self._last, tensor)
                    if first and entered is not None:
                        self._show("module_finished", self._last, module, entered.detach(), tensor)

        return layer_finished

    def _function_called(self, function: str, argument: Any, output: Tensor) -> None:
        if in_dispatch_mode():
            return
        with self._recorder.guarded("forward"):
            if measurable(output):
                known = self._outputs.get(id(argument))
                fed_by = known[1] if known is not None and known[0]() is argument else self._last
                self._flow.entered_function(output)
                place = self._sampler.places.function(function, fed_by, output)
                self._measure(place, output)
                self._flow.finished(place.name, output)

    def _measure(self, place: Place, output: Tensor) -> None:
        method = "layer_repeated" if place.name in self._seen else "layer_finished"
        self._seen.add(place.name)
        self._show(method, place, output.detach())

    def _show(self, method: str, *arguments: Any) -> None:
        """Show the probes something of this forward."""
        sample = self._sampler.sample
        if sample is not None:
            sample.forward = self
            self._sampler.measure(method, *arguments, sample)
            sample.forward = None

    def _learn_example_axis(self, module: nn.Module, output: Tensor) -> None:
        """See from a recurrent or attention layer [time, examples, units] that the model's input is time-major."""
        sample = self._sampler.sample
        if getattr(module, "batch_first", None) is not False or output.dim() != 3 or sample is None:
            return
        entering = next((t for t in tensors_in(self._arguments) if t.dim() > 1), None)
        if entering is not None and entering.shape[:2] == output.shape[:2]:
            self._example_axis, self._recorder.time_major = 1, True
            sample.batch_size = self._recorder.batch_entering = output.shape[1]

    def _forward_ended(self, module: nn.Module, args: Any, output: Any) -> None:
        if threading.get_ident() != self._recorder.thread:
            return
        if self._depth:
            self._depth -= 1
            return
        self.release()
        with self._recorder.guarded("forward"):
            if not self.reached and self._is_first and not self._sampler.given.outputs_usual:
                self._show_output(output)
            for tensor in tensors_in(output):
                if tensor.requires_grad and not tensor.is_leaf:
                    handle = tensor.register_hook(self._backward_reached)  # type: ignore[no-untyped-call]  # likewise
                    self._handles.append(handle)
                    if len(self._handles) >= OUTPUTS:
                        break

    def _show_output(self, output: Any) -> None:
        prediction = prediction_in(output)
        if prediction is not None:
            decision = labels.decision(prediction, None, self._recorder.facts)
            self._show("outputs_known", prediction.detach(), decision)

    def release(self) -> None:
        """Leave the forward: nothing of ours stays but the root's hook."""
        self._look_away()
        self.evaluations.dropout.leave()
        self._frame = self._arguments = None
        handles, self._handles = self._handles, []
        for handle in handles:
            handle.remove()

    def _evaluation_left(self) -> None:
        self._frame = None

    def _look_away(self) -> None:
        """Leave the function mode and take the hooks off the layers."""
        no_longer_tell(self._compiled_code_entered)
        self._sampler.places.not_alone(self._flow.joined)
        mode, self._mode, self._outputs, self._flow = self._mode, None, {}, Flow()  # it holds the graph
        if mode is not None:
            leave(mode)
            self._strangers.forward_ended()
            if self._strangers.made_anew:
                self._recorder.learn("made_anew", self._strangers.made_anew)
            self._recorder.charge(mode.calls * CALL_COST)
        handles, self._inside = self._inside, []
        for handle in handles:
            handle.remove()

    # --- the backward ---

    @untraced
    def _backward_reached(self, gradient: Tensor) -> None:
        """A gradient has arrived at the output: this forward was a training forward."""
        self._sampler.backward_begins()
        self.reached = True
        if not self._queued and self._sampler.sample is not None:
            with self._recorder.guarded("backward"):
                when_backward_has_ended(self._backward_ended)
                self._queued = True

    @untraced
    def _backward_ended(self) -> None:
        """The whole backward has run: gradients are accumulated."""
        self._queued = False
        self._sampler.backward_ended()

    # --- life ---

    def step_ended(self) -> None:
        """Be ready for the next step."""
        self.release()
        self._has_traced = self._has_traced or self._traced is not None
        self._forwards, self.reached, self._queued = 0, False, False
        self._again = self._traced = None

    def close(self) -> None:
        """Leave nothing behind."""
        self.release()
        self.rest(True)
        if self._model is not None:
            let_go(self._model)
        self._model = None


def _is_running(frame: FrameType) -> bool:
    """Tell whether `frame` is among the callers: a frame that was left by an interrupt is not."""
    caller: FrameType | None = sys._getframe(1)
    while caller is not None:
        if caller is frame:
            return True
        caller = caller.f_back
    return False
