"""The functions of torch in which a watched script is seen, and what is done before and after each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
import torch.nn.functional
import torch.nn.init
import torch.nn.utils.clip_grad
import torch.utils.data
from torch._C._dynamo.eval_frame import get_eval_frame_callback
from torch.optim import Optimizer

from trainhealth.hooks.script_losses import FUNCTIONS, LossCalls
from trainhealth.hooks.script_resets import DRAWING
from trainhealth.hooks.script_signs import SIGNED
from trainhealth.hooks.untraced import passing

if TYPE_CHECKING:
    from trainhealth.hooks.patches import Patches
    from trainhealth.hooks.script import Script

Function: TypeAlias = Callable[..., Any]


def replace_functions(patches: Patches, script: Script, losses: LossCalls) -> None:
    """Have `script` and `losses` told of what passes; while something is being compiled, nothing of ours is there."""

    def active() -> bool:
        return patches.active

    def after(call: Callable[..., None]) -> Callable[[Function], Function]:
        """Return what makes, of a function, one that has `call` told of its arguments and its result."""

        def make(original: Function) -> Function:
            @passing
            def seen(*args: Any, **kwargs: Any) -> Any:
                result = original(*args, **kwargs)
                if not torch.compiler.is_compiling() and patches.active:
                    script.safely(call, *args, result)
                return result

            return seen

        return make

    patches.replace(Optimizer, "__init__", after(script.optimizer_made))
    patches.replace(Optimizer, "zero_grad", _clearing(patches, script))
    for module in (torch.nn.utils, torch.nn.utils.clip_grad):
        for name in ("clip_grad_norm_", "clip_grad_value_"):
            patches.replace(module, name, _clipping(patches, script))
    for name in DRAWING:
        patches.replace(torch.nn.init, name, after(script.weights_drawn))
    patches.replace(torch.nn.Module, "load_state_dict", after(script.state_loaded))
    patches.replace(torch, "compile", after(script.compiled))
    patches.replace(torch.autograd, "backward", _backward(patches, script))
    patches.replace(torch.amp.GradScaler, "scale", after(script.loss_scaled))
    patches.replace(torch.amp.GradScaler, "step", _scaler_step(patches, script))
    patches.replace(torch.utils.data.DataLoader, "__iter__", after(script.data_opened))
    for name, function in FUNCTIONS.items():
        patches.replace(torch.nn.functional, name, losses.replacement(function, active))
    for name in SIGNED:
        patches.replace(torch.nn.functional, name, script.signs.replacement(name, active))


def _backward(patches: Patches, script: Script) -> Callable[[Function], Function]:
    disable: Callable[..., Function] = torch.compiler.disable
    begins, ended = disable(script.backward_begins), disable(script.backward_ended)

    def make(original: Function) -> Function:
        def seen(*args: Any, **kwargs: Any) -> Any:
            # inside of another backward, activation checkpointing runs its own
            if not patches.active or torch._C._current_graph_task_id() != -1:
                return original(*args, **kwargs)
            tensors, inputs = args[0] if args else kwargs.get("tensors"), kwargs.get("inputs")
            traced = get_eval_frame_callback() is not None  # a caller is compiled: what we do must not be
            backward = begins(tensors, inputs) if traced else script.backward_begins(tensors, inputs)
            result = original(*args, **kwargs)
            if backward is not None:
                (ended if traced else script.backward_ended)(backward)
            return result

        return disable(seen, recursive=False)  # its own frame is not, what it calls may be

    return make


def _clearing(patches: Patches, script: Script) -> Callable[[Function], Function]:
    def make(original: Function) -> Function:
        @passing
        def seen(optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
            result = original(optimizer, *args, **kwargs)
            if not torch.compiler.is_compiling() and patches.active:
                script.gradients_cleared(optimizer)
            return result

        return seen

    return make


def _clipping(patches: Patches, script: Script) -> Callable[[Function], Function]:
    def make(original: Function) -> Function:
        @passing
        def seen(parameters: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(parameters, *args, **kwargs)
            if not torch.compiler.is_compiling() and patches.active:
                limit = args[0] if args else kwargs.get("max_norm", kwargs.get("clip_value"))
                script.lightly(script.gradients_clipped, parameters, limit)
            return result

        return seen

    return make


def _scaler_step(patches: Patches, script: Script) -> Callable[[Function], Function]:
    def make(original: Function) -> Function:
        @passing
        def seen(scaler: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            updates = script.updates
            result = original(scaler, optimizer, *args, **kwargs)
            if patches.active and script.updates == updates:
                script.safely(script.update_skipped, optimizer)
            return result

        return seen

    return make
