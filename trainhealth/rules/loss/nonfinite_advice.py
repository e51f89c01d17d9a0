"""What to do about NaN and infinity: it depends on where they came from."""

from __future__ import annotations

import numpy as np

from trainhealth.findings import Change, Recommendation
from trainhealth.rules.base import number
from trainhealth.rules.loss.origin import Origin, Stage, epsilon_vanished
from trainhealth.rules.optimizers import largest
from trainhealth.series import RunView, Series


def recommend(run: RunView, origin: Origin, before: Series) -> list[Recommendation]:
    """Return what to do: by origin, and by whether the loss grew before."""
    finite = before.finite()
    grew = len(finite) >= 3 and np.median(finite.values[-3:]) > 3 * abs(np.median(finite.values[:5]))
    if origin.stage is Stage.INPUT:
        return [_clean_inputs(), trace("with that batch")]
    if origin.stage is Stage.PARAMETER and epsilon_vanished(run):
        return [_larger_epsilon(run), trace(f"up to step {origin.step}")]
    if origin.stage is Stage.PARAMETER or grew:
        return [_lower_rate(run, origin.step), _clip(run, origin.step), trace(f"up to step {origin.step}")]
    guard = {
        Stage.ACTIVATION: f"Guard the operations in and right before {origin.place}",
        Stage.LOSS: "Guard the loss function and what goes into it",
        Stage.GRADIENT: "Guard operations whose derivative is infinite at 0 (square root, norm, division)",
    }[origin.stage]
    return [
        Recommendation(
            f"{guard}: add a small constant inside logarithms, roots and denominators, and use losses on logits.",
            "The derivative of a square root is infinite at 0, and infinity times 0 is NaN: the loss itself is finite."
            if origin.stage is Stage.GRADIENT
            else "The logarithm of 0, a division by 0 and the exponential of a large number are not finite.",
            "train_loss stays finite with the same batches.",
            recipe="check-the-loss",
        ),
        trace(f"up to step {origin.step}"),
        *([_lower_rate(run, origin.step)] if origin.step else []),  # at step 0 no update had been made yet
    ]


def trace(when: str) -> Recommendation:
    """Return the advice to look for the operation whose gradient is not finite first."""
    return Recommendation(
        f"Run the steps {when} again under torch.autograd.set_detect_anomaly(True).",
        "It raises at the operation whose gradient is not finite first.",
        "The traceback names one line of the model or of the loss.",
        "Training is several times slower meanwhile.",
        "find-first-nonfinite",
    )


def evaluate() -> Recommendation:
    """Return the advice for an evaluation that alone is not finite."""
    return Recommendation(
        "Evaluate batch by batch, and look at the first one whose inputs, outputs or loss are not finite.",
        "Training computes with the same weights: evaluation adds other data (of none at all the mean is 0 / 0) and the"
        " statistics of evaluation mode.",
        "One batch, one layer or the division at the end is what makes it.",
        recipe="find-first-nonfinite",
    )


def _clean_inputs() -> Recommendation:
    return Recommendation(
        "Remove or fill in the samples with NaN or infinity, and check the scaling for a division by a zero spread.",
        "The model can only pass them on.",
        "input_nonfinite is 0 at every sampled step.",
        recipe="standardize-inputs",
    )


def _lower_rate(run: RunView, step: int) -> Recommendation:
    rate = run.learning_rate.at(step)
    known = bool(np.isfinite(rate) and rate > 0)
    return Recommendation(
        f"Lower the learning rate from {number(rate)} to {number(rate / 10)}." if known else "Lower the rate tenfold.",
        "Updates that are too large blow the weights up until a sum overflows.",
        f"train_loss is finite, and falling, beyond step {step}.",
        "A rate that is too low learns slowly: raise it again by factors of 3 once the loss falls.",
        "lower-learning-rate",
        Change("learning_rate", rate, rate / 10) if known else None,
    )


def _larger_epsilon(run: RunView) -> Recommendation:
    kinds = " and ".join(dict.fromkeys(optimizer.type for optimizer in run.info.optimizers))
    return Recommendation(
        "Keep the weights in float32 and compute under torch.autocast, or make the optimizer with eps=1e-4.",
        f"The gradient was finite, and a step of {kinds} is never much longer than its rate: only 0 / 0 makes it NaN."
        f" In float16 its eps of {number(largest(run, 'eps'))} is 0.",
        "No parameter is non-finite after the first step.",
        "With an eps that is large beside the gradients, steps become shorter.",
    )


def _clip(run: RunView, step: int) -> Recommendation:
    norms = run.series("gradient_norm").between(0, step - 1).finite()
    limit = number(float(np.median(norms.values))) if len(norms) else "1"
    return Recommendation(
        f"Clip the gradient norm at {limit}{', its median before that step' if len(norms) else ''}.",
        "A single steep batch then can't throw the weights far away.",
        f"train_loss is finite beyond step {step}, and the norm before clipping passes the limit only now and then.",
        "Clipping does not heal a gradient that is already NaN.",
        "gradient-clipping",
    )
