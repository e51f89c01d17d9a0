"""OP05 unbalanced-updates: some weights move thousands of times faster than others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import poor_loss
from trainhealth.rules.depth import by_depth
from trainhealth.rules.objective import moving_target
from trainhealth.rules.optimizers import setting_of
from trainhealth.series import FloatArray, RunView


class UnbalancedUpdates(Rule):
    """The layers move at rates that are orders of magnitude apart: some hardly learn, while others are thrown about.

    What it detects
        update_ratio, the norm of the step's update over the norm of the weight, a value a weight (parameters of two or
        more dimensions, without embeddings) and sampled step; r is a weight's median over the samples after step 0.

    Why it matters
        One rate serves all layers only where their ratios are alike. The slowest layers then stay as they were drawn,
        and the rate can't be raised because of the fastest.

    How it decides
        There are at least three such weights and `least_samples` samples; largest r / smallest r is at least `apart`,
        the smallest is at most `still` and the largest at least 1e-4, and train_loss is poor: above `poor` of the
        untrained loss, falling no more, or lost.

    What to try
        The reason mostly is a gradient that vanishes or explodes with depth: He or Xavier initialisation, batch
        normalisation; an adaptive optimizer gives every weight steps of about the same size.

    When it is wrong
        Parameter groups with rates of their own (fine-tuning, muP) are set apart on purpose: not checked. Weights
        before a normalisation layer take steps that depend on their norm alone. A weight that gets exactly no update
        is frozen-parameters' matter. Where the loss gets low, ratios apart are no illness: silent.
    """

    code = "OP05"
    name = "unbalanced-updates"
    topic = "optimization"
    severity = Severity.WARNING
    confidence = Confidence.HINT
    since = "0.1"
    requires = ("update_ratio", "train_loss")
    references = (
        Reference(
            "Tr1 Training Networks (Part 1): ratio of update to weight",
            "The ratio should be about 0.001 in every layer: track it layer by layer.",
        ),
        Reference(
            "You, Gitman and Ginsburg 2017, Large Batch Training of Convolutional Networks, section 4",
            "Where the ratio of gradient to weight norms differs between layers, one rate diverges in some of them.",
            "https://arxiv.org/abs/1708.03888",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        apart: float = option(1000.0, "times", "house choice: healthy nets had up to a hundred")
        still: float = option(1e-5, "update ratio", "house choice: 100,000 steps to change by its own size")
        poor: float = option(0.6, "share of the untrained loss", "house choice: as for the other rules")
        least_samples: int = option(8, "samples", "house choice: 100 steps and more")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the ratios are far apart and the loss is poor."""
        rates = {setting_of(group, "lr") for optimizer in run.info.optimizers for group in optimizer.groups}
        if len(rates) > 1:
            return NotChecked("the parameter groups have rates of their own, so that ratios differ on purpose")
        columns = by_depth(run, "update_ratio")
        values = columns.values[columns.steps > 0].astype(np.float64)
        if len(values) < options.least_samples:
            return []
        ratios = _medians(values)
        moving = np.flatnonzero(ratios > 0)
        if len(moving) < 3 or moving_target(run):
            return []
        fastest, slowest = (int(moving[pick(ratios[moving])]) for pick in (np.argmax, np.argmin))
        high, low = float(ratios[fastest]), float(ratios[slowest])
        if low > options.still or high < 1e-4 or high < options.apart * low:
            return []
        lost = poor_loss(run, options.poor)
        if lost is None:
            return []
        first, last = int(columns.steps[0]), int(columns.steps[-1])
        return [
            self.finding(
                f"Updates change {columns.places[slowest]} by {number(low)} of its norm and {columns.places[fastest]} "
                f"by {number(high)}; {lost.fact}.",
                [
                    Evidence("update_ratio", columns.places[slowest], first, last, low, "about 0.001"),
                    Evidence("update_ratio", columns.places[fastest], first, last, high, "about 0.001"),
                ],
                _RECOMMENDATIONS,
            )
        ]


def _medians(values: FloatArray) -> FloatArray:
    """Return the median of each column over its finite values, float64 [columns]; NaN where there is none."""
    finite = np.where(np.isfinite(values), values, np.nan)
    known = np.isfinite(finite).any(axis=0)
    medians = np.full(values.shape[1], np.nan)
    medians[known] = np.nanmedian(finite[:, known], axis=0)
    return medians


_VERIFY = "The update ratios of all weights are within a hundred times of each other, and train_loss falls."
_RECOMMENDATIONS = (
    Recommendation(
        "Initialise all layers with He (before ReLU) or Xavier (before tanh).",
        "Weights that keep signal and gradient at one size get updates of one size.",
        _VERIFY,
        recipe="he-initialization",
    ),
    Recommendation(
        "Or put batch normalisation before the activation functions.",
        "It brings signal and gradient back to one size in every layer.",
        _VERIFY,
        "It behaves differently in training and in evaluation: switch with model.train() and model.eval().",
        "batch-normalization",
    ),
    Recommendation(
        "Or use AdamW at a rate of 0.001.",
        "It gives every weight steps of about the rate, whatever the size of its gradient.",
        _VERIFY,
        "It hides a gradient that vanishes, down to its eps.",
        "adamw",
    ),
)
