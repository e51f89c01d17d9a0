"""The learning rate: how high it may be, and which one to begin with."""

from __future__ import annotations

import math
import statistics
from typing import Any

from torch.optim import SGD, Optimizer

from trainhealth.checkups.base import Check, Outcome, not_checked
from trainhealth.checkups.faults.unsuited_learning_rate import UnsuitedLearningRate
from trainhealth.checkups.rate_guess import guess
from trainhealth.checkups.rate_search import (
    MOVED,
    NOTABLE,
    RAMP_HIGH,
    Planned,
    Ramp,
    Search,
    Tried,
    longest_training,
    range_test,
    search,
)
from trainhealth.checkups.short_training import ShortTraining, rate_of
from trainhealth.checkups.subject import Subject
from trainhealth.figures import Figure
from trainhealth.findings import Finding
from trainhealth.rules.base import number

RAMP_STEPS = 100  # of the range test, as its inventor's tools have it
QUICK_STEPS = 800  # of the search at most, in all; else it may take the time that it has
EPOCHS = 20  # that a run is taken to last where it is not told: Opt, step 5, refines with 10 to 20
LEAST_PLANNED = 200  # steps, of a run whose length is not told
LEAST_RAMP, LEAST_STEPS = 40, 160  # of the range test and the search: with less, they tell nothing
TIMING = 3  # steps that are timed first
RAMP_SHARE = 0.3  # of the steps, where there are enough for both
MARGIN = 0.85  # of the time that is left is planned
WEIGHT_DECAYS = [1e-4, 1e-5, 0.0]  # Opt, step 4: good ones to try


class RateRange(Check):
    """Which learning rate to begin with, and which is too high?"""

    name = "rate-range"
    title = "learning rate"
    order = 60
    share = 6.0
    faults = (UnsuitedLearningRate,)

    def run(self, subject: Subject) -> Outcome:
        """Run the range test and the search, and look at the optimizer's own rate beside them."""
        if subject.partners:
            because = (
                f"the loss uses another model that trains as well ({type(subject.partners[0]).__name__}): what gets "
                "furthest against it as it stands tells nothing of the two together"
            )
            return Outcome(not_checked=(not_checked(UnsuitedLearningRate, because),))
        train = ShortTraining(subject)
        train([0.0] * TIMING)
        affordable = _affordable(train, subject)
        if affordable < LEAST_RAMP:
            return _without_search(train, subject, affordable, None)
        searching = affordable >= LEAST_RAMP + LEAST_STEPS
        ramp_steps = max(int(RAMP_SHARE * affordable), LEAST_RAMP) if searching else affordable
        ramp = range_test(train, min(ramp_steps, RAMP_STEPS))
        if not searching or _affordable(train, subject) < LEAST_STEPS:
            return _without_search(train, subject, affordable, ramp)
        most = train.steps + QUICK_STEPS if subject.quick else math.inf

        def left() -> int:
            return int(min(_affordable(train, subject), most - train.steps))

        steps = planned_steps(subject)
        order_known = train.follow(longest_training(steps, left()))
        found = search(train, ramp.top, left, Planned(steps, subject.epoch_steps, order_known))
        if found.suggested is None:
            longest = max(one.steps for one in found.tried)
            because = f"no learning rate made the held-out loss fall by {100 * MOVED:g} % within {longest} steps"
            return Outcome((), (not_checked(UnsuitedLearningRate, because),), (_ramp_figure(ramp, None),))
        figures = (_ramp_figure(ramp, found.suggested), _tried_figure(found, found.suggested))
        judged = _judged(subject, train, found, found.suggested)
        return Outcome(
            findings=() if judged is None else (judged,),
            figures=figures,
            advice=_advice(subject.optimizer, found, found.suggested, ramp),
        )


def planned_steps(subject: Subject) -> int:
    """Return the length of the run for which a rate is looked for: as told, or some epochs."""
    return subject.total_steps or max(EPOCHS * subject.epoch_steps, LEAST_PLANNED)


def _affordable(train: ShortTraining, subject: Subject) -> int:
    return int(MARGIN * subject.time_left() / train.seconds_a_step)


def _without_search(train: ShortTraining, subject: Subject, affordable: int, ramp: Ramp | None) -> Outcome:
    """Return what can be said where there is no time for trainings: where rates break, and a cautious one."""
    because = (
        f"a training step takes {number(train.seconds_a_step)} s: there is time for {max(affordable, 0)}, and the "
        f"search for a rate needs {LEAST_RAMP + LEAST_STEPS}; seconds= gives more, or looking at rate-range only"
    )
    advice: dict[str, Any] = {}
    if (cautious := guess(subject)) is not None:
        advice["cautious_learning_rate"] = _rounded(cautious.rate)
        advice["cautious_learning_rate_because"] = (
            "a rule of thumb, for want of time to search: with it the first updates change the weights by a thousandth "
            f"(at {number(cautious.seen_rate)} it is {number(cautious.seen_ratio)}); short runs of small models bear "
            "ten to a hundred times as much"
        )
    if ramp is not None and ramp.top < 0.99 * RAMP_HIGH:
        advice["learning_rate_breaks"] = _rounded(ramp.top)
        advice["learning_rate_breaks_because"] = "at the latest: a range test shows it late, by a decade or more"
    figures = () if ramp is None else (_ramp_figure(ramp, None),)
    return Outcome((), (not_checked(UnsuitedLearningRate, because),), figures, advice)


