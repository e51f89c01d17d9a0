"""Sequences: which axis counts time, and whether the target is the input's next element."""

from __future__ import annotations

from torch import Tensor

SHIFTED = 0.95  # share of positions at which the target is the next input: the rest may be padding or unknown words


def time_axis(inputs: Tensor, target: Tensor) -> int | None:
    """Return the axis (0 or 1) along which the target is the input shifted by one; None where it is along none.

    `inputs` are tokens [N, T] or [T, N]; `target` has that shape, or is flattened.
    """
    if inputs.dim() != 2 or inputs.is_floating_point() or target.is_floating_point():
        return None
    if target.numel() != inputs.numel():
        return None
    wanted = target.reshape(inputs.shape)
    for axis in (1, 0):
        length = inputs.shape[axis]
        if length < 3:
            continue
        following, told = inputs.narrow(axis, 1, length - 1), wanted.narrow(axis, 0, length - 1)
        known = told >= 0  # negative classes are to be ignored
        if bool(known.any()) and float((following == told)[known].float().mean()) >= SHIFTED:
            return axis
    return None
