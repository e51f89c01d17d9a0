"""DA08 unscaled-targets: regression targets far from unit scale, and a model that does not get there."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import SETTLING, ended_in_ruin, recent_level
from trainhealth.rules.chance import unknown_loss
from trainhealth.rules.data_scale import scale_targets
from trainhealth.rules.loss_input import SQUARED_AND_ABSOLUTE
from trainhealth.rules.sampled import latest
from trainhealth.series import RunView, Series

# the mean absolute deviation of normal targets from their mean, in standard deviations
_ABSOLUTE = math.sqrt(2 / math.pi)


class UnscaledTargets(Rule):
    """The targets are far from unit scale, and the model still does worse than their mean would.

    What it detects
        The root mean square of the targets of the first batch (target unit), and train_loss against that of a model
        that always says the targets' mean.

    Why it matters
        A fresh model's outputs have about unit size. Towards large targets every weight is pushed for many steps, or a
        squared error's gradient, which grows with them, throws it off; beside small ones its noise is all there is.

    How it decides
        mean_only = target_std^2 for mse, 0.8 target_std for l1, smooth_l1 and huber (times the terms of a batch, where
        the loss is their sum). The root mean square is above `large` or below `small`, and the level of train_loss is
        still above `mean_only` after at least 50 steps, or was so over the fifth of the run before its middle and came
        down to `later` of that since (a warning that half of the run was lost); or train_loss ended non-finite or above
        3 times its start. Or the root mean square is above `far`, and (1) train_loss above `unmoved` of mean_only, and
        the outputs differ from example to example by less than `reached` of the targets' deviation; or (2) after
        `patience` steps train_loss is above `begun` of mean_only and still falls by a tenth over the last half of the
        run (Mann-Kendall z below -2), while the outputs' deviation is below `behind` of the targets'.

    What to try
        Standardise the targets, and scale predictions back.

    When it is wrong
        Large targets that the model fits (Adam at a high rate, a batch norm before the output): silent. Early in a run
        it is true, and may pass. Targets that inputs say nothing about keep a loss at mean_only, too, whatever their
        scale: the loss must be above it, not at it. With a penalty in the loss the level is not known: not checked.
        Where a single linear layer diverges with a squared error, the targets have no part in it, as its curvature is
        that of the inputs alone: silent.
    """

    code = "DA08"
    name = "unscaled-targets"
    topic = "data"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss",)
    uses = ("output_example_std",)
    references = (
        Reference(
            "Bishop 1995: Neural Networks for Pattern Recognition, section 8.2",
            "Rescale outputs as well as inputs to zero mean and unit variance: all weights can then be of order one.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        large: float = option(10.0, "target unit", "house choice: ten times the outputs of a fresh model")
        small: float = option(0.01, "target unit", "house choice: a hundredth of them")
        later: float = option(
            0.8, "share of the level before", "house choice: it can be learnt, and so could have been"
        )
        far: float = option(100.0, "target unit", "house choice: a hundred times the outputs of a fresh model")
        unmoved: float = option(
            0.9, "times the loss of the mean", "as learning-rate-too-low: hardly anything is learnt"
        )
        reached: float = option(0.1, "share of the targets' deviation", "house choice: explains 1 % of the variance")
        begun: float = option(0.4, "times the loss of the mean", "as over-regularised: a poor fit")
        behind: float = option(0.8, "share of the targets' deviation", "house choice: outputs still on their way")
        patience: int = option(300, "steps", "three times as long as Opt gives a loss to drop")
        mean_only: float = option(1.1, "times the loss of the mean", "house choice: the scatter of the first batch")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if unscaled targets keep the loss above that of their mean."""
        function, composed = run.facts.get("loss_function"), run.facts.get("loss_composed")
        if function not in SQUARED_AND_ABSOLUTE:
            return [] if isinstance(function, str) and function else NotChecked(unknown_loss(run))
        mean, std = _fact(run, "target_mean"), _fact(run, "target_std")
        size = math.hypot(mean, std)
        if not math.isfinite(size):
            return NotChecked("how large the targets are is not known: pass outputs= and targets= to watch.step")
        if options.small <= size <= options.large or size == 0:
            return []
        losses = run.series("train_loss")
        if composed or len(losses) < SETTLING:
            return NotChecked("the loss has other terms" if composed else f"fewer than {SETTLING} steps were logged")
        alone = (std * std if function == "mse" else _ABSOLUTE * std) * _terms(run)
        now, ruin = recent_level(losses.values), ended_in_ruin(run)
        if ruin and function == "mse" and _is_linear(run):
            return []
        limit = options.mean_only * alone
        if not alone > 0:
            return []
        spread = latest(run, "output_example_std")
        late = losses.between(int(0.3 * losses.last_step), losses.last_step // 2).finite().values
        waited = float(np.median(late)) if len(late) >= SETTLING // 2 and size > options.large else 0.0
        on_its_way = len(losses) >= options.patience and _falls(losses)
        if ruin:
            state = ruin.fact
        elif now > limit:
            state = f"train_loss stands at {number(now)}; saying the mean gives {number(alone)}"
        elif size > options.far and now > options.unmoved * alone and spread < options.reached * std:
            state = (
                f"train_loss stands at {number(now)}, where saying the mean gives {number(alone)}; the outputs differ"
                f" by {number(spread)} from example to example"
            )
        elif waited > limit and now <= options.later * waited:
            state = (
                f"train_loss was still {number(waited)} when half of the run had passed; saying the mean gives"
                f" {number(alone)}"
            )
        elif size > options.far and now > options.begun * alone and spread < options.behind * std and on_its_way:
            state = (
                f"train_loss stands at {number(now)}, where saying the mean gives {number(alone)}, and still falls; the"
                f" outputs have come to {spread / std:.0%} of the targets' deviation"
            )
        else:
            return []
        unit = "large" if size > options.large else "small"
        finding = self.finding(
            f"The targets have mean {number(mean)} and standard deviation {number(std)}, and {state}.",
            [Evidence("train_loss", None, int(losses.steps[0]), losses.last_step, now, f"below {number(alone)}")],
            [scale_targets(run, f"too {unit} for the outputs of a fresh model", "train_loss is below 1 soon (mse).")],
            severity=Severity.CRITICAL if ruin else Severity.WARNING,
        )
        return [finding]


def _is_linear(run: RunView) -> bool:
    """Tell whether the model is one linear layer and nothing else."""
    return [entry.type for entry in run.layers] == ["Linear"]


def _falls(losses: Series) -> bool:
    """Tell whether a loss falls by a tenth of its level over its last half."""
    late = losses.between(losses.last_step // 2, losses.last_step)
    change = curves.trend(late)
    return change.z < -2 and change.change < -0.1 * recent_level(late.values)


def _fact(run: RunView, name: str) -> float:
    value = run.facts.get(name)
    number_like = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e150
    return float(value) if number_like else math.nan  # type: ignore[arg-type]  # checked in the line above


def _terms(run: RunView) -> int:
    """Return what to multiply the loss of a term with to get the logged loss."""
    shape = run.facts.get("target_shape")
    if run.facts.get("loss_reduction") != "sum" or not isinstance(shape, list):
        return 1
    return math.prod(size for size in shape if isinstance(size, int) and size > 0)
