"""GR02 exploding-gradients: the gradient grows by orders of magnitude with depth or time, and the loss breaks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import Breakdown, poor_loss, untrained_loss
from trainhealth.rules.clipping import clipping
from trainhealth.rules.depth import by_depth, gradient_slope
from trainhealth.rules.objective import moving_target
from trainhealth.rules.update_ratio import model_update_ratio
from trainhealth.series import RunView

_USUAL = 8  # values before a jump that show what is usual
_THROWN = 0.1  # update ratio: after such an update the gradient is that of another place


class _Explosion(NamedTuple):
    """How the gradient exploded: since when, where (None: as a whole), the number that shows it, and a clause."""

    step: int
    place: str | None
    observed: float
    expected: str
    fact: str


class ExplodingGradients(Rule):
    """Gradients explode: they grow by orders of magnitude with depth, or from step to step, and the loss breaks.

    What it detects
        parameter_gradient_norm and gradient_norm (loss unit / parameter unit, before clipping): over the depth of the
        untrained model, against the loss, and over time.

    Why it matters
        The gradient is a product over layers, or over the steps of a recurrent net. Where its factors are above 1 on
        average, a single update of an ordinary rate throws the weights far beyond the range in which the gradient
        meant anything.

    How it decides
        train_loss is poor: it broke, or it stands above `poor` of the untrained loss; and one of
        (1) depth, before the first update: the median relative gradient (norm of gradient / norm of weight) of the
        first third of at least four hidden weights is at least `apart` times that of the last third;
        (2) size, before the first update: norm of gradient x norm of weight / loss of a weight is at least `size`:
        an update of 0.001 of the weight then changes the loss, to first order, by as much as the loss is;
        (3) time: gradient_norm becomes `jump` times the median of all values before, of which there are at least eight,
        no later than one step after the loss was last near its best.

    What to try
        Clipping the norm; He or Xavier initialisation (orthogonal for recurrent weights); normalisation; LSTM or GRU.

    When it is wrong
        Norms without regard to scale say nothing: a summed loss has gradients as many times larger as the batch has
        samples, which cancels in (1) and (2). A healthy run has steep batches, and gradients that grow while it
        learns: silent at a good loss. A rate that is too high makes gradients jump as well, when it has thrown the
        weights away: silent in (3) if an update before the jump was a tenth of the weights or more; without update
        ratios that can't be told, and the finding is a hint.
    """

    code = "GR02"
    name = "exploding-gradients"
    topic = "gradients"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("gradient_norm", "train_loss")
    uses = ("parameter_gradient_norm", "parameter_norm", "clipped_gradient_norm", "update_ratio")
    references = (
        Reference(
            "UO, Underfitting, Overfitting, Regularization, Optimization: cliffs and exploding gradients",
            "Many layers, or steps of a recurrent net, make cliffs: an update there can throw the parameters very far.",
        ),
        Reference(
            "Pascanu, Mikolov and Bengio 2013, On the difficulty of training recurrent neural networks",
            "The norm of a product of Jacobians can grow exponentially; clipping the norm prevents the jump.",
            "https://arxiv.org/abs/1211.5063",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        apart: float = option(1000.0, "first third / last third", "house choice: as for vanishing-gradients")
        size: float = option(1000.0, "relative change of loss / of weight", "lectures: updates of 0.001 are good")
        jump: float = option(100.0, "times the median before", "house choice: peers' 10 is reached in healthy runs")
        poor: float = option(0.6, "share of the untrained loss", "house choice: as for the other rules")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if gradients exploded and the loss is broken or poor."""
        lost = poor_loss(run, options.poor)
        if lost is None or (moving_target(run) and lost.kind != "nonfinite"):
            return []
        found = _with_depth(run, options.apart) or _against_loss(run, options.size) or _in_time(run, lost, options.jump)
        if found is None:
            return []
        signal = "parameter_gradient_norm" if found.place else "gradient_norm"
        return [
            self.finding(
                f"{found.fact}; {lost.fact}.",
                [Evidence(signal, found.place, found.step, found.step, found.observed, found.expected)],
                _recommend(run, at_start=found.step <= 1),
                severity=Severity.CRITICAL if lost.kind in ("nonfinite", "exploded") else Severity.WARNING,
                confidence=Confidence.LIKELY if found.place or run.has("update_ratio") else Confidence.HINT,
            )
        ]


