"""Reshapes around recurrent layers after which each row holds parts of several examples."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from trainhealth.hooks.graph import kind
from trainhealth.hooks.reshaping import IN_ORDER
from trainhealth.hooks.tensors import existing

RECURRENT = (nn.LSTM, nn.GRU, nn.RNN)


class MixedExamples:
    """Follows one forward: where the examples stand in what layers gave, and what a view or reshape has made of it.

    A reshape keeps the elements in order. Of [2, N, units], the last states of two directions, it can make [N, 2 units]
    only by cutting across the examples, and [T, N, units] of [N, T, units] just so: a transposition is needed.
    """

    def __init__(self, entering: Tensor | None = None) -> None:
        self._entering = None if entering is None else weakref.ref(entering)
        self._rows: dict[Any, tuple[str, list[int]]] = {}  # by node and output: the layer, [N, …]
        self._columns: dict[Any, tuple[str, list[int]]] = {}  # of recurrent layers: [steps or layers, N, units]
        self.found: list[dict[str, Any]] = []

    def passed(self, name: str, module: nn.Module, entered: Tensor, output: Any) -> None:
        """A layer called `name` has run."""
        shape, recurrent = list(entered.shape), type(module) in RECURRENT
        origin = self._origin(entered)
        if recurrent and not module.batch_first and len(shape) == 3:
            source, given = self._rows.get(origin, ("", [])) if origin else ("", self._input_behind(entered))
            self._compare(name, source, given, shape, examples=shape[1], was_first=True)
        elif not recurrent and origin in self._columns:
            source, given = self._columns[origin]
            self._compare(name, source, given, shape, examples=given[1], was_first=False)
        self._remember(name, module, output, recurrent=recurrent)

    def _compare(
        self, name: str, source: str, given: list[int], shape: list[int], *, examples: int, was_first: bool
    ) -> None:
        if not given or shape == given or min(examples, shape[0]) < 2:
            return
        others = shape[0] if was_first else given[0]
        if others == examples or (given if was_first else shape)[0] != examples:
            return
        told = {"layer": name, "source": source, "given": given, "shape": shape, "examples": examples}
        self.found.append(told | {"examples_axis": 0 if was_first else 1})

    def _remember(self, name: str, module: nn.Module, output: Any, *, recurrent: bool) -> None:
        if not recurrent:
            if isinstance(output, Tensor) and output.grad_fn is not None and output.dim() > 1:
                self._rows[output.grad_fn, output.output_nr] = name, list(output.shape)
            return
        for index, tensor in enumerate(_tensors(output)):
            time_first = index > 0 or not module.batch_first  # states always are [layers, N, units]
            if tensor.dim() == 3 and time_first and tensor.shape[0] > 1 and tensor.grad_fn is not None:
                self._columns[tensor.grad_fn, tensor.output_nr] = name, list(tensor.shape)

    def _origin(self, entered: Tensor) -> Any:
        """Return the node, and which of its outputs, that `entered` is a reshape of; None where it has no graph."""
        node, index = entered.grad_fn, entered.output_nr
        known = self._rows.keys() | self._columns.keys()
        while node is not None and (node, index) not in known and kind(node) in IN_ORDER:
            node, index = next(iter(node.next_functions), (None, 0))
        return None if node is None else (node, index)

    def _input_behind(self, entered: Tensor) -> list[int]:
        """Return the shape of the model's input where `entered` is the same memory in the same order; [] if not."""
        whole = self._entering() if self._entering is not None else None
        if whole is None or not existing(whole) or not existing(entered) or whole.numel() != entered.numel():
            return []
        same = whole.data_ptr() == entered.data_ptr() and whole.is_contiguous() and entered.is_contiguous()
        return list(whole.shape) if same else []


def _tensors(output: Any) -> Iterator[Tensor]:
    """Yield the output and the states of a recurrent layer; packed outputs come in another form, and are left out."""
    parts = output if isinstance(output, tuple) and len(output) == 2 and isinstance(output[0], Tensor) else ()
    for part in parts:
        yield from part if isinstance(part, tuple) else (part,)
