"""Dropout that acts in evaluation mode, too: ``F.dropout(x, p)`` without ``training=self.training``."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from trainhealth.hooks.compiled import no_longer_tell, tell_before_compiled_code
from trainhealth.hooks.functional import leave
from trainhealth.hooks.own_hooks import OwnHook
from trainhealth.hooks.probes.modes import training_share

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

    from trainhealth.hooks.recorder import Recorder

Where: TypeAlias = tuple[int, str]  # the place among the positional arguments, and the name

_OF_FUNCTIONAL: tuple[Where, Where] = (1, "p"), (2, "training")
_OF_TORCH: tuple[Where, Where] = (1, "p"), (2, "train")
# where each has its probability, and its switch
_FUNCTIONS: Mapping[Any, tuple[Where, Where | None]] = {
    F.dropout: _OF_FUNCTIONAL,
    F.dropout1d: _OF_FUNCTIONAL,
    F.dropout2d: _OF_FUNCTIONAL,
    F.dropout3d: _OF_FUNCTIONAL,
    F.alpha_dropout: _OF_FUNCTIONAL,
    F.feature_alpha_dropout: _OF_FUNCTIONAL,
    torch.dropout: _OF_TORCH,
    torch.dropout_: _OF_TORCH,
    torch.alpha_dropout: _OF_TORCH,
    torch.feature_dropout: _OF_TORCH,
    F.scaled_dot_product_attention: ((4, "dropout_p"), None),
}


class ActiveDropout:
    """Counts, in an evaluation of a model that is in evaluation mode, the calls of dropout that drop something.

    The first forward is looked at from outside: has it moved the random generator? Only where it has, the next one runs
    under a function mode, which tells dropout from whatever else draws (a sampled latent variable). So a model whose
    evaluation draws nothing never meets the mode, under which torch's own transformer layers take another way, with
    other last bits.

    Of dropout that is meant (Monte Carlo dropout) nothing is said: where the model is evaluated twice on the same
    tensor, and where modules of a model in evaluation mode were put in training mode one by one. A dropout module that
    `eval` does not reach, because it is in a plain list, is not meant.
    """

    def __init__(self, recorder: Recorder, left: Callable[[], None]) -> None:
        self._recorder = recorder
        self._left = left  # called when a forward is looked at no more
        self._calls: int | None = None  # that dropped something; None: not known
        self._draws = False  # the forward looked at last has moved the generator
        self._inputs: weakref.ref[Tensor] | None = None  # what the forward before got
        self._repeated = False  # this evaluation goes through one tensor several times in a row
        self._generator: torch.Generator | None = None
        self._state: Tensor | None = None  # of the generator, before the forward
        self._handle: RemovableHandle | None = None
        self._mode: _DropoutMode | None = None

    @property
    def looking(self) -> bool:
        """Whether a forward is being looked at."""
        return self._handle is not None

    def take(self) -> int | None:
        """Return, once, how many calls dropped something in the evaluation looked at last; None: it is not known."""
        calls, self._calls = self._calls, None
        return None if self._repeated else calls

    def evaluation_began(self, model: nn.Module, args: tuple[Any, ...]) -> None:
        """The first forward of an evaluation begins."""
        self._calls, self._repeated, self._inputs = None, False, reference_to_first(args)
        self._look(model)

    def went_on(self, model: nn.Module, args: tuple[Any, ...]) -> None:
        """A further forward of it begins."""
        self.leave()
        if self._draws:
            known, self._inputs = self._inputs, reference_to_first(args)
            self._repeated = self._repeated or is_first_of(args, known)
        if self._draws and self._calls is None and not self._repeated:
            with self._recorder.guarded("evaluation"):
                self._look(model)

    def leave(self) -> None:
        """Leave the forward: nothing of ours stays."""
        no_longer_tell(self.leave)
        mode, self._mode = self._mode, None
        if mode is not None:
            leave(mode)
        handle, self._handle, self._state = self._handle, None, None
        if handle is not None:
            handle.remove()
            self._left()

    def _look(self, model: nn.Module) -> None:
        self.leave()
        self._generator = _generator_of(model)
        if model.training or self._generator is None or torch._C._len_torch_function_stack():
            return
        if training_share([model]):
            return
        self._state = self._generator.get_state()
        self._handle = model.register_forward_hook(OwnHook(self._forward_ended), always_call=True)
        if self._draws:
            self._mode = _DropoutMode()
            tell_before_compiled_code(self.leave)
            self._mode.__enter__()  # type: ignore[no-untyped-call]  # torch leaves it untyped

    def _forward_ended(self, module: nn.Module, args: Any, output: Any) -> None:
        before, mode = self._state, self._mode
        self.leave()
        if before is None or self._generator is None:
            return
        with self._recorder.guarded("evaluation"):
            self._draws = not torch.equal(before, self._generator.get_state())
            self._calls = 0 if not self._draws else mode.acting if mode is not None else None


class _DropoutMode(TorchFunctionMode):
    """Counts the calls of dropout that drop something."""

    acting = 0

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call `func`, and count it where it is such a call."""
        result = func(*args, **(kwargs or {}))
        if func in _FUNCTIONS and _acts(func, args, kwargs or {}):
            self.acting += 1
        return result


def reference_to_first(args: tuple[Any, ...]) -> weakref.ref[Tensor] | None:
    """Return a weak reference to a forward's first argument, where that is a tensor."""
    return weakref.ref(args[0]) if args and isinstance(args[0], Tensor) else None


def is_first_of(args: tuple[Any, ...], known: weakref.ref[Tensor] | None) -> bool:
    """Tell whether a forward's first argument is the tensor that `known` refers to."""
    tensor = known() if known is not None else None
    return tensor is not None and bool(args) and args[0] is tensor


def _acts(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    probability, switch = _FUNCTIONS[function]

    def given(where: Where, default: float) -> Any:
        place, name = where
        return args[place] if len(args) > place else kwargs.get(name, default)

    return bool(given(probability, 0.0)) and (switch is None or bool(given(switch, False)))


def _generator_of(model: nn.Module) -> torch.Generator | None:
    """Return the generator that a forward of the model draws from; None where that can't be looked at."""
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    if device.type == "cpu":
        return torch.default_generator
    return torch.cuda.default_generators[device.index or 0] if device.type == "cuda" else None