def _judged(subject: Subject, train: ShortTraining, found: Search, best: Tried) -> Finding | None:
    """Return the finding if the optimizer's own rate falls far behind, or None."""
    optimizer = subject.optimizer
    if optimizer is None:
        return None
    options = UnsuitedLearningRate.Options()
    rate = planned_rate(optimizer)
    warming_up = rate_of(optimizer) < 0.99 * rate
    # twice the steps at half the rate get about as far: what is low for a tenth of the run need not be for all of it
    in_the_run = rate * max(planned_steps(subject) / best.steps, 1.0)
    near = rate <= options.apart * best.rate and best.rate <= options.apart * in_the_run
    if near or rate == 0 or (warming_up and rate > best.rate):
        return None
    reached = best.losses[0]  # on the same batches, in the same order
    if found.start - reached < NOTABLE * abs(found.start):
        return None  # no rate gets far
    enough = found.start - options.share * (found.start - reached)
    loss = train([rate] * best.steps, 1).held_out[-1]
    if loss <= enough:
        return None
    if rate < in_the_run < best.rate and train([in_the_run] * best.steps, 1).held_out[-1] <= enough:
        return None
    return UnsuitedLearningRate().found(rate, loss, best.rate, reached, found.start, best.steps)


def planned_rate(optimizer: Optimizer) -> float:
    """Return the highest rate that is planned: schedulers leave where they start from, or aim at, in the groups."""
    planned = [
        float(group[key]) for group in optimizer.param_groups for key in ("initial_lr", "max_lr") if key in group
    ]
    return max([rate_of(optimizer), *planned])


def _advice(optimizer: Optimizer | None, found: Search, best: Tried, ramp: Ramp) -> dict[str, Any]:
    limit = found.breaks or ramp.top
    advice: dict[str, Any] = {
        "learning_rate": _rounded(best.rate),
        "learning_rate_because": (
            f"from the same start, {len({one.rate for one in found.tried})} rates were tried for up to {best.steps} "
            f"steps{' of the run itself' if found.order_known else ''}; this one brings the held-out loss from "
            f"{number(found.start)} to {number(best.losses[0])}, {_how_sure(found, best)}"
        ),
        "learning_rate_breaks": _rounded(limit),
        "weight_decay": WEIGHT_DECAYS,
    }
    groups = [] if optimizer is None else optimizer.param_groups
    if groups and groups[0].get("momentum"):
        advice["momentum"] = float(groups[0]["momentum"])
        advice["momentum_because"] = "the rate was found with it"
    elif isinstance(optimizer, SGD):
        advice["momentum"] = 0.9  # Opt: 0.9 or 0.99
        advice["momentum_because"] = "the rate was found without: with it, begin at a tenth of the rate"
    return advice


def _how_sure(found: Search, best: Tried) -> str:
    others = len(best.losses) - 1
    if not others:
        return "further than any other"
    if found.order_known:
        return f"as far as any other, and to {number(statistics.fmean(best.losses[1:]))} in {others} other orders"
    return f"and none gets further by more than {others + 1} repetitions differ"


def _rounded(rate: float) -> float:
    return float(f"{rate:.2g}")


def _ramp_figure(ramp: Ramp, best: Tried | None) -> Figure:
    window = 5
    smoothed = [statistics.fmean(ramp.losses[max(i - window + 1, 0) : i + 1]) for i in range(len(ramp.losses))]
    marks = {"too high": ramp.top} if best is None else {"suggested": best.rate, "too high": ramp.top}
    return Figure(
        "Range test: the loss while the learning rate rises with every step (it shows a turn late)",
        "curve",
        {"loss": tuple(ramp.losses), "mean of 5 steps": tuple(smoothed)},
        x=ramp.rates,
        x_name="learning rate",
        y_name="training loss",
        log_x=True,
        marks=marks,
    )


def _tried_figure(found: Search, best: Tried) -> Figure:
    rates = tuple(sorted({one.rate for one in found.tried}))
    lengths = sorted({one.steps for one in found.tried})
    losses = {(one.rate, one.steps): one.loss for one in found.tried}
    return Figure(
        "Short trainings from the same start, each with one learning rate",
        "curve",
        {f"{steps} steps": tuple(losses.get((rate, steps), math.nan) for rate in rates) for steps in lengths},
        x=rates,
        x_name="learning rate",
        y_name="held-out loss",
        log_x=True,
        log_y=best.loss > 0,
        marks={"suggested": best.rate},
    )
