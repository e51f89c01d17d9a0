"""The check of the data: what only a comparison of examples shows, and what the rules say of the watched start."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.checkups.looking import codes, images, look, mlp, table

Batches = list[tuple[Tensor, Tensor]]


def convolution() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 4))


@pytest.mark.parametrize(("make", "batches"), [(mlp, table), (convolution, images)])
def test_good_data_are_silent(make: Callable[[], nn.Module], batches: Callable[[], Batches]) -> None:
    """Standardised inputs, several classes, splits apart."""
    drawn = batches()
    assert codes(look(make(), drawn[:-2], "data", validation=drawn[-2:])) == []


def test_the_shares_of_the_classes_are_drawn() -> None:
    """One figure of bars, the most frequent class first, shares that add up to 1."""
    figures = look(mlp(), table(), "data").figures
    (shares,) = figures[0].series.values()
    assert figures[0].kind == "bars"
    assert sum(shares) == pytest.approx(1)
    assert list(shares) == sorted(shares, reverse=True)


# --- features ---


def with_copy(change: Callable[[Tensor], Tensor]) -> Batches:
    """Feature 7 is made of feature 2."""
    found = []
    for inputs, target in table():
        inputs = inputs.clone()
        inputs[:, 7] = change(inputs[:, 2])
        found.append((inputs, target))
    return found


@pytest.mark.parametrize("change", [lambda x: x, lambda x: 0.3048 * x, lambda x: 5 - 2 * x])
def test_a_copied_feature_is_found_in_any_unit(change: Callable[[Tensor], Tensor]) -> None:
    """Scale, shift and sign do not hide a copy; both columns are named."""
    report = look(mlp(), with_copy(change), "data")
    assert codes(report) == ["CU03"]
    assert "2 = 7" in report.findings[0].message


@pytest.mark.parametrize(
    "change", [lambda x: x + 0.01 * torch.randn_like(x), lambda x: x.abs(), lambda x: torch.zeros_like(x)]
)
def test_related_and_constant_features_are_no_copies(change: Callable[[Tensor], Tensor]) -> None:
    """Correlation of 0.9999 is no equality; a constant column is another rule's."""
    assert "CU03" not in codes(look(mlp(), with_copy(change), "data"))


def test_flags_that_happen_to_agree_in_a_few_examples_are_no_copies() -> None:
    """Two rare flags that are both set once in 40 examples may differ in the next."""
    inputs = torch.randn(40, 12)
    inputs[:, 3:5] = 0.0
    inputs[7, 3:5] = 1.0
    assert "CU03" not in codes(look(mlp(), [(inputs, torch.arange(40) % 3)] * 2, "data"))


def test_features_of_another_scale_are_found_by_the_rule() -> None:
    """What a rule of the log decides is decided by that rule here, too."""
    batches = [(torch.cat([inputs[:, :1] * 1e4, inputs[:, 1:]], 1), target) for inputs, target in table()]
    assert "DA02" in codes(look(mlp(), batches, "data"))


# --- labels ---


def test_the_same_example_with_two_labels_is_found() -> None:
    """A batch that comes again with other labels contradicts itself."""
    batches = table()
    inputs, target = batches[0]
    report = look(mlp(), [*batches, (inputs.clone(), (target + 1) % 3)], "data")
    assert codes(report) == ["CU04"]
    assert "32 of 208 examples" in report.findings[0].message


def test_the_same_example_with_the_same_label_is_silent() -> None:
    """Oversampling repeats examples, and says the same of them."""
    batches = table()
    assert codes(look(mlp(), [*batches, batches[0], batches[1]], "data")) == []


def test_categories_that_repeat_by_nature_are_not_judged() -> None:
    """Rows of a few categories come with any label."""
    torch.manual_seed(0)
    rows = torch.eye(12)[torch.randint(0, 12, (12, 16))]
    batches = [(one, torch.randint(0, 3, (16,))) for one in rows]
    report = look(mlp(), batches, "data")
    assert "CU04" not in codes(report)
    assert "CU04" in {item.code for item in report.not_checked}


# --- splits ---


def test_validation_examples_that_were_trained_on_are_found() -> None:
    """A split that was made after shuffling copies shares examples."""
    batches = table()
    report = look(mlp(), batches[:-1], "data", validation=[batches[-1], batches[0]])
    assert codes(report) == ["CU05"]
    assert "16 of 32 validation examples" in report.findings[0].message


def test_data_that_repeat_by_nature_are_no_overlap() -> None:
    """Where every training example has a twin in training, one in validation tells nothing."""
    torch.manual_seed(0)
    kinds = torch.randn(30, 12)
    drawn = [(kinds[torch.randint(0, 30, (16,))], torch.randint(0, 3, (16,))) for _ in range(10)]
    assert "CU05" not in codes(look(mlp(), drawn[:8], "data", validation=drawn[8:]))


def test_without_a_validation_split_the_overlap_is_not_checked() -> None:
    """Silence would look like health."""
    reasons = {item.code: item.because for item in look(mlp(), table(), "data").not_checked}
    assert "validation=" in reasons["CU05"]


# --- ranges ---


def test_images_of_two_ranges_are_found() -> None:
    """A third of the images was not divided by 255."""
    batches = [
        (inputs.abs().clamp(max=1) * (255 if place % 3 == 0 else 1), t) for place, (inputs, t) in enumerate(images())
    ]
    assert "CU06" in codes(look(convolution(), batches, "data"))


def test_dark_and_bright_images_are_silent() -> None:
    """Brightness that differs tenfold, continuously, is no mixture of ranges."""
    torch.manual_seed(0)
    batches = [(inputs * 10 ** torch.rand(len(inputs), 1, 1, 1), target) for inputs, target in images()]
    assert "CU06" not in codes(look(convolution(), batches, "data"))
