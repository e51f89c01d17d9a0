"""What a loss is: the function that made it and what entered that function, read from the graph behind it.

Only names, shapes and plain attributes of nodes are read: they outlast the backward, which frees the saved tensors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from trainhealth.hooks.graph import NOT_OF_THE_DATA, all_before, before, behind, kept, kind, names_from, shape_of
from trainhealth.hooks.loss_pairs import pairs_of
from trainhealth.hooks.loss_terms import terms_of
from trainhealth.hooks.reshaping import reshaped
from trainhealth.hooks.targets import IGNORED, class_axis

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
_COMPUTED: dict[str, Callable[..., Tensor]] = {
    "cross_entropy": torch.nn.functional.cross_entropy,
    "nll": torch.nn.functional.nll_loss,
    "mse": torch.nn.functional.mse_loss,
    "binary_cross_entropy": torch.nn.functional.binary_cross_entropy,
    "binary_cross_entropy_with_logits": torch.nn.functional.binary_cross_entropy_with_logits,
}
_WITH_TWO_SIDES = ("BinaryCrossEntropyBackward0", "BinaryCrossEntropyWithLogitsBackward0")  # neither is the other
_REDUCTIONS: dict[Any, str] = {0: "none", 1: "mean", 2: "sum"}
_SOFTMAX = ("Softmax", "LogSoftmax")
_AFTER_SOFTMAX = ("Log", "Add", "Clamp", "ClampMin")  # log(p + 1e-9)


def describe(loss: Any, outputs: Tensor | None = None) -> dict[str, Any]:
    """Return what the graphs behind `loss` and `outputs` say.

    "loss_function", "loss_reduction"; "loss_composed": the function is one term of a sum (a penalty, several heads);
    "loss_graph": the names of the first nodes, as evidence. Of the prediction that enters the function:
    "loss_input_graph", "loss_input_shape", "loss_expanded" (an elementwise loss has broadcast it), "loss_swapped" (only
    what stands in the targets' place has a graph, and the function takes the two otherwise), "softmax_axis" (of the
    softmax there, or of the cross entropy's own); of class scores "reshaped_from" and "reshaped_axis" (what the last
    layer gave), and "ignore_index". "divergence_graph": the nodes behind what enters a kl_div, a term or the whole.
    "penalized": there is a term of parameters alone. "loss_pairs": of an unknown function that was broadcast to all
    pairs of predictions and targets, the shape of the predictions. "output_graph": the nodes behind the outputs, where
    they have a graph, else the same as "loss_input_graph". A number has no graph: "loss_form" is then "number".
    """
    facts: dict[str, Any] = {"loss_form": "number"}
    if isinstance(loss, Tensor) and loss.grad_fn is not None:
        facts = {"loss_form": "tensor", "loss_graph": []} | _loss_facts(loss.grad_fn) | terms_of(loss.grad_fn)
        facts |= {} if "loss_function" in facts else pairs_of(loss.grad_fn)
    if outputs is not None and outputs.grad_fn is not None:
        facts["output_graph"] = names_from(outputs.grad_fn)
    elif "loss_input_graph" in facts:
        facts["output_graph"] = facts["loss_input_graph"]
    return facts


def saved_pair(loss: Any) -> tuple[Tensor, Tensor] | None:
    """Return the (prediction, target) that the loss function has saved; None where they are not there to be read.

    Predictions of a cross entropy are log-probabilities [N, C, ...].
    """
    if not isinstance(loss, Tensor) or loss.grad_fn is None:
        return None
    node = next((node for node, _ in behind(loss.grad_fn) if node.name() in _FUNCTIONS), None)
    prediction, target = kept(node, "self"), kept(node, "target")
    return None if prediction is None or target is None else (prediction.detach(), target.detach())


def factor_of(loss: Any, outputs: Tensor | None, targets: Tensor | None, facts: dict[str, Any]) -> float | None:
    """Return by what the script has multiplied the loss function's value, as `loss / 32` does by 0.03125.

    The graph tells that there is a factor, and after the backward no longer which: the function is computed once more.
    None where there is none, or nothing to compute it from.
    """
    scaled = any(name.startswith(("MulBackward", "DivBackward")) for name in facts.get("loss_graph", ()))
    if not scaled or facts.get("loss_composed") or outputs is None or targets is None:
        return None
    if facts.get("loss_function") == "binary_cross_entropy" and not bool(((outputs >= 0) & (outputs <= 1)).all()):
        return None  # the outputs are scores, and the script has put them through a sigmoid of its own
    alone = function_of(outputs, targets, facts)
    plain = 0.0 if alone is None else float(alone)
    return float(loss.detach()) / plain if plain > 0 else None


def function_of(outputs: Tensor, targets: Tensor, facts: Mapping[str, Any]) -> Tensor | None:
    """Return what the loss function alone gives, 0-dimensional; None where it can't be computed from these.

    The script's weights of classes and its label smoothing are not known, and left out. A binary cross-entropy of
    outputs that are not within 0 and 1 raises.
    """
    name, reduction = str(facts.get("loss_function", "")), facts.get("loss_reduction")
    function = _COMPUTED.get(name)
    of_indices = name in ("cross_entropy", "nll")
    axis = class_axis(outputs, targets) if of_indices else None
    comparable = axis is not None or outputs.shape == targets.shape
    if function is None or reduction not in ("mean", "sum") or not comparable:
        return None
    predictions, targets = outputs.detach().float(), targets.detach()
    ignored: dict[str, int] = {}
    if axis is not None:
        predictions = predictions.movedim(axis, 1)  # of language models it is the last one
        ignored["ignore_index"] = index = facts.get("ignore_index", IGNORED)
        # the script may have left out rows that are no class (-1: no label), for which an accelerator would stop
        targets = targets.long().masked_fill((targets < 0) | (targets >= predictions.shape[1]), index)
    with torch.no_grad():
        return function(predictions, targets, reduction=reduction, **ignored)


def _loss_facts(first: Any) -> dict[str, Any]:
    graph: list[str] = []
    facts: dict[str, Any] = {"loss_graph": graph}
    log_softmax = reduction = None
    for node, composed in behind(first):
        name = node.name()
        if len(graph) < 6:
            graph.append(name)
        if name in _FUNCTIONS:
            reduction = _REDUCTIONS.get(getattr(node, "_saved_reduction", None))
            return facts | _function_facts(node, _FUNCTIONS[name], reduction, composed)
        function, difference = (None, None) if composed else _written_out(node)
        if function is not None:
            return facts | _function_facts(difference, function, reduction, composed)
        reduction = reduction or {"Mean": "mean", "Sum": "sum"}.get(name.partition("Backward")[0])
        if log_softmax is None and name.startswith("LogSoftmaxBackward"):
            log_softmax = node
    if log_softmax is not None:  # against probabilities (mixup, distillation), or home-made
        facts |= {"loss_function": "soft_cross_entropy"} | _prediction_facts(before(log_softmax), log_softmax)
    return facts


def _function_facts(node: Any, function: str, reduction: str | None, composed: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {"loss_composed": composed}
    if reduction is not None:
        facts["loss_reduction"] = reduction
    if node.name() in _WITH_TWO_SIDES:
        first, second = (following for following, _ in node.next_functions[:2])
        if first is None and second is not None:
            facts["loss_swapped"] = True
    prediction = before(node)
    expanded = prediction is not None and prediction.name() == "ExpandBackward0"
    if expanded:
        prediction = before(prediction)
    elif node.name() == "SubBackward0":  # it broadcasts without saying so
        expanded = math.prod(shape_of(node)) > math.prod(shape_of(prediction))
    log_softmax = None
    if function == "nll":
        shape = shape_of(prediction)
        if len(shape) > 1:
            facts |= {"task": "classification", "classes": shape[1]}
        scores = prediction
        if scores is not None and scores.name().startswith(("ViewBackward", "UnsafeViewBackward")):
            scores = before(scores)  # the loss gives [N, C, T] a fourth axis
        if scores is not None and scores.name().startswith("LogSoftmaxBackward"):
            function, log_softmax, prediction = "cross_entropy", scores, before(scores)
        ignored = getattr(node, "_saved_ignore_index", None)
        facts |= reshaped(prediction) | ({} if ignored is None else {"ignore_index": _signed(ignored)})
    return facts | {"loss_function": function, "loss_expanded": expanded} | _prediction_facts(prediction, log_softmax)


def _written_out(node: Any) -> tuple[str | None, Any]:
    """Return "mse" or "l1" and the node of the difference, of a loss written out as `((prediction - target) ** 2)`.

    The difference of two things that are both learned (embeddings), or of a parameter and its old value (a penalty), is
    something else.
    """
    squared = node.name() == "PowBackward0" and getattr(node, "_saved_exponent", None) == 2
    if not squared and node.name() != "AbsBackward0":
        return None, None
    difference = before(node)
    if difference is None or difference.name() != "SubBackward0":
        return None, None
    learned = [following.name() for following, _ in difference.next_functions if following is not None]
    if len(learned) != 1 or learned[0] in NOT_OF_THE_DATA:
        return None, None
    return ("mse" if squared else "l1"), difference


def _prediction_facts(node: Any, log_softmax: Any = None) -> dict[str, Any]:
    """Return the facts of what enters the loss; of the softmax in it, or else of the one that the loss begins with."""
    if node is None:
        return {}
    facts: dict[str, Any] = {"loss_input_graph": names_from(node)}
    shape = shape_of(node)
    if shape:
        facts["loss_input_shape"] = shape
    last = node
    while kind(last) in _AFTER_SOFTMAX and len(all_before(last)) == 1:
        last = before(last)
    for softmax in (last, before(last), log_softmax):
        if softmax is not None and kind(softmax) in _SOFTMAX:
            axis, dimensions = getattr(softmax, "_saved_dim", None), len(shape_of(softmax))
            if axis is not None and dimensions:
                facts["softmax_axis"] = _signed(axis) % dimensions
            break
    return facts


def _signed(number: int) -> int:
    """Return a number that torch has saved without its sign."""
    return number - 2**64 if number >= 2**63 else number
