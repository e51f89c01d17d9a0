"""OP12 noisy-gradients: the batch is far too small, so that updates follow noise and the loss gets nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import poor_loss
from trainhealth.rules.objective import moving_target
from trainhealth.rules.update_ratio import BEARABLE, GOOD, model_update_ratio
from trainhealth.series import RunView


class NoisyGradients(Rule):
    """Gradients are mostly noise: the batch is too small for the rate, and the loss gets nowhere.

    What it detects
        gradient_noise_scale (samples): the trace of the gradients' covariance a sample over the squared true gradient.
        A batch of that many samples has as much signal as noise.

    Why it matters
        With far smaller batches the steps are a random walk of the length that the rate gives them. Where it carries
        the weights as far as the gradient does, the loss stops falling.

    How it decides
        The batch is at most `share` of the median noise scale (of at least `least_samples` samples; infinite ones
        count), the median update ratio is at least 1e-3, so that the steps are not too short to get anywhere, and
        train_loss is poor: above `poor` of the untrained loss, falling no more.

    What to try
        Batches of the size of the noise scale, or accumulation; or a lower rate, which averages over more steps.

    When it is wrong
        Late in training, and at the optimum, gradients are mostly noise in every healthy run: silent where the loss is
        not poor. Labels that can't be learnt have no true gradient, and no batch is large enough: a hint only. The
        scale from successive steps also holds the change of the weights between them.
    """

    code = "OP12"
    name = "noisy-gradients"
    topic = "optimization"
    severity = Severity.WARNING
    confidence = Confidence.HINT
    since = "0.1"
    requires = ("gradient_noise_scale", "train_loss", "batch_size")
    uses = ("update_ratio", "learning_rate")
    references = (
        Reference(
            "UO Understanding Optimization: mini-batch gradient descent",
            "The standard error of the gradient falls with the root of the batch size.",
        ),
        Reference(
            "McCandlish et al. 2018, An Empirical Model of Large-Batch Training, equations 2.8 and A.2",
            "Below the noise scale, twice the batch is as good as twice the steps; above it hardly helps.",
            "https://arxiv.org/abs/1812.06162",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        share: float = option(0.05, "share of the noise scale", "house choice: signal to noise below 1 to 20")
        poor: float = option(0.6, "share of the untrained loss", "house choice: as for the other rules")
        least_samples: int = option(8, "samples", "house choice")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a hint if the batch is far below the noise scale and the loss is poor."""
        scales = run.series("gradient_noise_scale")
        known = scales.values[~np.isnan(scales.values)]
        size = float(run.series("batch_size").at(run.last_step))
        ratios = model_update_ratio(run).finite().values
        if len(known) < options.least_samples or moving_target(run) or not size > 0:
            return []
        scale = float(np.quantile(known, 0.5, method="lower"))
        if not size <= options.share * scale or (len(ratios) and float(np.median(ratios)) < GOOD):
            return []
        lost = poor_loss(run, options.poor)
        if lost is None or lost.kind not in ("stuck", "stalled"):
            return []
        scale_said = f"{number(float(f'{scale:.2g}'))} samples" if scale < np.inf else "beyond what can be measured"
        return [
            self.finding(
                f"The batch has {number(size)} samples, and the gradients' noise scale is {scale_said}: the updates "
                f"are mostly noise; {lost.fact}.",
                [
                    Evidence(
                        "gradient_noise_scale",
                        None,
                        int(scales.steps[0]),
                        scales.last_step,
                        scale,
                        f"below {number(size / options.share)}",
                    )
                ],
                _recommend(size, run.learning_rate.at(run.last_step), ratios.max(initial=0.0)),
            )
        ]


def _recommend(size: float, rate: float, largest_ratio: float) -> Iterable[Recommendation]:
    verify = "train_loss falls below where it stands now, and gradient_noise_scale is below 20 batches."
    yield Recommendation(
        f"Raise the batch size from {number(size)} to {number(8 * size)}.",
        "The noise of the mean gradient falls with the root of the batch size.",
        verify,
        "A step costs more; if train_loss then falls too slowly, raise the rate with the root of the batch size.",
        "batch-size",
        Change("batch_size", size, 8 * size),
    )
    yield Recommendation(
        f"Or accumulate the gradients of 8 batches of {number(size)} for one update.",
        "That is a batch eight times as large, in the memory of one.",
        verify,
        recipe="gradient-accumulation",
    )
    if rate > 0 and largest_ratio > BEARABLE:
        yield Recommendation(
            f"Or lower the learning rate from {number(rate)} to {number(rate / 10)}.",
            "Ten times as many steps then average the noise out over the same way.",
            verify,
            recipe="lower-learning-rate",
            change=Change("learning_rate", rate, rate / 10),
        )
