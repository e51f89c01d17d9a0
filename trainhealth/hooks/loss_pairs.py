"""Finds a loss written out by hand that compares every prediction with every target."""

from __future__ import annotations

from typing import Any

from trainhealth.hooks.graph import all_before, behind, kind, shape_of

_OF_ONE = frozenset({"Abs", "Clamp", "ClampMax", "ClampMin", "Cosh", "Exp", "Log", "Log1P", "LogSigmoid", "Neg", "Pow"})
_OF_ONE |= {"Relu", "Rsub", "Sigmoid", "Softplus", "Sqrt"}
_OF_TWO = frozenset({"Add", "Div", "Mul", "Sub"})
_MOST = 32  # nodes between the mean and the predictions: a formula that somebody writes is shorter


def pairs_of(first: Any) -> dict[str, Any]:
    """Return "loss_pairs" of the graph behind a loss: the shape of the predictions, if they were broadcast to [N, N].

    That is where one of them, [N, 1] or [N], meets something that is not learned, and all N x N results are summed up.
    Two things that are both learned (a matrix of similarities, the differences of scores) make pairs on purpose, and
    so does all of a loss that has such a term (a distance between distributions).
    """
    squares = [inside for node, _ in behind(first) if (inside := _square_inside(node)) is not None]
    shapes = [_broadcast_in(inside) for inside in squares]
    return {"loss_pairs": shapes[0]} if shapes and all(shapes) else {}


def _broadcast_in(inside: Any) -> list[int]:
    """Return the shape of the predictions that elementwise operations have made the square `inside` of; [] if none."""
    square = shape_of(inside)
    waiting, met = [inside], []
    for _ in range(_MOST):
        if not waiting:
            break
        node = waiting.pop()
        following = all_before(node)
        smaller = [one for one in following if shape_of(one) != square]
        if not smaller:
            if kind(node) not in _OF_ONE | _OF_TWO:
                return []
            waiting.extend(following)
        elif len(following) == 1 and len(node.next_functions) == 2 and kind(node) in _OF_TWO:
            met.append(shape_of(smaller[0]))
        else:
            return []
    column = [[square[0], 1], square[:1]]
    return met[0] if met and not waiting and all(one in column for one in met) else []


def _square_inside(node: Any) -> Any:
    """Return what `node` sums up, if it is a matrix of as many rows as columns."""
    if kind(node) not in ("Mean", "Sum") or shape_of(node):
        return None
    inside = next(iter(all_before(node)), None)
    shape = shape_of(inside) if inside is not None else []
    return inside if len(shape) == 2 and shape[0] == shape[1] > 1 else None
