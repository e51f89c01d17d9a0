"""What goes in: the input's features over all sampled batches, each statistic computed a second, naive way."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import trainhealth
from trainhealth.hooks.probes.features import AT_FIRST, FEATURES, THEN_EVERY, feature_axis
from trainhealth.series import RunView


def trained_on(
    batches: Sequence[Any], model: nn.Module, folder: Path, call: Callable[..., Any] | None = None
) -> RunView:
    """Watch a training on `batches`, every step sampled, and return the run."""
    with trainhealth.watch(model, run_dir=folder / "run", overhead=1.0) as watch:
        for batch in batches:
            output = call(model, batch) if call else model(batch)
            loss = output.float().square().mean()
            loss.backward()
            watch.step(loss)
    view = trainhealth.load(folder / "run").view
    assert not [event for event in view.events if event.event.endswith("-disabled")]
    return view


def last(view: RunView, signal: str) -> float:
    series = view.series(signal)
    assert len(series), f"{signal} was not measured"
    return float(series.values[-1])


def naive(rows: np.ndarray) -> dict[str, float]:
    """Return the four statistics of all rows [rows, features] at once, in float64."""
    rows = rows.astype(np.float64)
    moving = rows[:, rows.min(0) != rows.max(0)]
    stds, means = moving.std(0), moving.mean(0)
    return {
        "input_features": rows.shape[1],
        "constant_features": rows.shape[1] - moving.shape[1],
        "feature_std_ratio": stds.max() / np.quantile(stds, 0.25, method="lower"),
        "feature_mean_ratio": np.sort(np.abs(means) / stds)[(len(stds) - 1) // 2],  # torch's median is the lower one
    }


def statistics(view: RunView) -> dict[str, float]:
    return {name: last(view, name) for name in naive(np.eye(3))}


def test_features_of_a_table_over_several_batches(tmp_path: Path) -> None:
    """Moments are those of all batches together, and a feature is constant only if it is so in all of them."""
    torch.manual_seed(0)
    scale, shift = torch.tensor([1.0, 100.0, 0.01, 1.0, 1.0]), torch.tensor([0.0, 5000.0, 0.0, 7.0, 0.0])
    batches = [torch.randn(size, 5) * scale + shift for size in (8, 3, 1, 20)]
    for number, batch in enumerate(batches):
        batch[:, 3] = 7.0
        batch[:, 4] = float(number)  # constant in each batch, not over batches
    view = trained_on(batches, nn.Linear(5, 2), tmp_path)
    assert statistics(view) == pytest.approx(naive(torch.cat(batches).numpy()), rel=1e-3)
    assert last(view, "constant_features") == 1
    assert view.series("constant_features").values[0] == 2  # the first batch could not know better


def test_digits_survive_a_large_offset(tmp_path: Path) -> None:
    """A feature far from zero (a year, an identifier) keeps its spread: sums of squares would lose it."""
    torch.manual_seed(0)
    batches = [torch.stack([torch.randn(16), 1e5 + torch.randn(16)], 1) for _ in range(4)]
    view = trained_on(batches, nn.Linear(2, 2), tmp_path)
    assert last(view, "feature_std_ratio") == pytest.approx(
        naive(torch.cat(batches).numpy())["feature_std_ratio"], 0.02
    )


def test_channels_of_images(tmp_path: Path) -> None:
    """The features of an image are its channels, first or last."""
    torch.manual_seed(0)
    images = [torch.randn(4, 3, 5, 6) * torch.tensor([1.0, 2.0, 8.0]).view(3, 1, 1) + 1 for _ in range(3)]
    expected = naive(torch.cat(images).movedim(1, -1).reshape(-1, 3).numpy())
    assert statistics(trained_on(images, nn.Conv2d(3, 2, 3), tmp_path / "first")) == pytest.approx(expected, rel=1e-3)

    class ChannelsLast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x.movedim(-1, 1))

    view = trained_on([image.movedim(1, -1) for image in images], ChannelsLast(), tmp_path / "last")
    assert statistics(view) == pytest.approx(expected, rel=1e-3)


def test_features_of_sequences_follow_the_first_layer(tmp_path: Path) -> None:
    """Sequences [N, T, F] have F features for an LSTM, and [N, C, T] has C for a convolution."""
    torch.manual_seed(0)
    batches = [torch.randn(4, 7, 3) * torch.tensor([1.0, 3.0, 9.0]) for _ in range(3)]
    expected = naive(torch.cat(batches).reshape(-1, 3).numpy())
    lstm = trained_on(batches, nn.LSTM(3, 5, batch_first=True), tmp_path / "a", lambda m, x: m(x)[0])
    assert statistics(lstm) == pytest.approx(expected, rel=1e-3)
    convolution = trained_on([batch.transpose(1, 2) for batch in batches], nn.Conv1d(3, 5, 2), tmp_path / "b")
    assert statistics(convolution) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("shape", "width", "axis"),
    [
        ((8, 5), 5, 1),
        ((8,), 1, None),
        ((8, 3, 9, 9), 3, 1),
        ((8, 9, 9, 3), 3, 3),
        ((8, 1, 28, 28), 784, 1),  # the model flattens: by definition its channel
        ((8, 28, 28), 784, None),  # nothing says what is a feature of these
        ((8, 4, 6), 6, 2),
        ((8, 4, 6), None, None),
    ],
)
def test_what_a_feature_is(shape: tuple[int, ...], width: int | None, axis: int | None) -> None:
    """The last axis of tables, the axis that the first layer is as wide as, else the channels of images."""
    assert feature_axis(torch.empty(shape), width) == axis


def test_a_batch_with_nan_is_left_out_of_what_is_kept(tmp_path: Path) -> None:
    """One broken batch does not spoil the statistics of all later ones."""
    torch.manual_seed(0)
    batches = [torch.randn(8, 3) + 1 for _ in range(4)]
    broken = [*batches[:2], batches[0].clone().fill_(math.nan), batches[0].clone().fill_(math.inf), *batches[2:]]
    view = trained_on(broken, nn.Linear(3, 2), tmp_path)
    assert statistics(view) == pytest.approx(naive(torch.cat(batches).numpy()), rel=1e-3)
    assert view.series("input_nonfinite").values.tolist() == [0, 0, 24, 24, 0, 0]


def test_later_samples_are_thinned(tmp_path: Path) -> None:
    """After the first samples only one of several is looked at: features change slowly."""
    view = trained_on([torch.randn(4, 3)] * (AT_FIRST + 2 * THEN_EVERY), nn.Linear(3, 2), tmp_path)
    later = [AT_FIRST + THEN_EVERY - 1, AT_FIRST + 2 * THEN_EVERY - 1]
    assert view.series("input_features").steps.tolist() == [*range(AT_FIRST), *later]


def test_constant_inputs_have_no_spread_to_compare(tmp_path: Path) -> None:
    """Where no feature varies, ratios are not numbers, and all features are constant."""
    view = trained_on([torch.ones(4, 3)] * 2, nn.Linear(3, 2), tmp_path)
    assert last(view, "constant_features") == 3
    assert not len(view.series("feature_std_ratio").finite())
    assert not len(view.series("feature_mean_ratio").finite())


def test_very_wide_and_very_large_inputs_are_bounded(tmp_path: Path) -> None:
    """Of more features than are followed every k-th is; their number stays the true one."""
    torch.manual_seed(0)
    wide = torch.randn(64, 5 * FEATURES)
    wide[:, ::2] = 1.0
    view = trained_on([wide], nn.Linear(5 * FEATURES, 1), tmp_path / "wide")
    assert last(view, "input_features") == 5 * FEATURES
    assert last(view, "constant_features") == pytest.approx(2.5 * FEATURES, rel=0.01)
    large = torch.randn(40, 3, 128, 128) * torch.tensor([1.0, 2.0, 8.0]).view(3, 1, 1)
    view = trained_on([large], nn.Conv2d(3, 1, 64, stride=64), tmp_path / "large")
    assert last(view, "feature_std_ratio") == pytest.approx(8.0, rel=0.02)


@pytest.mark.parametrize("kind", ["keyword", "nested", "half"])
def test_inputs_however_they_are_passed(tmp_path: Path, kind: str) -> None:
    """The first floating-point tensor among arguments, keyword arguments and nested inputs is the input."""

    class Any_(nn.Module):  # noqa: N801  # the name is taken
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 2)

        def forward(self, ids: Tensor, batch: Any = None) -> Tensor:
            x = batch["x"][0] if isinstance(batch, dict) else batch
            return self.fc(x.float()) + ids.sum()

    torch.manual_seed(0)
    x = torch.randn(6, 3) * torch.tensor([1.0, 2.0, 3.0])
    x = x.to(torch.bfloat16) if kind == "half" else x
    ids = torch.zeros(6, dtype=torch.long)
    calls: dict[str, Callable[..., Any]] = {
        "keyword": lambda m, b: m(ids, batch=b),
        "nested": lambda m, b: m(ids, {"x": (b, ids)}),
        "half": lambda m, b: m(ids, b),
    }
    view = trained_on([x], Any_(), tmp_path, calls[kind])
    assert statistics(view) == pytest.approx(naive(x.float().numpy()), rel=1e-3)


def test_token_indices_are_no_features(tmp_path: Path) -> None:
    """An embedding's integer input has no statistics, and that is no error."""
    model = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 2))
    view = trained_on([torch.randint(0, 9, (4, 5))], model, tmp_path)
    assert not len(view.series("input_features"))


def test_of_several_models_the_first_has_the_input(tmp_path: Path) -> None:
    """In a GAN the input and the output of a step are the first model's, whichever runs first."""
    torch.manual_seed(0)
    generator, discriminator = nn.Linear(3, 4), nn.Linear(4, 1)
    with trainhealth.watch({"g": generator, "d": discriminator}, run_dir=tmp_path / "run") as watch:
        noise = torch.randn(8, 3)
        loss = discriminator(torch.randn(8, 4) + 50).mean() + discriminator(generator(noise)).mean()
        loss.backward()
        watch.step(loss)
    view = trainhealth.load(tmp_path / "run").view
    assert last(view, "input_features") == 3
    assert last(view, "input_mean") == pytest.approx(float(noise.mean()), rel=1e-3)
    assert last(view, "output_std") == pytest.approx(float(generator(noise).detach().std(correction=0)), rel=1e-3)
