"""What reshaping has done to the classes on their way from the last layer to the loss, read from the graph."""

from __future__ import annotations

from typing import Any

from trainhealth.hooks.graph import PARAMETER, all_before, before, kind, shape_of

# operations that keep the elements in order, whatever they make of the shape
IN_ORDER = frozenset({"View", "UnsafeView", "ReshapeAlias", "Clone", "ToCopy", "Alias", "Squeeze", "Unsqueeze"})


def reshaped(prediction: Any) -> dict[str, Any]:
    """Return "reshaped_from" and "reshaped_axis": the shape that the last layer gave, and its axis of units.

    `prediction` is the node of what enters the loss. Only operations that keep the elements in order are passed:
    behind a transposition, or anything that computes, it is not known where the units are, and nothing is returned.
    """
    producer = _after_reshaping(prediction)
    if producer is None or producer is prediction:
        return {}
    shape = shape_of(producer)
    axis = _unit_axis(producer, len(shape))
    return {} if axis is None else {"reshaped_from": shape, "reshaped_axis": axis}


def _after_reshaping(node: Any) -> Any:
    """Return the first node from `node` on that is no reshaping."""
    while node is not None and kind(node) in IN_ORDER:
        node = before(node)
    return node


def _unit_axis(node: Any, dimensions: int) -> int | None:
    """Return the axis of the units in what a linear or convolutional layer gave; None for any other node."""
    name = kind(node)
    if name == "Add":  # the bias of a linear layer over more than two axes
        parts = all_before(node)
        products = [part for part in parts if part.name() != PARAMETER]
        product = _after_reshaping(products[0]) if len(parts) == 2 and len(products) == 1 else None
        name = kind(product) if product is not None else ""
    if name in ("Addmm", "Mm") and dimensions > 1:
        return dimensions - 1
    return 1 if name == "Convolution" and dimensions > 2 else None
