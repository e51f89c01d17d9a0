"""Sees activation functions wherever they are called: as modules, as ``F.relu`` or as a method of a tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor
from torch.overrides import TorchFunctionMode

_NAMES = (
    "relu",
    "relu6",
    "threshold",
    "leaky_relu",
    "rrelu",
    "prelu",
    "elu",
    "selu",
    "celu",
    "gelu",
    "silu",
    "mish",
    "softplus",
    "softsign",
    "sigmoid",
    "logsigmoid",
    "tanh",
    "hardtanh",
    "hardsigmoid",
    "hardswish",
    "softmax",
    "log_softmax",
    "glu",
)


def _activation_functions() -> dict[Any, str]:
    """Map every callable that computes an activation function (in place or not) to the function's name."""
    found: dict[Any, str] = {}
    for name in _NAMES:
        for home in (F, torch, Tensor):
            for spelling in (name, f"{name}_"):
                function = getattr(home, spelling, None)
                if function is not None:
                    found[function] = name
    return found


WEIGHTED_FUNCTIONS = frozenset((F.linear, F.conv1d, F.conv2d, F.conv3d, F.embedding))  # the weight comes second
ACTIVATION_FUNCTIONS: Mapping[Any, str] = _activation_functions()


class FunctionObserver(TorchFunctionMode):
    """While it is entered, calls `observe(name, argument, output)` after every call of an activation function.

    After a linear layer or convolution it calls `weighted(weight)`.

    It changes nothing: the function is called as it would be, and its result is returned as it is. Entered only for
    the length of one training forward; a mode held across the user's code would corrupt the user's own modes. After an
    interrupt (Ctrl-C), which no hook of torch's sees, whoever entered it leaves it as soon as he can: from inside a
    function nobody can, because torch takes the mode off the stack for as long as it is called and then puts it back.
    """

    def __init__(
        self,
        observe: Callable[[str, Any, Tensor], None],
        weighted: Callable[[Tensor], None],
    ) -> None:
        super().__init__()
        self._observe = observe
        self._weighted = weighted
        self.calls = 0  # of any torch function: each costs about a microsecond more while the mode is on

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call `func`, and show its output where it is an activation function."""
        self.calls += 1
        result = func(*args, **(kwargs or {}))
        name = ACTIVATION_FUNCTIONS.get(func)
        if name is not None and isinstance(result, Tensor):
            self._observe(name, args[0] if args else None, result)
        elif func in WEIGHTED_FUNCTIONS and len(args) > 1 and isinstance(args[1], Tensor):
            self._weighted(args[1])
        return result


def leave(mode: TorchFunctionMode) -> None:
    """Take the mode off the stack, also where an interrupted forward has left modes of the user's above it."""
    above = []
    while torch._C._len_torch_function_stack() > 0:
        top = torch._C._pop_torch_function_stack()
        if top is mode:
            break
        above.append(top)
    for other in reversed(above):
        torch._C._push_on_torch_function_stack(other)
