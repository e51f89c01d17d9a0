"""The input's features one by one: which never change, and how their means and spreads compare."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainhealth.hooks.probes.base import Probe, in_float32
from trainhealth.hooks.sample import Sample

FEATURES = 4096  # that are followed: of more, every k-th
LARGEST = 1 << 17  # elements of a batch that are looked at
AT_FIRST, THEN_EVERY = 16, 8  # samples that are looked at: data do not change, so a few of the later ones are enough

_WIDTHS = ("in_channels", "in_features", "input_size", "num_features", "embed_dim")  # of a layer's input


@dataclass(eq=False)
class _Moments:
    """Of all batches so far, [features] each: count, mean and squared deviations are of distances from `origin`."""

    origin: Tensor  # an example: distances from it keep their digits, however far from 0 the feature lies
    count: Tensor  # 0-dimensional
    mean: Tensor
    squares: Tensor
    low: Tensor
    high: Tensor


class Features(Probe):
    """Merges the moments of the sampled batches, a feature (Chan, Golub and LeVeque 1979, equations 1.5).

    A feature is what the model's first layer counts as one: the last axis of [N, F], the channels of an image. A batch
    with an element that is not finite is left out, for it would spoil what all later ones say. After `AT_FIRST` samples
    one of `THEN_EVERY` is looked at.
    """

    name = "features"
    signals = ("input_features", "constant_features", "feature_std_ratio", "feature_mean_ratio")

    def __init__(self) -> None:
        self._width: int | None = None
        self._samples = 0
        self._moments: _Moments | None = None

    def forward_entered(self, model: nn.Module, sample: Sample) -> None:
        """Learn how wide the input of the model's first layer is."""
        self._width = next(
            (width for module in model.modules() for name in _WIDTHS if isinstance(width := _own(module, name), int)),
            None,
        )

    def batch_entered(self, inputs: Tensor, sample: Sample) -> None:
        """Merge the batch, and put what all batches so far say."""
        self._samples += 1
        if self._samples > AT_FIRST and self._samples % THEN_EVERY:
            return
        axis = feature_axis(inputs, self._width)
        if axis is None or inputs.shape[axis] == 0:
            return
        features = inputs.shape[axis]
        self._merge(_rows(inputs, axis))
        sample.batch("input_features", float(features))
        if self._moments is None:
            return
        moments, followed = self._moments, self._moments.mean.numel()
        constant = moments.low == moments.high
        stride = features / followed
        sample.batch("constant_features", constant.sum(), finish=lambda count: round(count * stride))
        deviations = (moments.squares / moments.count.clamp(min=1)).sqrt()
        if followed > 1:
            widest = deviations.masked_fill(constant, -math.inf).amax()
            # not the smallest: pixels at the border and rare words hardly vary, however well the rest is scaled
            spreads = deviations.masked_fill(constant, math.nan)
            narrowest = spreads.nanquantile(0.25, interpolation="lower")
            sample.batch("feature_std_ratio", widest, narrowest, finish=_ratio)
        distances = (moments.origin + moments.mean).abs() / deviations
        sample.batch("feature_mean_ratio", distances.masked_fill(constant, math.nan).nanmedian())

    def _merge(self, rows: Tensor) -> None:
        """Add a batch [rows, features]."""
        known = self._moments
        if known is None or known.mean.shape != rows.shape[1:] or known.mean.device != rows.device:
            zeros, count = torch.zeros_like(rows[0]), torch.zeros((), device=rows.device, dtype=torch.float32)
            infinity = torch.full_like(zeros, math.inf)
            origin = torch.nan_to_num(rows[0], nan=0.0, posinf=0.0, neginf=0.0)
            known = _Moments(origin, count, zeros, zeros, infinity, -infinity)
        distances = rows - known.origin
        mean = distances.mean(0)
        squares = torch.linalg.vector_norm(distances - mean, dim=0).square()
        low, high = torch.aminmax(distances, dim=0)
        count = known.count + rows.shape[0]
        shift = mean - known.mean
        merged = (
            count,
            known.mean + shift * (rows.shape[0] / count),
            known.squares + squares + shift.square() * (known.count * rows.shape[0] / count),
            torch.minimum(known.low, low),
            torch.maximum(known.high, high),
        )
        finite = torch.isfinite(squares).all()
        before = (known.count, known.mean, known.squares, known.low, known.high)
        kept = [torch.where(finite, new, old) for new, old in zip(merged, before, strict=True)]
        self._moments = _Moments(known.origin, *kept)


def feature_axis(inputs: Tensor, width: int | None) -> int | None:
    """Return the axis that counts features; `width` is that of the model's first layer.

    The last axis of [N, F]; else the axis after the first that is as wide as the first layer's input (channels first or
    last, sequences); else the channels of images. A model that flattens its input in another way has no such axis.
    """
    last = inputs.dim() - 1
    if last <= 1:
        return 1 if last == 1 else None
    wide = [axis for axis in (1, last) if inputs.shape[axis] == width]
    return wide[0] if wide else (1 if last >= 3 else None)


def _rows(inputs: Tensor, axis: int) -> Tensor:
    """Return the inputs as [rows, features]; of large ones every k-th example (and position, and feature)."""
    for other in range(inputs.dim()):
        if other == axis:
            stride = -(-inputs.shape[axis] // FEATURES)
        else:
            stride = min(-(-inputs.numel() // LARGEST), inputs.shape[other])
        if stride > 1:
            every = torch.arange(0, inputs.shape[other], stride, device=inputs.device)
            inputs = inputs.index_select(other, every)
    return in_float32(inputs.movedim(axis, -1).reshape(-1, inputs.shape[axis]))


def _own(module: nn.Module, name: str) -> object:
    """Return an attribute of the module, only where it is one: `__getattr__` of a module may do anything."""
    return module.__dict__.get(name)


def _ratio(widest: float, narrowest: float) -> float:
    """Return the ratio of spreads; NaN where no feature has any."""
    return widest / narrowest if narrowest > 0 and math.isfinite(narrowest) else math.nan
