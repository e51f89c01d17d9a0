"""What layers over sequences get in the first forward: along which axis they go, and whether the answers stand there.

Shapes are read, and the first batch is compared with its targets, once: afterwards nothing is looked at any more.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from trainhealth.hooks import loss as losses
from trainhealth.hooks.answer_columns import column_of_answers
from trainhealth.hooks.mixed_examples import RECURRENT, MixedExamples
from trainhealth.hooks.targets import IGNORED
from trainhealth.hooks.tensors import existing

MOST = 16  # layers that are told of, of unlike kinds or shapes
LEAST = 3  # places of a sequence at least, for its next places to say anything
AGREEMENT = 1e-5  # relative: as near is a loss that comes from these very outputs and targets
CHANGES = 0.1  # share of the places at least whose next one differs: else "the next" and "the same" are one


class Sequences:
    """Follows recurrent and attention layers through the first forward of each model, until its step has ended.

    Packed sequences, and those without an axis of examples, are passed over: there is no axis to confuse with another.
    """

    def __init__(self) -> None:
        self._told = False
        self._inputs: dict[str, list[int]] = {}  # the shape that enters a model, by the prefix of its layers' names
        self._layers: dict[str, list[dict[str, Any]]] = {}
        self._entering: weakref.ref[Tensor] | None = None  # the first layer of all
        self._embedded = 0  # calls of embeddings
        self._mixed = MixedExamples()

    def forward_began(self, prefix: str, tensors: Iterable[Tensor]) -> None:
        """A forward of the model whose layers' names begin with `prefix` begins; `tensors` enter it."""
        if self._told:
            return
        if not self._inputs or prefix in self._inputs:
            self._entering, self._embedded = None, 0  # the one before was no training forward
        first = next(iter(tensors), None)
        self._mixed = MixedExamples(first)
        self._inputs[prefix] = [] if first is None else list(first.shape)
        self._layers[prefix] = []

    def passed(
        self, prefix: str, name: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        """A layer of that model, called `name`, has run."""
        if self._told or prefix not in self._layers:
            return
        entered = args[0] if args else kwargs.get("query", kwargs.get("input"))
        if not isinstance(entered, Tensor):
            return
        if self._entering is None and entered.dim() > 1:
            self._entering = weakref.ref(entered)
        self._mixed.passed(name, module, entered, output)
        if isinstance(module, nn.Embedding):
            self._embedded += 1
        elif type(module) in (*RECURRENT, nn.MultiheadAttention) and entered.dim() == 3:
            shape = [int(size) for size in entered.shape]
            layer = {"type": type(module).__name__, "batch_first": bool(module.batch_first), "shape": shape}
            layer |= {"sees_ahead": _sees_ahead(module, args, kwargs), "input": self._inputs[prefix]}
            known = [{key: value for key, value in other.items() if key != "layer"} for other in self._layers[prefix]]
            if layer not in known and len(known) < MOST:
                self._layers[prefix].append({"layer": name} | layer)

    def describe(
        self, loss: Any, outputs: Tensor | None, targets: Tensor | None, facts: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return what the first step has shown, and look no more.

        "input_shape": of what enters the first model. "sequences": its recurrent and attention layers, each with the
        shape that enters it, and whether a place sees later ones. "answers": where the loss is one of targets that
        stand in the input, "next" (each in the place after its own, along "answers_axis") or "same" (whole numbers in
        their own places, which are embedded once: a decoder of its own gets them shifted by one). "answers_column": the
        feature of a table that is the target. "mixed_examples": reshapes that have cut across the examples.
        """
        entering = self._entering() if self._entering is not None else None
        found: dict[str, Any] = {}
        if shape := next(iter(self._inputs.values()), []):
            found["input_shape"] = shape
        if layers := [layer for one in self._layers.values() for layer in one]:
            found["sequences"] = layers
        if self._mixed.found:
            found["mixed_examples"] = self._mixed.found[:MOST]
        self._mixed = MixedExamples()  # lets go of the graph
        self._told, self._entering, self._inputs, self._layers = True, None, {}, {}
        if entering is not None and outputs is not None and targets is not None:
            answers = _answers(entering.detach(), targets.detach())
            shifted_inside = answers.get("answers") == "same" and self._embedded != 1
            told = {} if shifted_inside else answers or column_of_answers(entering.detach(), targets.detach())
            if told and _comes_from(loss, outputs, targets, facts):
                found |= told
        return found


def _sees_ahead(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Tell whether what the layer gives for a place depends on later ones: for certain, so far as nothing masks them.

    An attention mask may hide the later places or not: it counts as one that does.
    """
    if isinstance(module, nn.RNNBase):
        return module.bidirectional
    given = dict(zip(_ATTENTION, args, strict=False)) | dict(kwargs)
    to_itself = given.get("key") is given.get("query")
    return to_itself and given.get("attn_mask") is None and not given.get("is_causal")


_ATTENTION = (  # the parameters of the forward of `nn.MultiheadAttention`
    *("query", "key", "value", "key_padding_mask", "need_weights", "attn_mask", "average_attn_weights", "is_causal"),
)


def _answers(given: Tensor, targets: Tensor) -> dict[str, Any]:
    """Return "answers" and "answers_axis" where the targets stand in what a layer is given; {} where they do not."""
    comparable = given.dim() > 1 and given.numel() == targets.numel() and given.dtype == targets.dtype
    if not comparable or given.device != targets.device or not existing(given) or not existing(targets):
        return {}
    wanted = targets.reshape(given.shape)
    whole = not given.is_floating_point()
    counted = wanted != IGNORED if whole else torch.ones_like(wanted, dtype=torch.bool)
    if 2 * int(torch.count_nonzero(counted)) < counted.numel():
        return {}
    if whole and not bool(((given != wanted) & counted).any()):
        return {"answers": "same"}
    for axis in (1, 0):
        length = given.shape[axis]
        if length < LEAST:
            continue
        later, now = given.narrow(axis, 1, length - 1), wanted.narrow(axis, 0, length - 1)
        differ = (later != now) & counted.narrow(axis, 0, length - 1)
        changes = float((later != given.narrow(axis, 0, length - 1)).float().mean())
        if not bool(differ.any()) and changes > CHANGES:
            return {"answers": "next", "answers_axis": axis}
    return {}


def _comes_from(loss: Any, outputs: Tensor, targets: Tensor, facts: Mapping[str, Any]) -> bool:
    """Tell whether the loss is that of these outputs and targets: a model may shift the targets by itself."""
    if not isinstance(loss, Tensor) or loss.numel() != 1 or facts.get("loss_function") == "binary_cross_entropy":
        return False  # plain binary cross-entropy stops at outputs that are still scores
    alone = losses.function_of(outputs, targets, facts)
    return alone is not None and abs(float(loss.detach()) - float(alone)) <= AGREEMENT * abs(float(alone))
