"""The snippets of `recipes/blending.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import copy

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


def assert_better_with_wrong_labels(recipe: str) -> None:
    """Where a third of the labels is wrong, they are learnt by heart less: the validation loss is far lower."""
    plain = digits_script()
    script = digits_script(copy.deepcopy(plain["model"]))
    wrong = torch.rand(256) < 0.3
    for each in (plain, script):
        each["targets"] = torch.where(wrong, (each["targets"] + 1) % 10, each["targets"])
        each["optimizer"] = torch.optim.Adam(each["model"].parameters(), lr=1e-2)
    train(plain, 300)
    for _ in range(60):  # five steps each
        paste(recipe, script)
    assert validation_loss(script) < 0.9 * validation_loss(plain)


def test_mixup() -> None:
    """Wrong labels are learnt by heart less, and the blend is one of inputs and of losses."""
    script = apply("mixup", digits_script())
    share, partner = script["share"], script["inputs"][script["partner"]]
    assert torch.allclose(script["blended"], share * script["inputs"] + (1 - share) * partner)
    assert_better_with_wrong_labels("mixup")


def test_manifold_mixup() -> None:
    """Wrong labels are learnt by heart less."""
    apply("manifold-mixup", digits_script())
    assert_better_with_wrong_labels("manifold-mixup")


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
