"""Terms that a loss is made of, beside the function that names it: penalties on parameters, divergences."""

from __future__ import annotations

from collections import deque
from typing import Any

from trainhealth.hooks.graph import DEPTH, PARAMETER, all_before, before, behind, kind, names_from, shape_of


def terms_of(first: Any) -> dict[str, Any]:
    """Return "penalized" and "divergence_graph" of the graph behind a loss, where there are such terms."""
    facts: dict[str, Any] = {"penalized": True} if _penalized(first) else {}
    entering = next((found for node, _ in behind(first) if (found := _into_divergence(node)) is not None), None)
    return facts if entering is None else facts | {"divergence_graph": names_from(entering)}


def _penalized(first: Any) -> bool:
    """Tell whether absolute values, squares or norms of whole parameters are part of the sum that a loss is."""
    waiting: deque[Any] = deque([first])
    for _ in range(DEPTH):
        if not waiting:
            break
        node = waiting.popleft()
        following, single = all_before(node), not shape_of(node)
        of_parameter = bool(following) and all(one.name() == PARAMETER for one in following)
        if of_parameter and kind(node) in (("LinalgVectorNorm", "Norm") if single else ("Abs", "Pow", "Mul")):
            return True
        if single or kind(node) == "Stack":  # a norm for every row is the model's: a layer that normalises its weights
            waiting.extend(following)
    return False


def _into_divergence(node: Any) -> Any:
    """Return what enters a kl_div that `node` reduces: of sum(t log t - t x) the x; None where it is no such sum."""
    inside = before(node) if kind(node) in ("Sum", "Mean") else None
    if inside is None or kind(inside) != "Sub" or len(inside.next_functions) != 2:
        return None
    entropy, product = (following for following, _ in inside.next_functions)
    if entropy is not None or product is None or kind(product) != "Mul" or len(all_before(product)) != 1:
        return None
    return before(product)
