"""The snippet of `recipes/robustness.py` runs on a real model, and does what `verify` promises."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from tests.recipes.script import Names, digits_script, paste, train


def attacked_loss(script: Names, attacked: Callable[[Tensor, Tensor], Tensor]) -> float:
    """The loss of the script's model on inputs that were moved against it."""
    moved = attacked(script["inputs"], script["targets"])
    return script["loss_fn"](script["model"](moved), script["targets"]).item()


def test_adversarial_training() -> None:
    """The attack moves each input by epsilon at most and hurts; the trained model is hurt much less."""
    plain = digits_script(rate=0.5)
    train(plain, 100)
    script = paste("adversarial-training", digits_script(rate=0.5))
    attack = script["attacked"]
    moved = attack(script["inputs"], script["targets"])
    assert float((moved - script["inputs"]).abs().max()) <= 0.1001
    hardened = attacked_loss(script, attack)
    script["model"].load_state_dict(plain["model"].state_dict())  # the attack reads the script's model
    assert attacked_loss(script, attack) > 1.5 * float(train(plain, 1)[0])
    assert hardened < 0.8 * attacked_loss(script, attack)