def _with_depth(run: RunView, apart: float) -> _Explosion | None:
    """Return the explosion over the depth of the untrained model."""
    slope = gradient_slope(run)
    if slope is None or slope.steps[0] > 1 or not apart <= slope.ratio[0] < math.inf:
        return None
    ratio = f"{number(float(f'{slope.ratio[0]:.2g}'))} times"
    return _Explosion(
        int(slope.steps[0]),
        slope.places[0],
        float(slope.first[0]),
        f"about {number(float(slope.last[0]))}, as in the last layers (gradient norm / weight norm)",
        f"The first layers ({slope.places[0]} …) get {ratio} the gradient of the last ones (… {slope.places[-1]}), "
        f"each relative to its weights",
    )


def _against_loss(run: RunView, size: float) -> _Explosion | None:
    """Return the explosion that shows in the size of the gradient against weight and loss, before any update."""
    gradients, norms = by_depth(run, "parameter_gradient_norm"), by_depth(run, "parameter_norm")
    loss = max(run.series("train_loss").at(0), untrained_loss(run))
    if gradients.places != norms.places or not len(gradients) or not len(norms) or not loss > 0:
        return None
    if gradients.steps[0] > 0 or norms.steps[0] > 0:
        return None
    sizes = norms.values[0].astype(np.float64)
    ratios = by_depth(run, "update_ratio")
    if ratios.places == norms.places and len(ratios) and ratios.steps[0] == 0:
        sizes = sizes / (1 + np.nan_to_num(ratios.values[0], nan=0.0))  # at least that, before the first update
    changes = gradients.values[0].astype(np.float64) * sizes / loss
    changes = np.where(np.isfinite(changes), changes, 0.0)
    worst = int(np.argmax(changes)) if len(changes) else -1
    if worst < 0 or changes[worst] < size:
        return None
    return _Explosion(
        0,
        gradients.places[worst],
        float(gradients.values[0][worst]),
        f"below {number(size * loss / float(sizes[worst]))} at this weight norm and loss",
        f"At step 0 a change of {gradients.places[worst]} by 0.001 of its norm would change train_loss, to first "
        f"order, by {number(float(f'{changes[worst] / 1000:.2g}'))} times its value",
    )


def _in_time(run: RunView, lost: Breakdown, jump: float) -> _Explosion | None:
    """Return the first jump of the gradient's norm that comes before the loss has broken."""
    if lost.kind in ("stuck", "stalled"):
        return None
    norms, ratios = run.series("gradient_norm").between(0, lost.first_step + 1), model_update_ratio(run)
    for index in range(_USUAL, len(norms)):
        before, value, step = norms.values[:index], float(norms.values[index]), int(norms.steps[index])
        usual = float(np.median(before[np.isfinite(before)])) if np.isfinite(before).any() else 0.0
        if not value >= jump * usual > 0:
            continue
        if ratios.between(0, step - 1).values[-_USUAL:].max(initial=0.0) >= _THROWN:
            return None
        times = number(float(f"{value / usual:.2g}"))
        fact = f"At step {step} the gradient's norm is {number(value)}, {times} times the median before"
        return _Explosion(step, None, value, f"about {number(usual)}", fact)
    return None


def _recommend(run: RunView, *, at_start: bool) -> Iterable[Recommendation]:
    verify = "No gradient norm is above 100 times the median before it, and train_loss does not jump."
    initialise = Recommendation(
        "Initialise the weights smaller: He before ReLU, Xavier before tanh, orthogonal for recurrent weights.",
        "Factors around 1 in every layer keep the product at one size, however many there are.",
        "At step 0 the gradients of all layers are within a hundred times of each other, relative to their weights.",
        recipe="xavier-initialization",
    )
    if at_start:
        yield initialise
    if clipping(run).acted == 0:
        norms = run.series("gradient_norm").finite().values
        usual = float(f"{np.median(norms):.1g}") if len(norms) and not at_start else 1.0
        yield Recommendation(
            f"Clip the norm of the gradient at {number(usual) if usual > 0 else 1} before every update.",
            "A steep place then costs one step of ordinary length, in the right direction.",
            verify,
            "It hides the reason: if most steps are clipped, mend the initialisation or the rate.",
            "gradient-clipping",
        )
    yield Recommendation(
        "Normalise: layer normalisation in recurrent nets and transformers, batch normalisation elsewhere.",
        "It keeps every factor of the product near 1 while the weights change.",
        verify,
        recipe="layer-normalization",
    )
