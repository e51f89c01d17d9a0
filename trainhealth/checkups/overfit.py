"""Can the model learn twenty examples by heart?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch

from trainhealth.checkups.base import Check, Outcome, not_checked
from trainhealth.checkups.batches import size_of
from trainhealth.checkups.faults.unlearnable_sample import UnlearnableSample
from trainhealth.checkups.rate_range import planned_rate
from trainhealth.checkups.small_sample import Fit, attainable, learn, sample_of
from trainhealth.checkups.subject import Subject, Trial
from trainhealth.figures import Figure
from trainhealth.findings import Confidence, Evidence, Finding, Recommendation
from trainhealth.rules.base import number

EXAMPLES, FEW = 20, 2  # Tr1; and for telling too little capacity from a bug
STEPS = 200  # Tr1: 200 epochs on one batch
LONGER = 3  # times as many with the best rate, before it is called impossible
FACTORS = (1.0, 10.0, 0.1, 100.0, 0.01)  # times the optimizer's rate
ADAM_RATES = (1e-3, 1e-2)


class Overfit(Check):
    """Is a small sample learnt by heart, and if not, why not?"""

    name = "overfit"
    title = "learning a small sample by heart"
    order = 50
    share = 3.0
    faults = (UnlearnableSample,)

    def run(self, subject: Subject) -> Outcome:
        """Try rates until one learns the sample; if none does, look for the cause."""
        sample = sample_of(subject, EXAMPLES)
        best = attainable(subject, sample)
        trial = subject.fresh()
        own = planned_rate(trial.optimizer) or 1e-3
        fits: list[Fit] = []
        for factor in FACTORS:
            fits.append(learn(subject, sample, own * factor, STEPS, best))
            if fits[-1].fitted or subject.time_left() < 0:
                break
        if not fits[-1].fitted and subject.time_left() > 0:
            most = min(fits, key=lambda fit: fit.loss).rate
            fits.append(learn(subject, sample, most, STEPS * LONGER, best))
        figures = (_figure(fits),)
        if fits[-1].fitted:
            return Outcome(figures=figures, advice={"overfit_rate": float(f"{fits[-1].rate:.2g}")})
        if subject.time_left() < 0:
            because = f"after {sum(fit.steps for fit in fits)} steps on {EXAMPLES} examples there was no time left"
            return Outcome((), (not_checked(UnlearnableSample, because),), figures)
        return Outcome((_finding(subject, sample, best, fits),), figures=figures)


def _finding(subject: Subject, sample: Any, best: float, fits: list[Fit]) -> Finding:
    closest = min(fits, key=lambda fit: fit.loss)
    by_adam = _with_adam(subject, sample, best)
    few = sample_of(subject, FEW)
    alone = [learn(subject, few, closest.rate, STEPS * LONGER, attainable(subject, few))]
    alone.append(_with_adam(subject, few, attainable(subject, few)))
    cause, advice = _cause(subject, by_adam, any(fit.fitted for fit in alone))
    size = size_of(sample) or EXAMPLES
    rates = sorted({fit.rate for fit in fits})
    start = fits[0].losses[0]
    seen = f"the loss goes from {number(start)} to {number(closest.loss)}"
    if closest.score is not None:
        seen += f", the score to {closest.score:.0%}"
    evidence = Evidence("train_loss", None, 0, closest.steps, closest.loss, "near 0 on so few examples")
    return UnlearnableSample().finding(
        f"{size} examples can't be learnt by heart, with {len(rates)} learning rates from {number(rates[0])} to "
        f"{number(rates[-1])}: {seen}; {cause}",
        [evidence],
        [advice],
        confidence=Confidence.HINT if closest.score is None else None,
    )


def _with_adam(subject: Subject, sample: Any, best: float) -> Fit:
    """Return the better fit of Adam on all parameters at two rates."""
    fits = []
    for rate in ADAM_RATES:
        trial = subject.fresh()
        for parameter in trial.model.parameters():
            parameter.requires_grad_(parameter.is_floating_point())
        trial.optimizer = torch.optim.Adam(trial.model.parameters(), lr=rate)
        fits.append(learn(subject, sample, rate, STEPS * 2, best, trial))
        if fits[-1].fitted:
            break
    return min(fits, key=lambda fit: (not fit.fitted, fit.loss))


def _cause(subject: Subject, by_adam: Fit, few_fitted: bool) -> tuple[str, Recommendation]:
    """Return the cause in words, and what to do about it."""
    verify = "the sample is learnt by heart: run the checkup again"
    if not by_adam.fitted and subject.time_left() < 0:
        return (
            "there was no time to look for the cause",
            Recommendation("run the checkup with more seconds", "it then tries other optimizers and samples", verify),
        )
    if by_adam.fitted:
        trial = subject.fresh()
        trained, all_of_them = _counts(trial)
        if trained < all_of_them:
            return (
                f"Adam on all parameters learns them, and the optimizer has {trained:,} of {all_of_them:,}",
                Recommendation(
                    "pass all parameters to the optimizer, and unfreeze what has to learn",
                    "with all of them the same examples are learnt",
                    verify,
                ),
            )
        return (
            f"Adam learns them with a rate of {number(by_adam.rate)}",
            Recommendation(
                f"begin with Adam at {number(by_adam.rate)}, and look at the optimizer's settings",
                "the model can learn the sample, and this optimizer does not",
                verify,
            ),
        )
    if few_fitted:
        return (
            f"{FEW} examples are learnt: it lacks capacity, or passes too little of the input on",
            Recommendation(
                "widen the narrowest layer, or add one",
                "two examples fit, and twenty do not",
                verify,
                recipe="larger-model",
            ),
        )
    return (
        f"not even {FEW} are: there is a bug between inputs and loss, or in the initialisation",
        Recommendation(
            "look at what the outputs can be and what the loss compares them with",
            "no rate, no optimizer and no smaller sample helps",
            verify,
        ),
    )


def _counts(trial: Trial) -> tuple[int, int]:
    held = {id(one) for group in trial.optimizer.param_groups for one in group["params"] if one.requires_grad}
    parameters = list(trial.model.parameters())
    return sum(one.numel() for one in parameters if id(one) in held), sum(one.numel() for one in parameters)


def _figure(fits: Iterable[Fit]) -> Figure:
    shown = {f"rate {number(fit.rate)}": fit.losses for fit in fits}
    longest = max(len(losses) for losses in shown.values())
    padded = {name: tuple(losses) + (math.nan,) * (longest - len(losses)) for name, losses in shown.items()}
    return Figure(
        "Training on a few examples alone, without regularisation",
        "curve",
        padded,
        x=tuple(float(step) for step in range(longest)),
        x_name="step",
        y_name="training loss",
        log_y=all(value > 0 for losses in shown.values() for value in losses if math.isfinite(value)),
    )
