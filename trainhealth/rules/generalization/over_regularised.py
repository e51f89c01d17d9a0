"""GE09 over-regularised: training stays poor because a penalty has driven the weights towards zero."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.generalization.poor_fit import Fit, end, measure_fit, measure_fit_of_data, strongest_decay
from trainhealth.rules.objective import moving_target
from trainhealth.series import RunView, Series

# these add the decay to the gradient
COUPLED = frozenset({"SGD", "Adam", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adadelta", "Adamax"})
SAMPLES = 5  # of the loss without its penalty, at least


class OverRegularised(Rule):
    """A penalty on the weights is so strong that the model can't learn its own training data.

    What it detects
        Training that stays poor, with no gap to validation, while the norm of all weights (parameter unit) shrinks and
        what explains it is there: a weight_decay of an optimizer, or a penalty on parameters that the script adds to
        the loss, as the graph shows ("penalized"). data_loss (nats, or the loss's unit) is then the loss without it.

    Why it matters
        A penalty trades fit for smoothness. Where the fit is poor on both splits, nothing is left to trade.

    How it decides
        weight_decay is at least `strong` in some parameter group. The norm of all weights (parameters of two and more
        dimensions), from the sampled steps, ends below `shrunk` of its first value. The run is poor and no longer
        improves: both losses end above `share` of the loss of guessing (log C with C classes, less where one is
        frequent; the variance of the targets), no accuracy has `skill` of what is possible, and over the second half
        no loss falls by 3 % of its level (Mann-Kendall z beyond -2). validation_loss, where it is logged, is not more
        than a tenth above train_loss: else the model overfits (unless the norm is below `gone` of its first value).
        Whatever the accuracy is, it also fires where the decay is part of the gradient (not AdamW's) and holds the loss
        up: where nothing improves, both are in balance, and with the last matrix w the outputs' scale pulls at
        train_loss with d train_loss / d log |w| = -weight_decay |w|^2. That must be at least `pull` of train_loss (the
        loss would fall by so many per cent if w grew by one), both losses above `held` of guessing, and
        validation_loss not above `close` x train_loss: a decay that prevents overfitting has a gap to close.
        With a penalty in the loss the same is asked of data_loss in the place of train_loss; where that is still above
        `unlearnt` of guessing, it may be improving.

    What to try
        A weight decay a hundred times smaller; then search it on a logarithmic scale.

    When it is wrong
        Weights before a normalisation may shrink without harm: the training loss is then not poor, and it is silent.
        Weights also shrink where nothing can be learnt for another reason (dead units, a rate that is too high), and
        the decay is then the second cause. The last matrix of two or more dimensions, in the order of the model's
        parameters, is taken for that of the output layer. A penalty whose loss function can't be computed again from
        outputs and targets (they were not passed to watch.step, or are probabilities) is not checked. Dropout is
        MO05's. A decay that is strong and does no harm is silent.
    """

    code = "GE09"
    name = "over-regularised"
    topic = "generalization"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss", "parameter_norm")
    uses = ("data_loss", "validation_loss", "train_accuracy", "validation_accuracy", "majority_share")
    references = (
        Reference(
            "L16, Practical Aspects: weight decay",
            "w <- (1 - alpha lambda) w - alpha gradient: the penalty shrinks the weights at every step.",
        ),
        Reference(
            "Opt, Optimizing Neural Networks: choosing hyperparameters",
            "Good weight decays to try: 1e-4, 1e-5, 0.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        strong: float = option(1e-3, "weight decay", "Opt: 1e-4 and less are usual")
        shrunk: float = option(0.5, "share of the first norm", "house choice: half of the weights' size is gone")
        gone: float = option(0.01, "share of the first norm", "house choice: such weights express nothing")
        share: float = option(0.4, "share of the loss without knowledge", "house choice: half as much as GE02")
        unlearnt: float = option(
            0.9, "share of the loss without knowledge", "as LS03 and others: next to nothing learnt"
        )
        pull: float = option(0.5, "share of train_loss", "half a per cent a per cent; 0 without a decay, in balance")
        held: float = option(0.3, "share of the loss without knowledge", "0.26 of it was still worth a gap it closed")
        close: float = option(1.25, "times train_loss", "house choice: a gap of a quarter")
        skill: float = option(0.85, "accuracy above chance, fraction of what is possible", "house choice")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if a strong decay, shrunken weights and a poor fit come together."""
        reason = moving_target(run)
        if reason:
            return NotChecked(reason)
        if not run.info.optimizers:
            return NotChecked("the optimizer's settings are not known: pass the optimizer to watch()")
        penalized = run.facts.get("penalized") is True
        fit = measure_fit_of_data(run) if penalized else measure_fit(run)
        if isinstance(fit, str):
            return NotChecked(fit)
        if penalized and len(run.series("data_loss")) < SAMPLES:
            return NotChecked("what the loss is without its penalty is not known: pass outputs= and targets=")
        norm, decay = _weight_norm(run), strongest_decay(run)
        if not (penalized or decay >= options.strong) or len(norm) < 3:
            return []
        left = norm.values[-1] / norm.values[0]
        if not left < options.shrunk:
            return []
        poor = fit.share > options.share and not fit.skill >= options.skill
        if (not poor or (fit.overfits and left >= options.gone)) and (penalized or not _holds_up(run, fit, options)):
            return []
        unlearnt = penalized and fit.share > options.unlearnt
        if fit.improves(run, 0.03) and not unlearnt:
            return []
        return [self._describe(fit, norm, None if penalized else decay)]

    def _describe(self, fit: Fit, norm: Series, decay: float | None) -> Finding:
        train, level = fit.losses[0], fit.levels[0]
        first, now = float(norm.values[0]), float(norm.values[-1])
        term = "The loss holds a penalty on parameters" if decay is None else f"weight_decay is {number(decay)}"
        return self.finding(
            f"{term}: the weights have shrunk from a norm of {number(first)} to {number(now)},"
            f" and {train.name} ends at {number(end(train))}, where guessing has {number(level)}.",
            [
                Evidence("parameter_norm", None, int(norm.steps[0]), norm.last_step, now, f"about {number(first)}"),
                Evidence(train.name, None, 0, train.last_step, end(train), f"well below {number(level)}"),
            ],
            [
                Recommendation(
                    "Divide the penalty's factor by 100."
                    if decay is None
                    else f"Lower weight_decay from {number(decay)} to {number(decay / 100)}.",
                    "The penalty outweighs what the data ask for: weights near zero can't express the task.",
                    f"{train.name} falls below {number(end(train))}, and the norm of the weights stays near its start.",
                    "Too little of it overfits: watch the gap to validation.",
                    "l1-l2-elastic-net" if decay is None else "weight-decay",
                    None if decay is None else Change("weight_decay", decay, decay / 100),
                )
            ],
        )


def _holds_up(run: RunView, fit: Fit, options: OverRegularised.Options) -> bool:
    """Tell whether a decay that is part of the gradient keeps the outputs too small for the training data."""
    coupled = all(
        optimizer.type in COUPLED and not group.get("decoupled_weight_decay")
        for optimizer in run.info.optimizers
        for group in optimizer.groups
    )
    if not coupled or not fit.share > options.held or not fit.worse_by <= options.close:
        return False
    columns, shapes = run.columns("parameter_norm"), {entry.name: entry.shape for entry in run.parameters}
    weights = [i for i, place in enumerate(columns.places) if len(shapes.get(place, ())) > 1]
    last = columns.values[-1, weights[-1]] if weights else math.nan
    pull = strongest_decay(run) * float(last) ** 2
    return bool(pull >= options.pull * end(fit.losses[0]) > 0)


def _weight_norm(run: RunView) -> Series:
    """Return the L2 norm of all weights at the sampled steps that know them all; biases and scales don't count."""
    columns = run.columns("parameter_norm")
    shapes = {entry.name: entry.shape for entry in run.parameters if entry.trainable}
    chosen = [i for i, place in enumerate(columns.places) if len(shapes.get(place, ())) > 1]
    squares = columns.values[:, chosen].astype(np.float64) ** 2
    total = np.sqrt(squares.sum(axis=1))
    known = np.isfinite(total) & (total > 0)
    return Series("parameter_norm", columns.steps[known], total[known])
