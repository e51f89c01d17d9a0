"""OP12 noisy-gradients: the batch is far too small, so that updates follow noise and the loss gets nowhere."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import poor_loss, recent_level
from trainhealth.rules.chance import Chance, chance_level
from trainhealth.rules.objective import moving_target
from trainhealth.rules.sampled import usual_batch_size
from trainhealth.series import RunView


class NoisyGradients(Rule):
    """Gradients are mostly noise: the batch is too small for the rate, and the loss gets nowhere.

    What it detects
        gradient_noise_scale (samples): the trace of the gradients' covariance a sample over the squared true gradient;
        a batch of that many samples has as much signal as noise. And what the noise costs: about a quarter of norm of
        update x norm of gradient, summed over the parameters (loss unit), which is how far steps along pure noise hold
        a quadratic loss above its minimum.

    Why it matters
        Steps along noise are a random walk of the length that the rate gives them. Where it carries the weights as far
        up as the gradient carries them down, the loss stops falling.

    How it decides
        Over the second half of the samples (at least `least_samples` in all) the batch is at most `share` of the median
        noise scale (infinite where no true gradient shows), and the median cost of the noise is at least `cost` of
        train_loss (median of its last tenth); and train_loss is poor: above `poor` of the untrained loss, falling no
        more.

    What to try
        Larger batches, or accumulation; or a lower rate, which averages over more steps.

    When it is wrong
        Late in training, and at the optimum, gradients are mostly noise in every healthy run: silent where the loss is
        not poor, and where the steps are so short that the noise costs little, as it is with labels that can't be
        learnt. Silent, too, where the noise scale is infinite and the loss that of guessing (`nothing` of it or more):
        inputs and labels may have nothing in common. The cost is an upper bound where updates have another direction
        than gradients (adaptive optimizers). The scale from successive steps also holds the change of the weights
        between them: a hint only.
    """

    code = "OP12"
    name = "noisy-gradients"
    topic = "optimization"
    severity = Severity.WARNING
    confidence = Confidence.HINT
    since = "0.1"
    requires = ("gradient_noise_scale", "train_loss", "batch_size")
    uses = ("update_ratio", "parameter_norm", "parameter_gradient_norm", "learning_rate")
    references = (
        Reference(
            "UO, Underfitting, Overfitting, Regularization, Optimization: mini-batch gradient descent",
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
        cost: float = option(0.05, "share of train_loss", "house choice: below it there is little to win")
        poor: float = option(0.6, "share of the untrained loss", "house choice: as for the other rules")
        nothing: float = option(0.97, "share of the loss of guessing", "house choice: the scatter of batches")
        least_samples: int = option(8, "samples", "house choice")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a hint if the batch is far below the noise scale and the loss is poor."""
        scales = run.series("gradient_noise_scale")
        size, losses = usual_batch_size(run), run.series("train_loss").finite().values
        late = scales.values[len(scales) // 2 :]
        late = late[~np.isnan(late)]
        if len(scales) < options.least_samples or not len(late) or moving_target(run) or not len(losses):
            return []
        scale, cost = float(np.quantile(late, 0.5, method="lower")), _cost_of_noise(run)
        level = recent_level(losses)
        if not 0 < size <= options.share * scale or not cost >= options.cost * level > 0:
            return []
        if scale == np.inf and _guesses(run, level, options):
            return []
        lost = poor_loss(run, options.poor)
        if lost is None or lost.kind not in ("stuck", "stalled"):
            return []
        samples = f"{number(float(f'{scale:.2g}'))} samples" if scale < np.inf else "beyond measure"
        first, last, few = int(scales.steps[0]), scales.last_step, number(size / options.share)
        return [
            self.finding(
                f"The batch size is {number(size)}, and the gradients' noise scale is {samples}: noise alone holds "
                f"train_loss some {number(float(f'{cost:.1g}'))} higher; {lost.fact}.",
                [Evidence("gradient_noise_scale", None, first, last, scale, f"below {few}")],
                _recommend(size, run.learning_rate.at(run.last_step)),
            )
        ]


def _guesses(run: RunView, level: float, options: NoisyGradients.Options) -> bool:
    """Tell whether nothing is known by now: where no true gradient shows either, no batch may be large enough."""
    chance = chance_level(run)
    return isinstance(chance, Chance) and level >= options.nothing * chance.constant * chance.scale


def _cost_of_noise(run: RunView) -> float:
    """Return a quarter of |update| x |gradient| over all parameters, median of the second half; NaN if unknown.

    With gradients that are noise of covariance S, and rate r, the stationary excess of a quadratic loss is r tr(S) / 4
    to first order in r; r S is what an update and a gradient have in common.
    """
    names = ("update_ratio", "parameter_norm", "parameter_gradient_norm")
    ratio, norm, gradient = (run.columns(name) for name in names)
    if not len(ratio) or not ratio.values.shape == norm.values.shape == gradient.values.shape:
        return math.nan
    products = ratio.values.astype(np.float64) * norm.values * gradient.values
    return float(np.median(np.nansum(products[len(products) // 2 :], axis=1))) / 4


def _recommend(size: float, rate: float) -> Iterable[Recommendation]:
    verify = "train_loss falls below where it stands now, with swings that are smaller by as much."
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
    if rate > 0:
        yield Recommendation(
            f"Or lower the learning rate from {number(rate)} to {number(rate / 10)}.",
            "Ten times as many steps then average the noise out over the same way.",
            verify,
            recipe="lower-learning-rate",
            change=Change("learning_rate", rate, rate / 10),
        )
