"""The targets as classes: which were seen, and how evenly, in the batch and in all sampled batches."""

from __future__ import annotations

import torch
from torch import Tensor

from trainhealth.hooks.probes.base import Probe, bounded
from trainhealth.hooks.sample import Sample
from trainhealth.hooks.targets import Classes


class ClassShares(Probe):
    """Counts targets a class. What is no class (an index that the loss ignores) does not count."""

    name = "class_shares"
    signals = ("batch_classes", "batch_majority_share", "classes_seen", "majority_share", "minority_share")

    def __init__(self) -> None:
        self.counts: Tensor | None = None  # of all sampled batches, [classes]

    def targets_known(self, targets: Tensor, classes: Classes | None, sample: Sample) -> None:
        """Put what the batch and all batches so far hold."""
        if classes is None:
            return
        counts = class_counts(classes)
        if self.counts is None or self.counts.shape != counts.shape or self.counts.device != counts.device:
            self.counts = torch.zeros_like(counts)
        self.counts += counts
        sample.batch("batch_classes", torch.count_nonzero(counts))
        sample.batch("batch_majority_share", counts.amax(), counts.sum(), finish=_share)
        total = self.counts.sum()
        rarest = self.counts.masked_fill(self.counts == 0, torch.inf).amin()
        sample.batch("classes_seen", torch.count_nonzero(self.counts))
        sample.batch("majority_share", self.counts.amax(), total, finish=_share)
        sample.batch("minority_share", rarest, total, finish=_share)


def class_counts(classes: Classes) -> Tensor:
    """Return how often each class occurs, float32 [classes], of every k-th target where they are many."""
    indices = bounded(classes.indices).to(torch.int64)
    other = (indices < 0) | (indices >= classes.count)  # one bin more, for what is no class
    bins = indices.masked_fill(other, classes.count)
    counts = torch.zeros(classes.count + 1, device=bins.device, dtype=torch.float32)
    return counts.index_add_(0, bins, torch.ones_like(bins, dtype=counts.dtype))[:-1]


def _share(count: float, total: float) -> float:
    """Return count / total; NaN where all targets were ignored."""
    return count / total if total > 0 else float("nan")
