"""How poor a run is, on its own data and on others, against a model that knows nothing; and whether it still learns."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.rules.chance import Chance, chance_level, chance_of_term
from trainhealth.rules.sampled import usual_batch_size
from trainhealth.series import RunView, Series

_ENOUGH = 100  # examples: their share of right answers is known to a twentieth


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The ends of all losses and accuracies against guessing.

    `levels` are the losses of guessing, in the order of `losses` (train_loss, validation_loss: those that are logged).
    `share` is the lowest end of a loss over its level, less what the level of a squared error is uncertain by; `skill`
    the best (a - guess) / (1 - guess) of an accuracy a, NaN where none is logged or guessing has none.
    """

    losses: tuple[Series, ...]
    levels: tuple[float, ...]
    accuracies: tuple[Series, ...]
    share: float
    skill: float

    @property
    def overfits(self) -> bool:
        """Whether validation is more than a tenth worse than training, each against guessing."""
        return self.worse_by > 1.1

    @property
    def worse_by(self) -> float:
        """How many times the training loss the validation loss is, each against guessing; NaN where one is unknown."""
        shares = [end(series) / level for series, level in zip(self.losses, self.levels, strict=True)]
        if len(shares) != 2:
            return math.nan
        return shares[1] / shares[0] if shares[0] else math.inf

    def improves(self, run: RunView, least: float, *, split: str = "") -> bool:
        """Tell whether a loss fell by `least` of its level, or an accuracy rose by `least`, over the second half.

        `split` ("validation_") chooses curves by how their names begin; where none does, all are looked at.
        """
        curves_of = [series for series in (*self.losses, *self.accuracies) if series.name.startswith(split)]
        for series in curves_of or (*self.losses, *self.accuracies):
            change = curves.trend(series.between(run.last_step // 2, run.last_step))
            better, scale = (1, 1.0) if series in self.accuracies else (-1, abs(end(series)))
            if better * change.z > 2 and better * change.change > least * scale:
                return True
        return False


def measure_fit(run: RunView) -> Fit | str:
    """Return how poor the run is, or why that has no meaning."""
    return _measure(run, "train_loss", chance_level(run))


def measure_fit_of_data(run: RunView) -> Fit | str:
    """Return the same by the loss function alone (`data_loss`), for a loss that has other terms."""
    return _measure(run, "data_loss", chance_of_term(run))


def _measure(run: RunView, train: str, chance: Chance | str) -> Fit | str:
    if isinstance(chance, str):
        return f"what a poor loss is, is not known: {chance}"
    level, guess = _guessing(run, chance)
    if not level > 0:
        return "all targets are one class, or which they are is not known: pass targets= to watch.step"
    losses = tuple(run.series(name) for name in (train, "validation_loss") if run.has(name))
    accuracies = tuple(run.series(name) for name in ("train_accuracy", "validation_accuracy") if run.has(name))
    # a validation loss is a mean, whatever the training loss is
    levels = tuple(level * (chance.scale if series.name == train else 1) for series in losses)
    shares = [end(series) / one for series, one in zip(losses, levels, strict=True)]
    skills = [(share_right(run, series) - guess) / (1 - guess) for series in accuracies] if guess < 1 else []
    return Fit(
        losses,
        levels,
        accuracies,
        float(np.min(shares)) - chance.uncertain if shares else math.nan,
        float(np.max(skills)) if skills else math.nan,
    )


def strongest_decay(run: RunView) -> float:
    """Return the largest weight decay of any parameter group; 0 where there is none."""
    decays = [group.get("weight_decay") for optimizer in run.info.optimizers for group in optimizer.groups]
    return max((float(d) for d in decays if isinstance(d, int | float) and math.isfinite(d)), default=0.0)


def end(series: Series) -> float:
    """Return the median of the last tenth (at least three values); NaN where one of the last three is not finite."""
    if not len(series) or not np.isfinite(series.values[-3:]).all():
        return math.nan
    return float(np.median(series.finite().values[-max(3, len(series) // 10) :]))


def share_right(run: RunView, accuracy: Series) -> float:
    """Return the share of right answers at the end; of small batches the mean over as many as hold `_ENOUGH` examples.

    The accuracy of a batch of one is 0 or 1, and so is the median of a few.
    """
    values, size = accuracy.finite().values, usual_batch_size(run)
    tail = max(3, len(values) // 10)
    by_batch = accuracy.name == "train_accuracy" and len(values) > len(run.epochs)
    if not by_batch or not size * tail < _ENOUGH:
        return end(accuracy)
    return float(np.mean(values[-math.ceil(_ENOUGH / size) :]))


def _guessing(run: RunView, chance: Chance) -> tuple[float, float]:
    """Return loss (a term) and accuracy of a model that gives one answer to everything; NaN where unknown.

    Where the share m of the most frequent class is known, the loss is at most the entropy with all others equally
    frequent. A binary loss against targets that nobody has shown may be that of an adversary, who wants one answer
    only: it is not known what guessing gives.
    """
    if chance.function == "mse":
        return chance.constant, math.nan
    classes = run.facts.get("classes")
    if not isinstance(classes, int) or classes < 2:
        return math.nan, math.nan
    shares = run.series("majority_share").finite().values
    majority = max(float(shares[-1]), 1 / classes) if len(shares) else 1 / classes
    if majority >= 1:
        return 0.0, 1.0
    rest = 1 - majority
    return -majority * math.log(majority) - rest * math.log(rest / (classes - 1)), majority
