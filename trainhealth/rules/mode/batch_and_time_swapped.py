"""MO15 batch-and-time-swapped: a recurrent or attention layer goes along the examples of the batch, not along time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from trainhealth.findings import Change, Confidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number
from trainhealth.rules.breakdown import recent_level
from trainhealth.rules.chance import unknown_loss
from trainhealth.rules.loss_input import loss_seen, shape_of
from trainhealth.series import RunView


class _Layer(NamedTuple):
    """A recurrent or attention layer of the first forward: what it takes for time, and what for examples."""

    name: str
    kind: str
    batch_first: bool
    shape: tuple[int, ...]  # that enters it
    input: tuple[int, ...]  # that enters its model

    @property
    def time(self) -> int:
        return self.shape[1 if self.batch_first else 0]

    @property
    def examples(self) -> int:
        return self.shape[0 if self.batch_first else 1]


class _Mixed(NamedTuple):
    """A reshape that cuts across the examples: the layer that gets it, whose output it is of, and both shapes."""

    layer: str
    source: str  # "" for the model's inputs
    given: tuple[int, ...]
    shape: tuple[int, ...]
    examples: int
    axis: int  # of the examples in what was given


class BatchAndTimeSwapped(Rule):
    """A recurrent or attention layer takes the examples of the batch for the steps of a sequence.

    What it detects
        The shape [a, b, units] that enters each nn.LSTM, nn.GRU, nn.RNN and nn.MultiheadAttention in the first forward
        (those in nn.TransformerEncoderLayer as well), its batch_first, and the number of examples that the loss takes
        ("loss_input_shape"). And the reshapes before and behind nn.LSTM, nn.GRU and nn.RNN that cut across the examples
        ("mixed_examples", from the graph and the memory of the first forward).

    Why it matters
        With batch_first=False, which is the default, axis 0 is time. A batch [N, T, units] is then read as N steps of T
        sequences: each example is mixed with those that the shuffling has put beside it, and its own steps are never
        brought together. Every shape fits, so that no error is raised.

    How it decides
        The loss takes one row an example, and there are as many rows as the layer has time steps, and not as it has
        examples. A layer [T, N, units] that is rightly used ends in N or T x N rows, never in T. What enters the model
        must have one of the two axes first, so that equal numbers by chance don't count.
        Or: a layer gets [N, …] that is a reshape, without a transposition, of outputs [T, N, units] or last states
        [layers, N, units]; or a recurrent layer with batch_first=False gets [T, N, units] that is a reshape of [N, …];
        and the loss takes N rows.

    What to try
        batch_first=True for batches [N, T, units], in every such layer; or transpose(0, 1) before the layer, and
        out[-1] behind it. transpose(0, 1) before a reshape of states or outputs.

    When it is wrong
        A batch or a sequence of one, as many examples as steps, and a loss over every step: nothing tells the axes
        apart, silent. So are packed sequences, layers in compiled code, and losses computed by hand. Attention between
        examples on purpose, in turns with attention inside of each: silent, where layers of the same kind do both;
        alone, or with an average over several series a step, it looks the same. A reshape of as many steps as examples,
        of a slice, or of what functions between the layers have computed: not seen.
    """

    code = "MO15"
    name = "batch-and-time-swapped"
    topic = "mode"
    severity = Severity.CRITICAL
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss",)
    references = (
        Reference(
            "PyTorch documentation: torch.nn.LSTM",
            "batch_first: if True, tensors are (batch, seq, feature) instead of (seq, batch, feature). Default: False.",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html",
        ),
        Reference(
            "PyTorch documentation: torch.nn.TransformerEncoderLayer",
            "batch_first: if True, tensors are (batch, seq, feature). Default: False (seq, batch, feature).",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerEncoderLayer.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """No thresholds: the loss takes as many examples as the layer does, or it does not."""

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return one finding for all layers that go along the wrong axis."""
        mixed = _mixed(run)
        if mixed:
            return [self._describe_mixed(run, mixed)]
        layers = _layers(run)
        if not layers:
            return []
        read = shape_of(run, "loss_input_shape")
        if read is None:
            function = run.facts.get("loss_function")
            return [] if isinstance(function, str) and function else NotChecked(unknown_loss(run))
        swapped = [layer for layer in layers if _swapped(layer, read)]
        right = {(layer.kind, layer.batch_first) for layer in layers if layer.examples == read[0]} if read else set()
        swapped = [layer for layer in swapped if (layer.kind, layer.batch_first) not in right]
        return [self._describe(run, swapped)] if swapped else []

    def _describe(self, run: RunView, swapped: list[_Layer]) -> Finding:
        first, now = swapped[0], number(recent_level(run.series("train_loss").values))
        others = f", as {len(swapped) - 1} more do" if len(swapped) > 1 else ""
        time, examples = (1, 0) if first.batch_first else (0, 1)
        chosen = "Select" in str(run.facts.get("loss_input_graph"))  # of the wrong axis: an average could be meant
        return self.finding(
            f"{first.name} ({first.kind}, batch_first={first.batch_first}) gets {list(first.shape)} and takes axis"
            f" {time} for time and axis {examples} for the examples{others}; the loss takes {first.time} examples, so"
            f" that it goes along the batch. train_loss stands at {now}.",
            [loss_seen(run, "lower, with the steps of each example read in their order")],
            [_batch_last(first) if first.batch_first else _batch_first(first)],
            confidence=Confidence.CERTAIN if chosen else None,
        )

    def _describe_mixed(self, run: RunView, mixed: list[_Mixed]) -> Finding:
        first, now = mixed[0], number(recent_level(run.series("train_loss").values))
        others = f" (so are {len(mixed) - 1} more)" if len(mixed) > 1 else ""
        source = f"those of {first.source}" if first.source else "the model's inputs"
        return self.finding(
            f"{first.layer} gets {list(first.shape)}, a reshape of {source}, {list(first.given)}{others}: the"
            f" {first.examples} examples are on axis {first.axis} there, and what the layer takes for one of them holds"
            f" parts of several. train_loss stands at {now}.",
            [loss_seen(run, "lower, with each example by itself")],
            [_transpose(first)],
            confidence=Confidence.CERTAIN,
        )


