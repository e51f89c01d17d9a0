"""The snippets of `recipes/splits.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import pytest
import torch

from tests.recipes.script import apply, digits_script, train


def test_check_the_split() -> None:
    """Nothing is found in a good split; shared examples, another scale and other classes are."""
    script = digits_script()  # the first and the last digits of this data set come from different writers
    order = torch.randperm(512)
    for both in (("inputs", "validation_inputs"), ("targets", "validation_targets")):
        mixed = torch.cat([script[name] for name in both])[order]
        script[both[0]], script[both[1]] = mixed[:256], mixed[256:]
    apply("check-the-split", script)
    assert not script["shared"]
    assert script["shift"].max() < 5
    script["validation_inputs"][:7] = script["inputs"][:7]
    assert len(apply("check-the-split", script)["shared"]) == 7
    script["validation_inputs"] *= 2
    assert apply("check-the-split", script)["shift"].max() > 10


def test_larger_validation_set() -> None:
    """The three splits hold each example once, in the shares asked for, and the standard error is that of the text."""
    script = digits_script()
    train(script, 50)
    apply("larger-validation-set", script)
    parts = (script["training"], script["validation"], script["test"])
    assert [len(part) for part in parts] == [308, 102, 102]
    assert len({index for part in parts for index in part.indices}) == 512
    p = script["right"].mean().item()
    assert script["standard_error"] == pytest.approx((p * (1 - p) / 102) ** 0.5, rel=0.02)
