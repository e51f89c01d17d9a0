"""A cautious learning rate from the size of the first updates: for models that leave no time for a search."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from trainhealth.checkups.short_training import rate_of
from trainhealth.checkups.subject import DEFAULT_RATE, Subject
from trainhealth.rules.update_ratio import GOOD, model_update_ratio


@dataclass(frozen=True, slots=True)
class Guess:
    """A rate with which the first updates change the weights by a thousandth, and what it was told from."""

    rate: float
    seen_rate: float
    seen_ratio: float  # median over the first updates, of the medians over the weights


def guess(subject: Subject) -> Guess | None:
    """Return the rate whose updates are `GOOD` of the weights (Tr1, Opt), or None where no update shows.

    A few steps are enough, because updates grow in proportion to the rate. It is on the safe side: small models on runs
    of hundreds of steps trained best at ten to a hundred times as much.
    """
    rate = DEFAULT_RATE if subject.optimizer is None else rate_of(subject.optimizer)
    ratios = [float(one) for one in model_update_ratio(subject.watched.view).values if 0 < one < math.inf]
    if not ratios or not rate:
        return None
    ratio = statistics.median(ratios)
    return Guess(rate * GOOD / ratio, rate, ratio)
