"""What a loss is: the function that made it and what entered that function, read from the graph behind it.

Only names, shapes and plain attributes of nodes are read: they outlast the backward, which frees the saved tensors.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Any

from torch import Tensor

DEPTH = 64  # nodes of the graph that are looked at: the loss function stands at its end
NAMES = 4  # nodes behind outputs that are named: the last activation stands there

_FUNCTIONS = {
    "NllLossBackward0": "nll",
    "NllLoss2DBackward0": "nll",
    "NllLossNdBackward0": "nll",
    "BinaryCrossEntropyBackward0": "binary_cross_entropy",
    "BinaryCrossEntropyWithLogitsBackward0": "binary_cross_entropy_with_logits",
    "MseLossBackward0": "mse",
    "L1LossBackward0": "l1",
    "SmoothL1LossBackward0": "smooth_l1",
    "HuberLossBackward0": "huber",
    "KlDivBackward0": "kl_div",
    "CtcLossBackward0": "ctc",
    "PoissonNllLossBackward0": "poisson_nll",
    "MultiMarginLossBackward0": "multi_margin",
    "MultilabelMarginLossBackward0": "multilabel_margin",
    "SoftMarginLossBackward0": "soft_margin",
}
_REDUCTIONS = {0: "none", 1: "mean", 2: "sum"}
_NOT_OF_THE_DATA = ("torch::autograd::AccumulateGrad", "TBackward0")  # parameters, and weights on their way


def describe(loss: Any, outputs: Tensor | None = None) -> dict[str, Any]:
    """Return what the graphs behind `loss` and `outputs` say.

    "loss_function", "loss_reduction"; "loss_composed": the function is one term of a sum (a penalty, several heads);
    "loss_graph": the names of the first nodes, as evidence. Of the prediction that enters the function:
    "loss_input_graph", "loss_input_shape", "loss_expanded" (an elementwise loss has broadcast it), "softmax_axis" (of a
    softmax or log-softmax that the script put there). "output_graph": the nodes behind the outputs, where they have a
    graph, else the same as "loss_input_graph". A number has no graph: "loss_form" is then "number".
    """
    facts: dict[str, Any] = {"loss_form": "number"}
    if isinstance(loss, Tensor) and loss.grad_fn is not None:
        facts = {"loss_form": "tensor", "loss_graph": []} | _loss_facts(loss.grad_fn)
    if outputs is not None and outputs.grad_fn is not None:
        facts["output_graph"] = _names_from(outputs.grad_fn)
    elif "loss_input_graph" in facts:
        facts["output_graph"] = facts["loss_input_graph"]
    return facts


def saved_pair(loss: Any) -> tuple[Tensor, Tensor] | None:
    """Return the (prediction, target) that the loss function has saved; None where it has not, or backward is through.

    Predictions of a cross entropy are log-probabilities [N, C, ...].
    """
    if not isinstance(loss, Tensor) or loss.grad_fn is None:
        return None
    node = next((node for node, _ in _behind(loss.grad_fn) if node.name() in _FUNCTIONS), None)
    try:
        prediction, target = node._saved_self, node._saved_target  # type: ignore[union-attr]  # raises where there is none
    except (AttributeError, RuntimeError):
        return None
    both = isinstance(prediction, Tensor) and isinstance(target, Tensor)
    return (prediction.detach(), target.detach()) if both else None


def _loss_facts(first: Any) -> dict[str, Any]:
    graph: list[str] = []
    facts: dict[str, Any] = {"loss_graph": graph}
    log_softmax = None
    for node, composed in _behind(first):
        name = node.name()
        if len(graph) < 6:
            graph.append(name)
        function = _FUNCTIONS.get(name) or _written_out(node)
        if function is not None:
            return facts | _function_facts(node, function, composed)
        if log_softmax is None and name.startswith("LogSoftmaxBackward"):
            log_softmax = node
    if log_softmax is not None:  # against probabilities (mixup, distillation), or home-made
        facts |= {"loss_function": "soft_cross_entropy"} | _prediction_facts(_before(log_softmax))
    return facts


def _function_facts(node: Any, function: str, composed: bool) -> dict[str, Any]:
    prediction, expanded = _before(node), False
    if node.name() == "SubBackward0":
        expanded = _size(node) > _size(prediction)
    elif prediction is not None and prediction.name() == "ExpandBackward0":
        prediction, expanded = _before(prediction), True
    facts: dict[str, Any] = {"loss_composed": composed}
    reduction = getattr(node, "_saved_reduction", None)
    if reduction in _REDUCTIONS:
        facts["loss_reduction"] = _REDUCTIONS[reduction]
    if function == "nll":
        shape = _shape(prediction)
        if len(shape) > 1:
            facts |= {"task": "classification", "classes": shape[1]}
        if prediction is not None and prediction.name().startswith("LogSoftmaxBackward"):
            function, prediction = "cross_entropy", _before(prediction)
    return facts | {"loss_function": function, "loss_expanded": expanded} | _prediction_facts(prediction)


def _prediction_facts(node: Any) -> dict[str, Any]:
    if node is None:
        return {}
    facts: dict[str, Any] = {"loss_input_graph": _names_from(node)}
    shape = _shape(node)
    if shape:
        facts["loss_input_shape"] = shape
    near = [node, _before(node)]
    softmax = next((n for n in near if n is not None and n.name() in ("SoftmaxBackward0", "LogSoftmaxBackward0")), None)
    axis = getattr(softmax, "_saved_dim", None)
    if axis is not None:
        dimensions = len(_shape(softmax)) or 1
        facts["softmax_axis"] = (axis - 2**64 if axis >= 2**63 else axis) % dimensions  # it is saved without a sign
    return facts


def _written_out(node: Any) -> str | None:
    """Return "mse" or "l1" where `node` is the difference in a loss written out: `((prediction - target) ** 2).mean()`.

    The difference stands there and no function; a parameter's distance to its old value is a penalty and no loss.
    """
    return None


def _behind(first: Any) -> Iterator[tuple[Any, bool]]:
    """Yield the nodes behind a loss, nearest first, each with whether it is part of a sum."""
    waiting: deque[tuple[Any, bool]] = deque([(first, False)])
    for _ in range(DEPTH):
        if not waiting:
            return
        node, composed = waiting.popleft()
        yield node, composed
        composed = composed or node.name().startswith(("AddBackward", "SubBackward"))
        waiting.extend((following, composed) for following, _ in node.next_functions if following is not None)


def _names_from(first: Any) -> list[str]:
    """Return the names of the nodes from `first` on, nearest first, without parameters."""
    names: list[str] = []
    waiting: deque[Any] = deque([first])
    while waiting and len(names) < NAMES:
        node = waiting.popleft()
        if node.name() not in _NOT_OF_THE_DATA:
            names.append(node.name())
            waiting.extend(following for following, _ in node.next_functions if following is not None)
    return names


def _before(node: Any) -> Any:
    """Return the node whose output was the first differentiable argument of `node`'s function; None where none was."""
    return next((following for following, _ in node.next_functions if following is not None), None)


def _shape(node: Any) -> list[int]:
    """Return the shape of what the node's function returned; [] where it is a scalar or torch does not tell."""
    metadata = getattr(node, "_input_metadata", None)
    return [int(size) for size in metadata[0].shape] if metadata else []


def _size(node: Any) -> int:
    return math.prod(_shape(node)) if node is not None else 0
