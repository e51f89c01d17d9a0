"""Whether the gradient was clipped before the updates, and by how much."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trainhealth.series import FloatArray, IntArray, RunView, Series

_ACTED = 0.99  # share of the norm: what a clipped gradient keeps at most (rounding leaves 0.9999)


class Clipping(NamedTuple):
    """Gradient norms of the sampled steps as backward left them and as the optimizer got them, float64 [samples]."""

    steps: IntArray
    before: FloatArray
    after: FloatArray

    @property
    def kept(self) -> FloatArray:
        """Share of the norm that was kept, float64 [samples]: 1 where nothing was clipped."""
        return np.where(self.before > 0, self.after / np.where(self.before > 0, self.before, 1.0), 1.0)

    @property
    def acted(self) -> float:
        """Share of the sampled steps at which clipping made the gradient smaller."""
        return float(np.mean(self.kept < _ACTED)) if len(self.steps) else 0.0


def clipping(run: RunView) -> Clipping:
    """Return what is known of clipping: the sampled steps at which both norms are finite.

    A gradient that was zero when the optimizer began was not clipped but cleared, and does not count.
    """
    before, after = _of_optimized(run).finite(), run.series("clipped_gradient_norm").finite()
    steps, of_before, of_after = np.intersect1d(before.steps, after.steps, return_indices=True)
    cleared = after.values[of_after] <= 0
    kept = ~cleared
    return Clipping(steps[kept], before.values[of_before][kept], after.values[of_after][kept])


def _of_optimized(run: RunView) -> Series:
    """Return the gradient's norm over the parameters that an optimizer holds, which alone it is given."""
    columns = run.columns("parameter_gradient_norm")
    held = {entry.name for entry in run.parameters if entry.optimized}
    chosen = [i for i, place in enumerate(columns.places) if place in held]
    if not len(columns) or not chosen:
        return run.series("gradient_norm")
    values = columns.values[:, chosen].astype(np.float64)
    norms = np.sqrt(np.nansum(np.square(values), axis=1))
    return Series("gradient_norm", columns.steps, norms)
