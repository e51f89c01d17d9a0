"""What a script calls backward on: nothing of it stays alive for us, and its rows are examples or nothing."""

from __future__ import annotations

import weakref

import pytest
import torch
from torch import Tensor

from trainhealth.hooks.script_objectives import Objectives, in_examples


def test_the_true_loss_is_found_behind_the_scaled_one() -> None:
    """Also where nobody else holds it."""
    objectives, weights = Objectives(), torch.ones(3, requires_grad=True)
    scaled = weights.sum() * 1024
    objectives.scaled(weights.sum(), (scaled,))
    found = objectives.loss_among(scaled)
    assert found is not None
    assert found.item() == 3.0


def test_a_scaled_loss_that_is_gone_keeps_no_graph() -> None:
    """No backward came to it: one of a validation batch, say."""
    objectives, weights = Objectives(), torch.ones(3, requires_grad=True)
    loss = weights.sum()
    scaled = loss * 1024
    objectives.scaled(loss, (scaled,))
    graph = weakref.ref(loss)
    del loss
    assert graph() is not None
    del scaled
    assert graph() is None


@pytest.mark.parametrize(
    ("outputs", "targets", "examples", "shapes"),
    [
        (torch.zeros(12, 5), torch.zeros(12), 6, ((6, 2, 5), (6, 2))),
        (torch.zeros(6, 5), torch.zeros(6), 6, ((6, 5), (6,))),
        (torch.zeros(5, 5), torch.zeros(5), 6, None),
        (torch.tensor(1.0), torch.zeros(12), 6, None),
        (torch.zeros(12), torch.tensor(1.0), 6, ((12,), ())),
        (torch.tensor(1.0), torch.tensor(1.0), 6, ((), ())),
    ],
    ids=["time", "examples", "neither", "one output", "one target", "one of each"],
)
def test_rows_become_examples(
    outputs: Tensor, targets: Tensor, examples: int, shapes: tuple[tuple[int, ...], tuple[int, ...]] | None
) -> None:
    """A number that is compared with many targets has no rows at all."""
    found = in_examples((outputs, targets), examples)
    assert (None if found[0] is None or found[1] is None else tuple(tuple(t.shape) for t in found)) == shapes
