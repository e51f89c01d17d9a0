"""Autoencoders: whether the targets are the inputs themselves, and how far apart the examples of such targets lie."""

from __future__ import annotations

import math

import numpy as np

from trainhealth.rules.sampled import latest, usual
from trainhealth.series import RunView

# the loss of each is measured on outputs of the targets' own scale: not on scores, which a sigmoid has yet to squash
_OF_VALUES = ("mse", "l1", "smooth_l1", "huber", "binary_cross_entropy")
_EQUAL = 0.01  # of the deviation: of a very large tensor both are taken from a part


def reconstructs(run: RunView) -> bool:
    """Tell whether the targets are the inputs: as many numbers an example (two at least), and the same in each sample.

    An input that is masked or noisy beyond a hundredth of its deviation is another one.
    """
    sizes = {_numbers_an_example(run.facts.get(f"{name}_shape")) for name in ("input", "target", "output")}
    if run.facts.get("loss_function") not in _OF_VALUES or len(sizes) > 1 or not min(sizes) > 1:
        return False
    columns = ("input_mean", "target_mean", "input_std", "target_std")
    samples = {name: run.series(name).finite() for name in columns}
    common = set.intersection(*(set(one.steps.tolist()) for one in samples.values()))
    steps = np.array(sorted(common), np.int64)
    values = [one.values[np.searchsorted(one.steps, steps)] for one in samples.values()]
    if not len(steps):
        return False
    given, wanted, spread, spread_wanted = values
    apart = np.maximum(np.abs(given - wanted), np.abs(spread - spread_wanted))
    return bool((apart <= _EQUAL * spread_wanted).all())


def spread_of_targets(run: RunView) -> float:
    """Return the targets' standard deviation over examples, root mean square over units, as outputs alike tell it.

    Of the targets' variance, the part that lies between the means of the units does not count. Outputs that are the
    same for all examples are those means, once they are learnt; before, they differ less, and the result is too large.
    """
    between = max(latest(run, "output_std") ** 2 - latest(run, "output_example_std") ** 2, 0.0)
    return math.sqrt(max(usual(run, "target_std") ** 2 - between, 0.0))


def _numbers_an_example(shape: object) -> int:
    """Return how many numbers an example of a tensor of this shape has; 0 where that is not known."""
    known = isinstance(shape, list) and len(shape) > 1 and all(isinstance(size, int) for size in shape)
    return math.prod(shape[1:]) if known else 0  # type: ignore[index]  # checked in the line above
