"""The snippets of `recipes/blending.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import pytest
import torch

from tests.recipes.script import apply, convolutional, digits_script, paste, train, validation_loss


def test_cutout() -> None:
    """A square of each image is blank, at another place each time; the rest is as it was."""
    script = apply("cutout", digits_script(convolutional(), images=True))
    images = torch.ones(64, 1, 8, 8)
    first, second = script["cut_out"](images), script["cut_out"](images)
    blank = (first == 0).flatten(1).sum(dim=1)
    assert blank.max() == 9
    assert blank.min() >= 4  # in a corner
    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert not torch.equal(first, second)


def assert_better_on_few_examples(recipe: str) -> None:
    """After many steps on forty examples the validation loss is lower than without blending."""
    plain, script = digits_script(rate=0.5), digits_script(rate=0.5)
    script["model"].load_state_dict(plain["model"].state_dict())
    for each in (plain, script):
        each["inputs"], each["targets"] = each["inputs"][:40], each["targets"][:40]
    train(plain, 500)
    for _ in range(100):  # five steps each
        paste(recipe, script)
    assert validation_loss(script) < validation_loss(plain)


def test_mixup() -> None:
    """Few examples are overfitted less, and the blend is one of inputs and of losses."""
    script = apply("mixup", digits_script())
    share, partner = script["share"], script["inputs"][script["partner"]]
    assert torch.allclose(script["blended"], share * script["inputs"] + (1 - share) * partner)
    assert_better_on_few_examples("mixup")


def test_manifold_mixup() -> None:
    """Few examples are overfitted less."""
    apply("manifold-mixup", digits_script())
    assert_better_on_few_examples("manifold-mixup")


def test_cutmix() -> None:
    """Pixels come from the partner inside of the rectangle only, and the share is that of the area outside."""
    script = apply("cutmix", digits_script(convolutional(), images=True))
    inside = torch.zeros(8, 8, dtype=torch.bool)
    inside[script["rows"], script["columns"]] = True
    partner = script["inputs"][script["partner"]]
    assert torch.equal(script["mixed"], torch.where(inside, partner, script["inputs"]))
    assert script["share"] == pytest.approx(1 - inside.float().mean().item())
    heights = [script["rectangle"](100, 100) for _ in range(500)]
    areas = [(rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in heights]
    assert 0.15 < sum(areas) / 500 / 10_000 < 0.45  # a half on average, less what the border cuts off
