"""The snippets of `recipes/federated.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import copy

from tests.recipes.script import Names, apply, backward, digits_script, paste, train


def test_federated_averaging() -> None:
    """The averaged model learns what all clients know."""
    script = digits_script()
    before = backward(script)
    apply("federated-averaging", script)
    assert backward(script) < 0.5 * before


def test_fedprox() -> None:
    """The first step is that of the plain loss; after five, the weights are nearer to the server's than without."""

    def distance(script: Names) -> float:
        pairs = zip(script["model"].parameters(), server.parameters(), strict=True)
        return sum((parameter - start).square().sum().item() for parameter, start in pairs)

    server = digits_script()["model"]
    plain, script = (digits_script(copy.deepcopy(server), rate=0.5) for _ in range(2))
    train(plain, 5)
    paste("fedprox", script)
    assert 0 < distance(script) < 0.97 * distance(plain)
    apply("fedprox", script)
