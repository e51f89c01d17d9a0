"""Short trainings of a subject: always from the same start, on the same batches, judged on held-out ones."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from itertools import cycle

import torch
from torch import Tensor
from torch.optim import Optimizer

from trainhealth.checkups.batches import Batches, size_of
from trainhealth.checkups.rate_search import Course
from trainhealth.checkups.subject import Subject, Trial

EVERY = 5  # the how manieth batch is held out, where no validation data were passed
MOST_HELD_OUT = 16  # batches that a training is judged on; a quarter of an epoch where that is more
DRAWING = 0.1  # share of the time that drawing the coming epochs may take
EXPLODED = 3.0  # times the original loss: Tr1 and L16 break off there
AVERAGED = 5  # steps of which the mean counts
KICK = 0.25  # share of a training in which it may explode and come back, as from RMSprop's long first update
MOST_FIRST = 8  # batches whose mean is the original loss: that of one batch may be far off


class ShortTraining:
    """Trains copies of a subject; see `rate_search.Train`."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._original = self._first_loss()
        self._coming: Batches | None = None
        self.steps, self._seconds = 0, 0.0  # made so far

    @property
    def seconds_a_step(self) -> float:
        """The mean time that a step has taken, with all that belongs to it."""
        return self._seconds / max(self.steps, 1)

    def follow(self, steps: int) -> bool:
        """Let trainings meet the batches that the user's own will meet, in that order; return whether they will.

        That needs a validation split to judge by: without one a part of every epoch would have to be held out, and a
        loader that shuffles has no part twice.
        """
        if self._subject.validation is None or self._subject.coming is None:
            return False
        self._coming = self._subject.coming.draw(steps, DRAWING * self._subject.time_left())
        return True

    def __call__(self, rates: Sequence[float], looks: int = 0, repeat: int = 0) -> Course:
        """Train one step with each rate, and measure `looks` times, evenly spaced, on held-out batches."""
        began = time.monotonic()
        trained_on, judged_by = self._parted(repeat)
        trial = self._subject.fresh()
        if repeat:
            torch.manual_seed(repeat)  # another dropout, too
        shares = rate_shares(trial.optimizer)
        due = {round(len(rates) * (look + 1) / looks) for look in range(looks)}
        losses: list[float] = []
        held_out: list[float] = []
        order = self._order(len(trained_on), repeat)
        judged_from = max(KICK * len(rates) if looks else 0, AVERAGED)  # a range test is there to find where it breaks
        for step, rate in enumerate(rates, start=1):
            set_rate(trial.optimizer, rate, shares)
            losses.append(float(trial.step(trained_on[next(order)]).loss.detach()))
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

    def _parted(self, repeat: int) -> tuple[Batches, Batches]:
        """Return the batches to train on, and those to judge by; the same ones, where there is only one.

        Every repeat holds others out, where no validation data were passed.
        """
        drawn, held_out = self._subject.batches, self._subject.validation
        if held_out is not None:
            return self._coming or drawn, held_out[: max(MOST_HELD_OUT, self._subject.epoch_steps // 4)]
        if len(drawn) == 1:
            return drawn, drawn
        every = min(EVERY, len(drawn))
        first = (every - 1 - repeat) % every
        kept = [index for index in range(len(drawn)) if index % every != first]
        return drawn.chosen(kept), drawn[first::every][:MOST_HELD_OUT]

    def _order(self, count: int, repeat: int) -> Iterator[int]:
        """Return the order of the batches, without end: as they come, or each epoch in another one."""
        if self._coming is not None and repeat == 0:
            return cycle(range(count))
        return _shuffled(count, self._subject.epoch_steps, repeat)

    def _broken(self, losses: Sequence[float], judged_from: float) -> bool:
        last = losses[-AVERAGED:]
        if not math.isfinite(last[-1]):
            return True
        # a cost that is not positive has no three times
        return self._original > 0 and len(losses) > judged_from and sum(last) / len(last) > EXPLODED * self._original


def loss_on(trial: Trial, batches: Batches) -> float:
    """Return the mean loss of a copy over the examples of batches, in evaluation mode; the copy then trains on."""
    modes = [(module, module.training) for module in trial.model.modules()]
    trial.model.eval()
    total = examples = 0.0
    with torch.no_grad():
        for batch in batches:
            size = size_of(batch) or 1
            total, examples = total + size * float(trial.loss(batch)), examples + size
    for module, training in modes:
        module.training = training  # some layers may be kept in evaluation mode while others train
    return total / examples


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


def _shuffled(count: int, epoch: int, repeat: int) -> Iterator[int]:
    """Yield `count` batches without end, those of each epoch in a random order."""
    random = torch.Generator().manual_seed(repeat)
    while True:
        for first in range(0, count, epoch):
            length = min(epoch, count - first)
            yield from (first + place for place in torch.randperm(length, generator=random).tolist())
