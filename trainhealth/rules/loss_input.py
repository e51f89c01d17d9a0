"""What enters a run's loss: the loss function, and the last operation before it, as the graph behind the loss tells."""

from __future__ import annotations

import re
from typing import NamedTuple

from trainhealth.findings import Evidence
from trainhealth.rules.breakdown import recent_level
from trainhealth.rules.chance import unknown_loss
from trainhealth.series import RunView

CROSS_ENTROPIES = ("cross_entropy", "soft_cross_entropy")
LOGIT_LOSSES = (*CROSS_ENTROPIES, "binary_cross_entropy_with_logits")  # apply softmax or sigmoid themselves
SQUARED_AND_ABSOLUTE = ("mse", "l1", "smooth_l1", "huber")

# operations that change the shape of a tensor, or leave elements out, but no value
_SHAPING = frozenset(
    [
        "View",
        "UnsafeView",
        "ReshapeAlias",
        "Reshape",
        "Transpose",
        "T",
        "Permute",
        "Squeeze",
        "Unsqueeze",
        "Slice",
        "Select",
        "Clone",
        "ToCopy",
        "Alias",
        "Expand",
        "Gather",
        "Index",
        "IndexSelect",
        "MaskedSelect",
        "Split",
        "SplitWithSizes",
        "Unbind",
        "Cat",
        "Stack",
        "AsStrided",
        "Flatten",
        "Unflatten",
    ]
)
_OPERATIONS = {
    "Softmax": "softmax",
    "SafeSoftmax": "softmax",
    "LogSoftmax": "log_softmax",
    "LogSigmoid": "log_sigmoid",
    "LogSigmoidForward": "log_sigmoid",
    "Log": "log",
    "Sigmoid": "sigmoid",
    "Hardsigmoid": "sigmoid",
    "Tanh": "tanh",
    "Relu": "relu",
    "Threshold": "relu",
    "Addmm": "linear",
    "Mm": "linear",
    "Bmm": "linear",
    "Baddbmm": "linear",
    "Linear": "linear",
    "Convolution": "linear",
    "ConvolutionOverrideable": "linear",
}


class LossInput(NamedTuple):
    """The loss function, and the operation that made what enters it; `certain` where the loss's own graph says so.

    Operations have the names of functions ("softmax", "relu"); "linear" stands for any linear or convolutional layer,
    "" for whatever is none of those that matter here. Operations on shapes are passed over.
    """

    function: str
    operation: str
    certain: bool


def loss_input(run: RunView) -> LossInput | str:
    """Return what enters the loss, or why it is not known."""
    function = run.facts.get("loss_function")
    if not isinstance(function, str) or not function:
        return unknown_loss(run)
    for name, certain in (("loss_input_graph", True), ("output_graph", False)):
        nodes = run.facts.get(name)
        if isinstance(nodes, list) and nodes:
            return LossInput(function, _operation([str(node) for node in nodes], function), certain)
    return "what enters the loss is not known: pass outputs= to watch.step"


def last_operation(run: RunView) -> str | None:
    """Return the operation that made the model's outputs, whatever the loss; None where it is not known."""
    for name in ("loss_input_graph", "output_graph"):
        nodes = run.facts.get(name)
        if isinstance(nodes, list) and nodes:
            return _operation([str(node) for node in nodes], str(run.facts.get("loss_function")))
    return None


def operation_after_layer(run: RunView) -> str | None:
    """Return the last operation before the loss by its name in the graph ("Mul"), shapes aside; None where unknown."""
    nodes = run.facts.get("loss_input_graph")
    if not isinstance(nodes, list) or not nodes:
        return None
    return next((name for name in map(_plain, nodes) if name not in _SHAPING), "")


def divergence_input(run: RunView) -> str:
    """Return the operation that made what enters a kl_div, be it a term of the loss or all of it; "" for none.

    A temperature that scores are divided by is passed over.
    """
    nodes = run.facts.get("divergence_graph")
    if not isinstance(nodes, list):
        return ""
    return _operation([str(node) for node in nodes if _plain(node) not in ("Div", "Mul")], "")


def operation_before(run: RunView) -> str:
    """Return the operation before the last one that enters the loss ("relu" of a sigmoid of a ReLU), "" for none."""
    nodes = run.facts.get("loss_input_graph")
    found = _operations([str(node) for node in nodes], "") if isinstance(nodes, list) else []
    return found[1] if len(found) > 1 else ""


def _operation(nodes: list[str], function: str) -> str:
    return next(iter(_operations(nodes, function)), "")


def _operations(nodes: list[str], function: str) -> list[str]:
    """Return the operations of a graph, nearest to the loss first, without those on shapes."""
    names = [_plain(node) for node in nodes]
    # the softmax of the loss itself; one more before it changes nothing, log_softmax of itself being itself
    own = "LogSoftmax" if function in CROSS_ENTROPIES else None
    return [_OPERATIONS.get(name, "") for name in names if name not in _SHAPING and name != own]


def _plain(node: object) -> str:
    """Return the name of a node's function: "Softmax" of "SoftmaxBackward0"."""
    return re.sub(r"Backward\d*$", "", str(node))


def shape_of(run: RunView, name: str) -> tuple[int, ...] | None:
    """Return a fact that is a shape, such as "output_shape"; None where it is not known."""
    shape = run.facts.get(name)
    if not isinstance(shape, list | tuple) or not all(isinstance(size, int) and size >= 0 for size in shape):
        return None
    return tuple(shape)


def classes_of(run: RunView) -> int:
    """Return the number of classes that the model distinguishes; 0 where it is not known."""
    classes = run.facts.get("classes")
    return classes if isinstance(classes, int) and not isinstance(classes, bool) and classes > 0 else 0


def loss_seen(run: RunView, expected: str) -> Evidence:
    """Return the present train_loss as evidence, for a finding that rests on the graph behind the loss."""
    losses = run.series("train_loss")
    level = recent_level(losses.values)
    return Evidence("train_loss", None, int(losses.steps[0]), losses.last_step, level, expected)
