"""MO03 batchnorm-mismatch: batch norm's running statistics are not those of the batches."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.objective import moving_target
from trainhealth.rules.sampled import latest, usual_batch_size
from trainhealth.series import RunView

_LATEST = 3  # samples whose median counts
_LEAST = 2  # samples that can tell


class BatchnormMismatch(Rule):
    """Batch norm normalises with other statistics in training than in evaluation.

    What it detects
        batchnorm_mean_gap: the distance of a batch's mean from the running mean, in running standard deviations (root
        mean square over the channels of a layer), in training forwards. batchnorm_variance_ratio: the batch's variance
        over the running one (median over channels).

    Why it matters
        Training uses the batch's statistics, evaluation the running ones. Where they differ by a deviation, every unit
        is shifted by as much in evaluation, and the validation score is that of another model.

    How it decides
        gap and ratio = the medians over the last three samples (at least two) from step `settled` on, of the worst
        layer. With n values a channel the batch's mean scatters by 1/sqrt(n), which is all the gap there is in health.
        A gap of at least `far`, and of twice 1/sqrt(batch size), or variances apart by a factor of `apart`: the running
        statistics do not follow. With batches of at most `small` examples the gap itself scatters: it is the median
        over all samples from then on, and where it is at least `noisy` the batches are too small.

    What to try
        Larger batches, group or layer norm; the default momentum of 0.1; shuffled batches; model.eval() only in
        evaluation.

    When it is wrong
        The running statistics begin at 0 and 1, and need some 50 steps: the first ones do not count. Weights that
        change fast leave them behind: it passes as the rate falls. Discriminators see batches of real and of generated
        examples: silent where the log names adversaries. Small batches of large images have many values a channel, and
        a small gap: silent. So is batch norm that is frozen in evaluation mode.
    """

    code = "MO03"
    name = "batchnorm-mismatch"
    topic = "mode"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("batchnorm_mean_gap",)
    uses = ("batchnorm_variance_ratio", "batch_size", "training_mode")
    references = (
        Reference(
            "L16 Practical Aspects; Reg Regularization: batch normalisation",
            "Estimates depend on the mini-batch; running averages are used at test time.",
        ),
        Reference(
            "Wu and He 2018: Group Normalization",
            "Batch norm's error rises rapidly when the batch becomes smaller, as its statistics are inaccurate.",
            "https://arxiv.org/abs/1803.08494",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        far: float = option(1.0, "running standard deviations", "house choice: inputs are off by their own spread")
        noisy: float = option(0.4, "running standard deviations", "the scatter of the mean of 6 values")
        small: float = option(8.0, "examples a batch", "Wu and He 2018: errors rise below 8")
        apart: float = option(3.0, "1", "house choice: outputs are off by a factor of 1.7")
        settled: float = option(50.0, "steps", "at a momentum of 0.1 the start counts 0.9^50, half a per cent")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if running and batch statistics disagree."""
        if (reason := moving_target(run)) is not None:
            return NotChecked(reason)
        if latest(run, "training_mode") == 0:
            return []  # they use the running statistics in training as well
        columns = run.columns("batchnorm_mean_gap")
        late = columns.steps >= options.settled
        if late.sum() < _LEAST:
            return NotChecked(f"fewer than {_LEAST} samples from step {number(options.settled)} on")
        size = usual_batch_size(run)
        few = size <= options.small
        count = len(columns.steps) if few else _LATEST
        recent = columns.values[late][-count:].astype(np.float64)
        known = np.flatnonzero(np.isfinite(recent).all(axis=0))
        if not len(known):
            return []
        gaps = np.median(recent[:, known], axis=0)
        worst = int(np.argmax(gaps))
        gap, place = float(gaps[worst]), columns.places[known[worst]]
        seen = Evidence(
            "batchnorm_mean_gap",
            place,
            int(columns.steps[late][-count:][0]),
            int(columns.steps[-1]),
            gap,
            "below 0.4",
        )
        if few:
            return [self._small(seen, size)] if gap >= options.noisy else []
        scatter = 1 / math.sqrt(size) if size > 0 else 0.0
        if gap >= max(options.far, 2 * scatter):
            fact = f"are {number(gap)} standard deviations away from the running mean"
            return [self._lagging(f"The batches' means at {place} {fact} that evaluation uses.", seen)]
        return self._check_variance(run, options.settled, options.apart)

    def _check_variance(self, run: RunView, settled: float, apart: float) -> list[Finding]:
        columns = run.columns("batchnorm_variance_ratio")
        recent = columns.values[columns.steps >= settled][-_LATEST:].astype(np.float64)
        known = np.flatnonzero((np.isfinite(recent) & (recent > 0)).all(axis=0))
        if not len(recent) or not len(known):
            return []
        ratios = np.exp(np.median(np.log(recent[:, known]), axis=0))
        worst = int(np.argmax(np.abs(np.log(ratios))))
        ratio, place = float(ratios[worst]), columns.places[known[worst]]
        if 1 / apart < ratio < apart:
            return []
        steps = columns.steps[columns.steps >= settled][-_LATEST:]
        seen = Evidence("batchnorm_variance_ratio", place, int(steps[0]), int(steps[-1]), ratio, "about 1")
        fact = f"is {number(ratio)} times the running variance"
        return [self._lagging(f"The batches' variance at {place} {fact} that evaluation uses.", seen)]

    def _lagging(self, message: str, seen: Evidence) -> Finding:
        return self.finding(
            message,
            [seen],
            [
                Recommendation(
                    "Leave the momentum of batch norm at 0.1: it is the weight of the new batch, not of the old mean.",
                    "At 0.001 the running mean needs thousands of steps to follow the weights.",
                    "batchnorm_mean_gap is below 0.4 from step 50 on, and validation_loss comes near train_loss.",
                    recipe="batch-normalization",
                ),
                Recommendation(
                    "Shuffle the training data, if its batches differ from each other.",
                    "The running mean is that of the last ten batches or so.",
                    "batchnorm_mean_gap is below 0.4.",
                    recipe="shuffle-data",
                ),
                Recommendation(
                    "Or use group or layer normalisation.",
                    "They compute the same in training and in evaluation.",
                    "There is no running mean any more, and validation_loss comes near train_loss.",
                    recipe="group-normalization",
                ),
            ],
        )

    def _small(self, seen: Evidence, size: float) -> Finding:
        return self.finding(
            f"Batches of {number(size)} are small for batch norm: their means at {seen.place} scatter by"
            f" {number(seen.observed)} standard deviations around the running mean.",
            [seen],
            [
                Recommendation(
                    "Use group normalisation (or layer normalisation) instead of batch normalisation.",
                    "It takes its statistics from one example, so that the size of the batch does not matter.",
                    "Training and validation losses come near each other.",
                    recipe="group-normalization",
                ),
                Recommendation(
                    f"Or make batches larger: from {number(size)} to 16 or more.",
                    "The mean of n values scatters by 1/sqrt(n).",
                    "batchnorm_mean_gap is below 0.3.",
                    "The learning rate may grow with the batch.",
                    "batch-size",
                    Change("batch_size", size, 16),
                ),
            ],
        )
