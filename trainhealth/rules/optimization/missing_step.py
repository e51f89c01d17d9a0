"""OP13 missing-step: losses are computed, and the weights never move, or only once an epoch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import UNLEARNT
from trainhealth.rules.optimizers import all_adaptive, largest
from trainhealth.rules.progress import last_level, share_left
from trainhealth.rules.weights import of_weights
from trainhealth.series import RunView

_ROUNDED = 1e-8  # share of a weight: a sixth of what float32 can tell apart
_FALLS = 2.0  # Mann-Kendall's z: one flat curve in forty falls as much


class MissingStep(Rule):
    """The weights never move: no update uses the gradients, or there are none where the optimizer looks for them.

    What it detects
        update_ratio (norm of the step's update over norm of the parameter) of exactly 0 in all weights, or none at
        all, while there are gradients: parameter_gradient_norm (loss unit / parameter unit) above 0; or while no weight
        of the optimizer ever has one.

    Why it matters
        Nothing is learnt. The loss only shows which batch was drawn.

    How it decides
        The weights (two or more dimensions, in an optimizer) have a gradient in the last `least_samples` samples, and
        every sample so far has an update ratio of 0 in all of them. The update never came if no sample has a ratio;
        the gradient was cleared if clipped_gradient_norm, the norm when the optimizer began, is 0 or missing.
        Where no sample has a ratio and train_loss falls, to 0.9 of the untrained one at least, updates were not
        measured: silent.
        A script that was watched (trainhealth run) tells by itself of backwards without any update in the whole run
        (`least_backwards`). It also tells where an update takes several backwards: as many updates as evaluations,
        `least_epochs` of them, mean that the update stands outside of the loop over batches, if the gradients of most
        backwards are thrown away, or else (they are accumulated) if train_loss stands above `poor` of the untrained
        one.
        Without any gradient: no parameter of the optimizer has one in any sample, and their update ratios are 0 in
        `least_samples` samples. The loss is cut off from the model if no graph leads from it to an output, else the
        optimizer holds another model.

    What to try
        In this order: optimizer.zero_grad(), loss.backward(), optimizer.step(); a rate above 0.

    When it is wrong
        A rate that has come down to 0 at the end of a schedule, after updates, is not meant (collapsed-learning-rate).
        A warm-up that begins at a rate of 0 has one or two samples without an update: silent. A loss scaler skips its
        first updates: silent, unless it skips all. Updates that are not seen (in compiled code) change parameter_norm:
        silent. Whoever adds up the gradients of all data on purpose, and evaluates after each update, is told so only
        where the loss is poor. An update that is far below the weights' spacing is rounded away: the finding says so
        where it is below float32's; in half precision it looks the same as a step that is missing.
    """

    code = "OP13"
    name = "missing-step"
    topic = "optimization"
    severity = Severity.CRITICAL
    confidence = Confidence.CERTAIN
    since = "0.1"
    requires = ("parameter_gradient_norm|update_ratio",)
    uses = ("clipped_gradient_norm", "learning_rate", "parameter_norm", "train_loss")
    references = (
        Reference(
            "PyTorch: Optimizing Model Parameters",
            "zero_grad, backward, step: the optimizer adjusts the parameters by the gradients of the backward pass.",
            "https://docs.pytorch.org/tutorials/beginner/basics/optimization_tutorial.html",
        ),
        Reference(
            "Tr1 Training Networks (Part 1): ratio of update to weight",
            "Updates should be about 0.001 of the weights.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        least_samples: int = option(5, "samples", "house choice: a warm-up may begin with a step at a rate of 0")
        least_backwards: int = option(8, "backwards", "house choice: fewer may be a look at gradients")
        least_epochs: int = option(4, "epochs", "house choice")
        poor: float = option(0.6, "share of the untrained loss", "house choice: as for the other rules")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if no weight has ever moved."""
        if not run.info.optimizers:
            return NotChecked("there is no optimizer to judge: pass it to trainhealth.watch(model, optimizer)")
        told = self._never(run, options) or self._once_an_epoch(run, options)
        if told:
            return [told]
        norms = of_weights(run, "parameter_norm").values
        if (norms[1:] != norms[:-1]).any():
            return []  # they do move, by an update that is not seen (one in compiled code)
        without = self._without_gradient(run, options)
        if without:
            return [without]
        gradients, ratios = of_weights(run, "parameter_gradient_norm"), of_weights(run, "update_ratio")
        recent = gradients.values[-options.least_samples :]
        if len(recent) < options.least_samples or not (np.nanmax(recent, axis=1, initial=0.0) > 0).all():
            return []
        if np.nanmax(ratios.values, initial=0.0) > 0 or np.isinf(ratios.values).any():
            return []
        if len(ratios) and len(ratios) < options.least_samples:
            return []
        falls = curves.trend(run.series("train_loss")).z < -_FALLS and share_left(run, _last(run)) < UNLEARNT
        if not len(ratios) and falls:
            return []  # what falls is learnt: updates were not measured (probes=…)
        cause, advice = _cause(run, ratios_known=len(ratios) > 0)
        last = int(gradients.steps[-1])
        norm = float(np.nanmax(recent[-1]))
        return [
            self.finding(
                f"No weight has moved in {last + 1} steps, though there are gradients: {cause}.",
                [
                    Evidence("update_ratio", None, int(gradients.steps[0]), last, 0.0, "about 0.001"),
                    Evidence("parameter_gradient_norm", None, int(gradients.steps[0]), last, norm, "with an update"),
                ],
                [advice],
            )
        ]

    def _never(self, run: RunView, options: Options) -> Finding | None:
        """Describe a script that has ended without an update."""
        backwards = run.facts.get("backwards_without_update")
        if not isinstance(backwards, int) or backwards < options.least_backwards:
            return None
        return self.finding(
            f"The optimizer has made no update in {backwards} backward passes.",
            [Evidence("update_ratio", None, 0, max(run.last_step, 0), 0.0, "about 0.001")],
            [_STEP],
        )

    def _once_an_epoch(self, run: RunView, options: Options) -> Finding | None:
        """Describe updates that come once an epoch, though each epoch has several batches."""
        counted, epochs = run.facts.get("backwards_an_update"), run.epochs
        if not isinstance(counted, dict) or len(epochs) < options.least_epochs:
            return None
        if epochs[-1].step - epochs[0].step > len(epochs):
            return None
        backwards, discarded = counted.get("backwards", 0), counted.get("discarded", 0)
        thrown_away = 2 * discarded > backwards
        left = share_left(run, _last(run))
        if not thrown_away and not left > options.poor:
            return None
        became = f"the gradients of {discarded} of them are thrown away" if thrown_away else "their gradients add up"
        return self.finding(
            f"The weights move once in {backwards} backward passes, as often as the model is evaluated; {became}"
            f"{f', and train_loss stands at {number(_last(run))}' if left > options.poor else ''}.",
            [Evidence("train_loss", None, epochs[0].step, run.last_step, _last(run), "an update a batch")],
            [_IN_THE_LOOP],
            severity=Severity.WARNING,
            confidence=Confidence.CERTAIN if thrown_away else Confidence.LIKELY,
        )

    def _without_gradient(self, run: RunView, options: Options) -> Finding | None:
        """Describe an optimizer whose parameters have nothing to do with the loss; None where they have."""
        ratios, gradients = of_weights(run, "update_ratio"), of_weights(run, "parameter_gradient_norm")
        known = np.isfinite(ratios.values).any(axis=1)
        if known.sum() < options.least_samples or np.nan_to_num(ratios.values, nan=0.0).any():
            return None
        if not np.isnan(gradients.values).all():
            return None
        cause, advice = _separation(run)
        first, last = int(ratios.steps[0]), int(ratios.steps[-1])
        return self.finding(
            f"No weight has moved in {last + 1} steps: {cause}.",
            [Evidence("update_ratio", None, first, last, 0.0, "about 0.001")],
            [advice],
        )


def _last(run: RunView) -> float:
    losses = run.series("train_loss").finite().values
    return last_level(losses) if len(losses) else float("nan")


def _separation(run: RunView) -> tuple[str, Recommendation]:
    """Return what stands between the loss and the optimizer, as a clause, and what to do about it."""
    if run.facts.get("loss_form") == "number" or run.facts.get("loss_input_graph") == []:
        return "the loss is cut off from the model, so that no gradient reaches them", _advice(
            "Remove what cuts the loss off from the model: detach(), .data, .item(), numpy(), argmax, or a new tensor"
            " (Variable) made of the loss.",
            "requires_grad=True on such a copy lets backward run, but it begins and ends at the copy.",
            "check-parameter-groups",
        )
    return "no gradient reaches the parameters that the optimizer holds", _advice(
        "Make the optimizer of the model whose outputs enter the loss: pass it that model's parameters().",
        "A copy of a model, or one that was made anew, has parameters of its own, which this loss does not depend on.",
        "check-parameter-groups",
    )


def _cause(run: RunView, *, ratios_known: bool) -> tuple[str, Recommendation]:
    """Return why nothing moves, as a clause, and what to do about it."""
    cleared = run.series("clipped_gradient_norm").finite().values
    if not ratios_known:
        return "the optimizer has made no update", _STEP
    if not cleared.any():
        return "the gradient was zero again when the optimizer began its step", _advice(
            "Call optimizer.zero_grad() before loss.backward() and not between backward and optimizer.step().",
            "Between them it throws away what backward has computed.",
        )
    if len(run.learning_rate) and not run.learning_rate.values.any() and largest(run, "lr") == 0:
        return "the learning rate is 0", _advice(
            "Set the learning rate to 0.001 with Adam, or to 0.1 with SGD, and look at the schedule.",
            "An update is the rate times a direction.",
        )
    step = _step_of_rate(run)
    if step < _ROUNDED:
        return f"the rate times the gradient is {number(step)} of the weights, and lost in rounding", _advice(
            "Look for what leaves next to no gradient: a saturated softmax or sigmoid before the loss, inputs or"
            " weights that are far too large.",
            "float32 holds seven digits of a weight; a smaller change leaves it as it is.",
        )
    return "every update is 0", _advice(
        "Look at what stands between loss.backward() and optimizer.step(): scaling, clipping, zeroing.",
        "The gradients are not zero when backward returns, and the updates are.",
    )


def _step_of_rate(run: RunView) -> float:
    """Return rate x gradient / weight (norms), the largest of all weights; NaN where the rate is not what counts."""
    gradients, norms = of_weights(run, "parameter_gradient_norm"), of_weights(run, "parameter_norm")
    rate = float(run.learning_rate.finite().values.max(initial=0.0))
    if all_adaptive(run) or not rate > 0 or gradients.places != norms.places or not len(norms):
        return float("nan")
    sizes = np.nanmax(gradients.values, axis=0, initial=0.0) / np.maximum(norms.latest(), 1e-30)
    return rate * float(np.nanmax(sizes, initial=0.0))


def _advice(action: str, because: str, recipe: str = "zero-gradients", change: Change | None = None) -> Recommendation:
    verify = "The update ratios of the weights are about 0.001, and train_loss falls."
    return Recommendation(action, because, verify, recipe=recipe, change=change)


_STEP = _advice(
    "Call optimizer.step() after loss.backward(); where batches are accumulated, see that the condition for it comes"
    " true in every epoch.",
    "backward only computes gradients; step is what changes the weights. A count that begins anew in each epoch never"
    " reaches a number above that of the epoch's batches.",
    change=Change("optimizer.step()", "never", "every step"),
)
_IN_THE_LOOP = Recommendation(
    "Move optimizer.step() into the loop over batches, after loss.backward(), with optimizer.zero_grad() before it.",
    "An update a batch learns many times as much from the same passes.",
    "There are as many steps in an epoch as batches, and train_loss falls faster.",
    "If batches are accumulated on purpose, divide the loss by their number, and choose a number below the epoch's.",
    "zero-gradients",
    Change("updates", "one an epoch", "one a batch"),
)
