"""What to do after the checkup: the lectures' steps 4 to 7 with values for this model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from trainhealth.checkups.base import Check, Outcome
from trainhealth.checkups.batches import size_of
from trainhealth.checkups.rate_range import WEIGHT_DECAYS, planned_rate
from trainhealth.checkups.subject import DEFAULT_RATE, Subject
from trainhealth.rules.base import number

COARSE = math.sqrt(10.0)  # times and over the suggested rate: half a decade each way
EDGE = 10.0  # where the coarse range ends: a decade below; above, at the rate that breaks


@dataclass(frozen=True, slots=True)
class Values:
    """What the plan is written with."""

    model: str
    optimizer: str
    rate: float
    measured: bool  # whether the rate was searched for; else it is the optimizer's own
    low: float
    high: float
    batch: int | None
    momentum: float  # of the optimizer; 0 where it has none, and the rates are for none

    @property
    def grid(self) -> list[float]:
        """The rates of the coarse grid, those that break left out."""
        rates = [self.rate / COARSE, self.rate, self.rate * COARSE]
        return [float(f"{rate:.2g}") for rate in rates if rate <= self.high]


class Plan(Check):
    """A written plan for the search that follows."""

    name = "plan"
    title = "plan"
    order = 100
    share = 0.1
    needs_gradient = False

    def run(self, subject: Subject) -> Outcome:
        """Write the plan and the study from what the other checks have found."""
        values = _values(subject)
        return Outcome(documents={"plan.md": _plan(values), "study.py": _study(values)})


def _values(subject: Subject) -> Values:
    advice: dict[str, Any] = {}
    for outcome in subject.outcomes.values():
        advice |= dict(outcome.advice)
    own = DEFAULT_RATE if subject.optimizer is None else planned_rate(subject.optimizer) or DEFAULT_RATE
    rate = float(advice.get("learning_rate", own))
    breaks = float(advice.get("learning_rate_breaks", rate * EDGE))
    groups = [] if subject.optimizer is None else subject.optimizer.param_groups
    return Values(
        type(subject.model).__name__,
        "AdamW" if subject.optimizer is None else type(subject.optimizer).__name__,
        rate,
        "learning_rate" in advice,
        float(f"{rate / EDGE:.2g}"),
        float(f"{min(max(breaks, 2 * rate), rate * EDGE):.2g}"),
        size_of(subject.batches[0]),
        float(groups[0].get("momentum", 0.0)) if groups else 0.0,
    )


def _plan(values: Values) -> str:
    grid = ", ".join(number(rate) for rate in values.grid)
    decays = ", ".join(number(decay) for decay in WEIGHT_DECAYS)
    source = "the checkup's search" if values.measured else "the optimizer as it is; the search was not run"
    batch = "" if values.batch is None else f", batches of {values.batch}"
    return f"""# Plan for {values.model}

{values.optimizer}{batch}. The starting learning rate is {number(values.rate)} ({source}).

The steps are those of the lecture on optimizing neural networks; 1 to 3 are the checkup.

## Step 4: coarse grid, 1 to 5 epochs each

Learning rates {grid}; weight decays {decays}. No learning-rate decay, and dropout and augmentation as planned.
Break a trial off when its loss is above three times the first one. Look at the validation loss of all in one plot.

If the best trial lies at an edge ({number(values.low)} or {number(values.high)} are the widest that make sense), move
the range there and run again before going on.

## Step 5: refine, 10 to 20 epochs each

Around the two or three best trials, draw 8 to 12 at random, log-uniformly: the learning rate between half and twice
the best one, the weight decay between a third and three times the best one (0 stays 0). Still no learning-rate decay.
`study.py` does steps 4 and 5 with Optuna.

## Step 6: look at the loss and accuracy curves

Run each with `trainhealth.watch(model, optimizer)`, and read `trainhealth check`:

- flat, then falling: the initialisation, or a warm-up is missing;
- falling to a plateau: decay the rate there;
- validation still improving at the end: train longer;
- a wide gap between training and validation: regularise, or get more data;
- no gap, and both poor: a larger model, or longer training.

## Step 7: go to step 5

With what step 6 has shown, until the curves have nothing more to say. Then train the best setting to the end, with
cosine or step decay of the rate, and a second and third seed: what differs less than they do, is not better.
"""


def _study(values: Values) -> str:
    fine_momentum = (
        '    momentum = trial.suggest_categorical("momentum", [0.9, 0.95, 0.99])\n' if values.momentum else ""
    )
    named = "rate, decay, momentum" if values.momentum else "rate, decay"
    first = f"rate, decay, {values.momentum!r}" if values.momentum else named
    return f'''"""The search for {values.model} with {values.optimizer}: steps 4 and 5 of plan.md, with Optuna.

Write `train`, then: python study.py
"""

import optuna

RATES, DECAYS = {values.grid!r}, {WEIGHT_DECAYS!r}
COARSE_EPOCHS, FINE_EPOCHS = 3, 15
FINE_TRIALS = 10


def train({named}, epochs, trial):
    """Train for so many epochs and return the best validation loss.

    After each epoch: trial.report(validation_loss, epoch), and raise optuna.TrialPruned() if trial.should_prune() or
    the loss is above three times the first one.
    """
    raise NotImplementedError("your training")


def coarse(trial):
    rate = trial.suggest_categorical("learning_rate", RATES)
    decay = trial.suggest_categorical("weight_decay", DECAYS)
    return train({first}, COARSE_EPOCHS, trial)


def fine(trial, best):
    rate = trial.suggest_float("learning_rate", best["learning_rate"] / 2, best["learning_rate"] * 2, log=True)
    decay = best["weight_decay"]
    if decay:
        decay = trial.suggest_float("weight_decay", decay / 3, decay * 3, log=True)
{fine_momentum}    return train({named}, FINE_EPOCHS, trial)


def search(objective, trials, name, sampler):
    pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1)
    study = optuna.create_study(direction="minimize", pruner=pruner, study_name=name, sampler=sampler)
    study.optimize(objective, n_trials=trials)
    return study


def main():
    grid = optuna.samplers.GridSampler({{"learning_rate": RATES, "weight_decay": DECAYS}})
    best = search(coarse, len(RATES) * len(DECAYS), "coarse", grid).best_params
    if best["learning_rate"] in (RATES[0], RATES[-1]):
        print("The best rate lies at an edge: move RATES on (from {values.low!r} to {values.high!r}), and run again.")
    found = search(lambda trial: fine(trial, best), FINE_TRIALS, "fine", optuna.samplers.RandomSampler())
    print(found.best_value, best | found.best_params)


if __name__ == "__main__":
    main()
'''
