"""What to do about a learning rate that is too low: who keeps it there, and how far to raise it."""

from __future__ import annotations

from collections.abc import Iterable

from trainhealth.findings import Change, Recommendation
from trainhealth.rules.base import number
from trainhealth.rules.update_ratio import BEARABLE, SMALL, USUAL_RATE, loss_factor, on_grid, rate_for
from trainhealth.series import RunView

_DIVIDED = 0.2  # a loss multiplied by less was divided once too often, or gradients are accumulated
_FAR_BELOW = 20  # times: warm-ups begin as low, and decays end there, but no schedule peaks so far below its rate
_LOST = 3  # times: so far below its `max_lr` a schedule has hardly begun


def recommend(run: RunView, rate: float, ratio: float) -> list[Recommendation]:
    """Return what to try, what a schedule does to the rate first; `rate` and `ratio` are NaN where not known."""
    scheduled = list(_factor_of_rate(run, rate)) or list(_never_warm(run))
    if not scheduled or (still_rising(run) and not ratio > SMALL):
        scheduled.extend(_higher(rate, ratio))
    return [*_undivided(run), *scheduled, _search()]


def still_rising(run: RunView) -> bool:
    """Tell whether the rate has risen by more than a twentieth over the last fifth of the run."""
    rates = run.learning_rate.finite()
    return len(rates) > 0 and float(rates.values[-1]) > 1.05 * rates.at(int(0.8 * run.last_step))


def warming_up_to_the_end(run: RunView) -> bool:
    """Tell whether a run ended while its rate was still being warmed up.

    A rate that is multiplied at each step, as tests of a range do it, is far below its last one for most of the run.
    """
    rates = run.learning_rate.finite()
    if run.ended != "closed" or not still_rising(run):
        return False
    last, goal = float(rates.values[-1]), max(_settings(run, "max_lr"), default=0.0)
    return last < goal / _LOST if goal else bool(rates.at(run.last_step // 2) > last / 4)


def _settings(run: RunView, key: str) -> list[float]:
    """Return what the optimizers' parameter groups were made with under `key`."""
    groups = [group for optimizer in run.info.optimizers for group in optimizer.groups]
    return [float(group[key]) for group in groups if isinstance(group.get(key), int | float) and group[key] > 0]


def _undivided(run: RunView) -> Iterable[Recommendation]:
    """Yield the advice for a loss that is divided before the backward, though it is a mean already."""
    factor = loss_factor(run)
    if factor < _DIVIDED and run.facts.get("loss_reduction") == "mean":
        yield Recommendation(
            f"Take the mean loss as it is: the script multiplies it by {number(factor)}, and the gradient with it.",
            "The loss function has divided by the number of examples already; every update is that much too small.",
            "The first train_loss is that of a model that knows nothing, and it drops within about 100 steps.",
            "Where gradients of several batches are accumulated, the division by their number is right.",
            "check-the-loss",
        )


def _factor_of_rate(run: RunView, rate: float) -> Iterable[Recommendation]:
    """Yield the advice for a schedule that holds the rate far below that of the optimizer for the whole run."""
    made, rates = min(_settings(run, "initial_lr"), default=0.0), run.learning_rate.finite().values
    highest = float(rates.max(initial=0.0))
    if 0 < highest < made / _FAR_BELOW and not still_rising(run):
        yield Recommendation(
            "Let the function of LambdaLR return a factor of the optimizer's rate (1 leaves it as it is), not a rate.",
            f"The optimizer was made with {number(made)}, and a schedule keeps it at or below {number(highest)} from"
            " the first step on.",
            f"The logged learning rate begins at {number(made)}, or reaches it at the end of the warm-up.",
            "Other schedulers: look for a factor that is applied twice.",
            "raise-learning-rate",
            Change("learning_rate", rate, made),
        )


def _never_warm(run: RunView) -> Iterable[Recommendation]:
    """Yield the advice for a rate that has risen to the end of the run."""
    rates, goal = run.learning_rate.finite().values, max(_settings(run, "max_lr"), default=0.0)
    if still_rising(run):
        yield Recommendation(
            "Let the warm-up end within the run: shorten it, or call scheduler.step() after each batch.",
            f"The rate rose from {number(float(rates[0]))} to {number(float(rates[-1]))} and was still rising at the"
            f" last step{f', far from its max_lr of {number(goal)}' if goal else ''}: the schedule counts calls, and"
            " expects more of them.",
            "The rate reaches its peak in the first tenth of the run.",
            "Where the warm-up is too short for the rate, the loss jumps when it is over.",
            "warm-up",
        )


def _higher(rate: float, ratio: float) -> Iterable[Recommendation]:
    """Yield the rate at which updates would be of a good size, where they are too small."""
    verify = "train_loss drops clearly within about 100 steps, at update ratios of 0.001 to 0.01."
    risk = "A rate that is too high makes the loss jump within about 100 steps: then divide it by 3."
    if rate > 0:
        higher = rate_for(ratio, rate, goal=BEARABLE, at_most=1e6) if ratio > 0 else on_grid(100 * rate)
        higher = min(higher, USUAL_RATE)
        because = (
            f"An update changes the weights by {number(ratio)} of their norm; about 0.001 is good."
            if ratio > 0
            else "The loss falls steadily, but so slowly that it gets nowhere."
        )
        change = Change("learning_rate", rate, higher)
        action = f"Raise the learning rate from {number(rate)} to {number(higher)}."
        yield Recommendation(action, because, verify, risk, "raise-learning-rate", change)
    else:
        action = f"Raise the learning rate {number(float(f'{BEARABLE / ratio:.1g}'))}-fold."
        because = f"An update changes the weights by {number(ratio)} of their norm; about 0.001 is good."
        yield Recommendation(action, because, verify, risk, "raise-learning-rate")


def _search() -> Recommendation:
    return Recommendation(
        "Or try 1e-1, 1e-2, 1e-3 and 1e-4 for 100 steps each and keep the one that drops the loss most.",
        "The best rate depends on the model, the optimizer and the scale of the data.",
        "One of them lowers train_loss clearly within 100 steps.",
        recipe="find-learning-rate",
    )
