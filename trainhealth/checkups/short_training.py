"""Short trainings of a subject: always from the same start, on the same batches, judged on held-out ones."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from trainhealth.checkups.batches import Batches
from trainhealth.checkups.rate_search import Course
from trainhealth.checkups.subject import Subject, Trial

EVERY = 5  # the how manieth batch is held out, where no validation data were passed
MOST_HELD_OUT = 16  # batches that a training is judged on
EXPLODED = 3.0  # times the original loss: Tr1 and L16 break off there
AVERAGED = 5  # steps of which the mean counts
KICK = 0.25  # share of a training in which it may explode and come back, as from RMSprop's long first update
MOST_FIRST = 8  # batches whose mean is the original loss: that of one batch may be far off


class ShortTraining:
    """Trains copies of a subject; see `rate_search.Train`."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._original = self._first_loss()
        self.steps, self._seconds = 0, 0.0  # made so far

    @property
    def seconds_a_step(self) -> float:
        """The mean time that a step has taken, with all that belongs to it."""
        return self._seconds / max(self.steps, 1)

    def __call__(self, rates: Sequence[float], looks: int = 0, repeat: int = 0) -> Course:
        """Train one step with each rate, and measure `looks` times, evenly spaced, on held-out batches."""
        began = time.monotonic()
        trained_on, judged_by = _parted(self._subject, repeat)
        trial = self._subject.fresh()
        if repeat:
            torch.manual_seed(repeat)  # another dropout, too
        shares = rate_shares(trial.optimizer)
        due = {round(len(rates) * (look + 1) / looks) for look in range(looks)}
        losses: list[float] = []
        held_out: list[float] = []
        order = _shuffled(trained_on, repeat)
        judged_from = max(KICK * len(rates) if looks else 0, AVERAGED)  # a range test is there to find where it breaks
        for step, rate in enumerate(rates, start=1):
            set_rate(trial.optimizer, rate, shares)
            losses.append(float(trial.step(self._subject.batches[next(order)]).loss.detach()))
            if self._broken(losses, judged_from):
                break
            if step in due:
                held_out.append(loss_on(trial, judged_by))
        self.steps += len(losses)
        self._seconds += time.monotonic() - began
        held_out += [math.inf] * (len(due) - len(held_out))
        return Course(tuple(losses), tuple(value if math.isfinite(value) else math.inf for value in held_out))

    def _first_loss(self) -> float:
        trial = self._subject.fresh()
        first = self._subject.batches[:MOST_FIRST]
        with torch.no_grad():
            return sum(float(trial.loss(batch)) for batch in first) / len(first)

    def _broken(self, losses: Sequence[float], judged_from: float) -> bool:
        last = losses[-AVERAGED:]
        if not math.isfinite(last[-1]):
            return True
        # a cost that is not positive has no three times
        return self._original > 0 and len(losses) > judged_from and sum(last) / len(last) > EXPLODED * self._original


def loss_on(trial: Trial, batches: Batches) -> float:
    """Return the mean loss of a copy on batches, in evaluation mode; the copy then trains on."""
    modes = [(module, module.training) for module in trial.model.modules()]
    trial.model.eval()
    with torch.no_grad():
        losses = [float(trial.loss(batch)) for batch in batches]
    for module, training in modes:
        module.training = training  # some layers may be kept in evaluation mode while others train
    return sum(losses) / len(losses)


def rate_of(optimizer: Optimizer) -> float:
    """Return the learning rate, the highest of an optimizer's groups."""
    return max(float(group["lr"]) for group in optimizer.param_groups)


def rate_shares(optimizer: Optimizer) -> list[float]:
    """Return the rate of each group over the highest: what a new rate has to keep."""
    highest = rate_of(optimizer)
    return [float(group["lr"]) / highest if highest else 1.0 for group in optimizer.param_groups]


def set_rate(optimizer: Optimizer, rate: float, shares: Sequence[float]) -> None:
    """Set the rate of the group with the highest, and those of the others in proportion."""
    for group, share in zip(optimizer.param_groups, shares, strict=True):
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate * share)
        else:
            group["lr"] = rate * share


def _parted(subject: Subject, repeat: int) -> tuple[list[int], Batches]:
    """Return which batches to train on, and those to judge by; the same ones, where there is only one.

    Every repeat holds others out, where no validation data were passed.
    """
    count = len(subject.batches)
    if subject.validation is not None:
        return list(range(count)), subject.validation[:MOST_HELD_OUT]
    if count == 1:
        return [0], subject.batches
    every = min(EVERY, count)
    first = (every - 1 - repeat) % every
    kept = [index for index in range(count) if index % every != first]
    return kept, subject.batches[first::every][:MOST_HELD_OUT]


def _shuffled(batches: Sequence[int], repeat: int) -> Iterator[int]:
    """Yield the batches without end, each epoch in another order."""
    random = torch.Generator().manual_seed(repeat)
    while True:
        yield from (batches[place] for place in torch.randperm(len(batches), generator=random).tolist())
