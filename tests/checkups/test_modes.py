"""Training against evaluation mode, what the loss gets, and two runs from one seed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn

from tests.checkups.looking import codes, look, mlp, table


def normalized(momentum: float = 0.1) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(12, 16), nn.BatchNorm1d(16, momentum=momentum), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3)
    )


@pytest.mark.parametrize("make", [mlp, normalized])
def test_modes_that_agree_are_silent(make: Callable[[], nn.Module]) -> None:
    """Batch norm with settled statistics and dropout are as they should be."""
    assert codes(look(make(), table(), "modes", quick=False)) == []


def test_running_statistics_that_do_not_follow_are_found() -> None:
    """With a momentum of 0 they stay at their start, and evaluation normalises with them."""
    batches = [(inputs * 8 + 20, target) for inputs, target in table()]
    assert "CU11" in codes(look(normalized(momentum=0.0), batches, "modes", quick=False))


def test_a_branch_that_only_training_takes_is_found() -> None:
    """A module that computes something else in evaluation mode was never trained for it."""

    class Switches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(12, 3), nn.Linear(12, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.first(x) if self.training else self.second(x)

    model = Switches()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    assert "CU11" in codes(look(model, table(), "modes", optimizer=optimizer, quick=False))


def test_dropout_that_evaluation_does_not_switch_off_is_found() -> None:
    """F.dropout drops unless it is told not to."""

    class Drops(nn.Module):
        def __init__(self, *, right: bool) -> None:
            super().__init__()
            self.layer, self.right = nn.Linear(12, 3), right

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(F.dropout(x, 0.3, training=self.training if self.right else True))

    assert codes(look(Drops(right=False), table(), "modes")) == ["CU13"]
    assert codes(look(Drops(right=True), table(), "modes")) == []


def test_attention_that_drops_in_evaluation_mode_is_found() -> None:
    """scaled_dot_product_attention is not told of modes."""

    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = x.view(len(x), 4, 3)
            return self.head(F.scaled_dot_product_attention(x, x, x, dropout_p=0.3)).mean(1)

    assert codes(look(Attends(), table(), "modes")) == ["CU13"]


def test_sampling_on_purpose_is_silent() -> None:
    """A variational model draws in evaluation mode as well."""

    class Samples(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(12, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x + 0.3 * torch.randn_like(x))

    assert codes(look(Samples(), table(), "modes")) == []


def test_a_model_that_can_not_be_repeated_is_a_note() -> None:
    """Noise from a generator that no seed reaches."""
    own = torch.Generator().manual_seed(0)

    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(12, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x + (0.1 * torch.randn(x.shape, generator=own) if self.training else 0))

    report = look(Noisy(), table(), "modes")
    assert codes(report) == ["CU12"]
    assert report.findings[0].severity == "note"


@pytest.mark.parametrize(
    ("last", "code"), [(nn.Softmax(-1), "MO04"), (nn.Sigmoid(), "MO07"), (nn.ReLU(), "MO12"), (nn.Identity(), None)]
)
def test_what_the_loss_must_not_get_is_found_by_the_rules(last: nn.Module, code: str | None) -> None:
    """Cross entropy wants raw scores."""
    found = codes(look(nn.Sequential(*mlp(), last), table(), "modes", quick=False))
    assert (code in found) if code else (found == [])


def squared(outputs: Tensor, target: Tensor) -> Tensor:
    return F.mse_loss(outputs, target.flatten())


def written_out(outputs: Tensor, target: Tensor) -> Tensor:
    return (outputs - target).square().mean()


@pytest.mark.parametrize(("loss_fn", "keep_axis"), [(squared, False), (squared, True), (written_out, False)])
@pytest.mark.filterwarnings("ignore:Using a target size")
def test_a_broadcast_loss_is_found(loss_fn: Callable[[Tensor, Tensor], Tensor], keep_axis: bool) -> None:
    """Outputs [N, 1] against targets [N], also where the loss function itself has taken the axis away."""
    batches = [(inputs, inputs.sum(1, keepdim=keep_axis)) for inputs, _ in table()]
    assert "MO06" in codes(look(mlp(classes=1), batches, "modes", loss_fn=loss_fn, quick=False))


def test_a_loss_of_equal_shapes_is_silent() -> None:
    """[N, 1] against [N, 1]."""
    batches = [(inputs, inputs.sum(1, keepdim=True)) for inputs, _ in table()]
    assert codes(look(mlp(classes=1), batches, "modes", loss_fn=F.mse_loss, quick=False)) == []
