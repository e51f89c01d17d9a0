"""RU04 client-drift: between two averagings, each client goes where its own data pull it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.run.ranks import comes_together, distance, norm_spread, only_moves_apart
from trainhealth.series import FloatArray, RunView, Series

NEIGHBOURS = 7  # sampled steps on each side, whose median is the level of the loss


class ClientDrift(Rule):
    """Clients whose weights are averaged now and then lose at each averaging what they had learnt from their own data.

    What it detects
        train_loss of each client (rank) that is higher just after an averaging, when all have equal weights, than just
        before it, when they are far apart: the logarithm of the ratio, over the sampled steps that all clients share.

    Why it matters
        Each client goes towards the optimum of its own data. The mean of these is not the optimum of all data: training
        takes more rounds, and may end at a worse model.

    How it decides
        The spread of the parameters (for each the standard deviation over clients of its L2 norm over the mean norm, of
        these the mean) comes together at least twice, to a third of its largest value since the time before. Sampled
        steps are ordered by spread. In each client, log train_loss less its running median (7 on each side) is
        compared between the third with the smallest spread and the third with the largest. It fires where the
        difference, as the median over clients, is more than `jump`, and more than `errors` standard errors; there are
        at least `least` sampled steps that all share.

    What to try
        A proximal term (FedProx) that holds each client near the average; or fewer local steps a round.

    When it is wrong
        Clients with data of one kind gain by averaging: their loss is lower afterwards, and it is silent. Where rounds
        are so short that few sampled steps lie in each, drift is missed. Ranks that average their gradients at every
        step are never apart; ranks that never come together are RU03's.
    """

    code = "RU04"
    name = "client-drift"
    topic = "run"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss", "parameter_norm")
    uses = ("weight_mean", "weight_std")
    references = (
        Reference(
            "Reg, Regularization: federated learning (FedProx)",
            "The dissimilarity of clients is the variance of their gradients; a proximal term limits local updates.",
        ),
        Reference(
            "Karimireddy et al. 2020, SCAFFOLD",
            "With heterogeneous data, local updates drift towards each client's own optimum.",
            "https://arxiv.org/abs/1910.06378",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        jump: float = option(0.2, "natural logarithm of a ratio", "house choice: the loss is a fifth higher")
        errors: float = option(3.0, "standard errors", "normal distribution: 0.1 %")
        least: int = option(24, "sampled steps", "house choice: eight in each third")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the clients' losses are higher when their weights are equal."""
        if len(run.by_rank) < 2:
            return NotChecked("there is one rank only: no clients to compare")
        spread = norm_spread(run)
        if len(spread) < options.least:
            return NotChecked(f"it takes {options.least} sampled steps that all ranks share")
        if not comes_together(spread) or only_moves_apart(distance(run), 0.0):
            return []
        jumps, errors = zip(*(_jump(rank, spread) for rank in run.by_rank.values()), strict=True)
        jump, error = float(np.median(jumps)), float(np.median(errors)) / math.sqrt(len(jumps))
        if not (jump > options.jump and jump > options.errors * error):
            return []
        return [self._describe(run, spread, jump)]

    def _describe(self, run: RunView, spread: Series, jump: float) -> Finding:
        apart, first, last = float(spread.values.max()), int(spread.steps[0]), spread.last_step
        return self.finding(
            f"{len(run.by_rank)} clients move up to {apart:.1%} apart between averagings, and train_loss of each is"
            f" {math.expm1(jump):.0%} higher after one than before: what averaging keeps is not what they learnt.",
            [
                Evidence("train_loss", None, first, last, math.exp(jump), "ratio after to before averaging about 1"),
                Evidence("parameter_norm", None, first, last, apart, f"spread well below {number(apart)}"),
            ],
            [
                Recommendation(
                    "Add a proximal term to each client's loss: 0.005 x the squared distance to the averaged weights.",
                    "It pulls each client back to the average, in proportion to how far it has gone.",
                    "The jump of train_loss at each averaging gets smaller.",
                    "Too large a factor slows all clients down: try 0.001 to 1.",
                    "fedprox",
                    Change("proximal_term", 0.0, 0.01),
                ),
                Recommendation(
                    "Average twice as often: halve the local steps of a round.",
                    "Drift grows with the number of steps that a client takes alone.",
                    "The largest spread of the weights about halves.",
                    "Twice as much is sent over the network.",
                ),
            ],
        )


def _jump(client: RunView, spread: Series) -> tuple[float, float]:
    """Return by how much log train_loss is higher where the clients are together, and the standard error of that."""
    losses = client.series("train_loss")
    values = np.array([losses.at(int(step)) for step in spread.steps])
    known = np.isfinite(values) & (values > 0)
    if known.sum() < 6:
        return 0.0, math.inf
    ordered = _detrended(np.log(values[known]))[np.argsort(spread.values[known], kind="stable")]
    third = len(ordered) // 3
    together, apart = ordered[:third], ordered[-third:]
    return float(together.mean() - apart.mean()), math.sqrt((together.var() + apart.var()) / third)


def _detrended(values: FloatArray) -> FloatArray:
    """Return the values less their running median."""
    around = [values[max(i - NEIGHBOURS, 0) : i + NEIGHBOURS + 1] for i in range(len(values))]
    levels: FloatArray = np.array([np.median(part) for part in around])
    return values - levels
