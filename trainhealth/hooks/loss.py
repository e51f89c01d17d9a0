"""What a loss is: its value, and the function that made it, read from the graph behind it."""

from __future__ import annotations

from collections import deque
from typing import Any

from torch import Tensor

DEPTH = 64  # nodes of the graph that are looked at: the loss function stands at its end

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


def describe(loss: Any) -> dict[str, Any]:
    """Return what the graph behind `loss` says: "loss_function", "loss_reduction", "loss_composed", "loss_graph".

    "loss_graph" holds the names of the first nodes as evidence. A composed loss is a sum in which the function is one
    term (a penalty, several heads). A number has no graph: "loss_form" is then "number".
    """
    if not isinstance(loss, Tensor) or loss.grad_fn is None:
        return {"loss_form": "number"}
    facts: dict[str, Any] = {"loss_form": "tensor", "loss_graph": []}
    log_softmax = False
    waiting: deque[tuple[Any, bool]] = deque([(loss.grad_fn, False)])
    for _ in range(DEPTH):
        if not waiting:
            break
        node, composed = waiting.popleft()
        name = node.name()
        if len(facts["loss_graph"]) < 6:
            facts["loss_graph"].append(name)
        if name in _FUNCTIONS:
            facts |= _function_facts(node, _FUNCTIONS[name], composed)
            break
        log_softmax = log_softmax or name.startswith("LogSoftmaxBackward")
        composed = composed or name.startswith(("AddBackward", "SubBackward"))
        waiting.extend((following, composed) for following, _ in node.next_functions if following is not None)
    if log_softmax and "loss_function" not in facts:
        facts["loss_function"] = "soft_cross_entropy"  # against probabilities (mixup, distillation), or home-made
    return facts


def _function_facts(node: Any, function: str, composed: bool) -> dict[str, Any]:
    before = [following.name() for following, _ in node.next_functions if following is not None]
    if function == "nll" and any(name.startswith("LogSoftmaxBackward") for name in before):
        function = "cross_entropy"
    facts: dict[str, Any] = {"loss_function": function, "loss_composed": composed}
    reduction = getattr(node, "_saved_reduction", None)
    if reduction in _REDUCTIONS:
        facts["loss_reduction"] = _REDUCTIONS[reduction]
    return facts