def _swapped(layer: _Layer, read: tuple[int, ...]) -> bool:
    """Tell whether a layer's time steps are what the loss, whose input has the shape `read`, takes for examples."""
    time, examples = layer.time, layer.examples
    if not 1 <= len(read) <= 2 or examples in read[1:]:
        return False  # the loss has an axis of time itself
    if time != read[0] or examples == time or min(time, examples) < 2 or not layer.input:
        return False
    both = layer.input[:2] in ((time, examples), (examples, time))
    by_chance = examples % time == 0  # groups in a batch of N x groups, with as many steps as there are examples
    return both or (layer.input[0] == time and not by_chance)


def _layers(run: RunView) -> list[_Layer]:
    told = run.facts.get("sequences")
    found = []
    for layer in told if isinstance(told, list) else ():
        if isinstance(layer, dict):
            shape, entering = _sizes(layer.get("shape")), _sizes(layer.get("input"))
            if len(shape) == 3:
                name, kind = str(layer.get("layer")), str(layer.get("type"))
                found.append(_Layer(name, kind, layer.get("batch_first") is True, shape, entering))
    return found


def _mixed(run: RunView) -> list[_Mixed]:
    """Return the reshapes that cut across examples, of which the loss takes as many."""
    told, read = run.facts.get("mixed_examples"), shape_of(run, "loss_input_shape") or (0,)
    found = []
    for one in told if isinstance(told, list) else ():
        if isinstance(one, dict) and one.get("examples") == read[0]:
            given, shape = _sizes(one.get("given")), _sizes(one.get("shape"))
            axis = 0 if one.get("examples_axis") == 0 else 1
            if given and shape:
                found.append(_Mixed(str(one.get("layer")), str(one.get("source")), given, shape, read[0], axis))
    return found


def _transpose(mixed: _Mixed) -> Recommendation:
    before = "[N, T, units] first, and then transpose(0, 1), or batch_first=True"
    behind = f"transpose(0, 1) first: tensor.transpose(0, 1).reshape({mixed.examples}, -1)"
    return Recommendation(
        f"Make it {before}." if mixed.axis == 0 else f"Call {behind}.",
        "view and reshape only cut the same sequence of numbers elsewhere; they swap no axes.",
        "In evaluation mode, an example has the same output alone as in a batch, and train_loss falls further.",
        "What the model has learnt so far is of no use.",
        "batch-first",
    )


def _sizes(told: object) -> tuple[int, ...]:
    whole = isinstance(told, list) and all(isinstance(size, int) for size in told)
    return tuple(told) if whole else ()  # type: ignore[arg-type]  # checked in the line above


def _batch_first(layer: _Layer) -> Recommendation:
    made = f"nn.{layer.kind}(…, batch_first=True)"
    if layer.kind == "MultiheadAttention":
        made += ", or nn.TransformerEncoderLayer(…, batch_first=True) where it is part of one"
    return Recommendation(
        f"Make the layer so that it takes [N, T, units]: {made}.",
        "By default, axis 0 is time, and axis 1 the examples.",
        "In evaluation mode, an example has the same output alone as in a batch, and train_loss falls further.",
        "What the layer has learnt so far is of no use. The last hidden state keeps its axes in either case.",
        "batch-first",
        Change("batch_first", "False", "True"),
    )


def _batch_last(layer: _Layer) -> Recommendation:
    return Recommendation(
        f"Give {layer.name} its input as [N, T, units], without the transposition, or make it with batch_first=False.",
        "With batch_first=True, axis 0 is the examples, and axis 1 time.",
        "In evaluation mode, an example has the same output alone as in a batch, and train_loss falls further.",
        "What the layer has learnt so far is of no use.",
        "batch-first",
        Change("batch_first", "True", "False"),
    )
