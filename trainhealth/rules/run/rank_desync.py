"""RU03 rank-desync: ranks that should train one model train several."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.run.ranks import APART, rounds, weight_spread
from trainhealth.series import RunView, Series


class RankDesync(Rule):
    """The ranks' weights move apart and never come together: each trains a model of its own.

    What it detects
        The spread of the ranks' parameters: for each the standard deviation over ranks of its L2 norm over the mean
        norm, of these the mean (a fraction); or a rank whose newest step lies far behind the others'.

    Why it matters
        Each rank sees its share of the data only. What is saved is one rank's model, trained on that share.

    How it decides
        From the sampled steps that all ranks share, at least `least` of them. The ranks began with about equal
        parameters (spread below `equal` at the first), end apart by more than `apart` and three times the first, and
        did not come together twice in between (to a third of the largest spread since the time before). Or: the newest
        steps of two ranks are more than `behind` steps and a fifth of the run apart.

    What to try
        Train the wrapped model (DistributedDataParallel): its gradients are averaged over all ranks in every backward.

    When it is wrong
        Federated clients and local SGD move apart on purpose, and come together at each averaging: silent from the
        second time on. Ranks that begin with different weights may hold shards of one model (FSDP, tensor parallel):
        silent, and ranks that were initialised with different seeds are missed with them. A file that a slow network
        shows late looks like a rank that is behind, until it comes. One rank has nothing to compare: not checked.
    """

    code = "RU03"
    name = "rank-desync"
    topic = "run"
    severity = Severity.CRITICAL
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss",)
    uses = ("parameter_norm",)
    references = (
        Reference(
            "Li et al. 2020, PyTorch Distributed: Experiences on Accelerating Data Parallel Training",
            "Replicas that start equal and average their gradients at every step stay equal.",
            "https://arxiv.org/abs/2006.15704",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        least: int = option(16, "sampled steps", "house choice: a federated round comes together within them")
        apart: float = option(APART, "spread, fraction", "a hundred times what 5 digits leave of equal weights")
        equal: float = option(0.02, "spread, fraction", "house choice: one update of biases that began near zero")
        behind: int = option(100, "steps", "house choice: records come a few steps late on an accelerator")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return one finding: of weights that moved apart, else of a rank that is behind."""
        if len(run.by_rank) < 2:
            return NotChecked("there is one rank only: nothing to compare")
        spread = weight_spread(run)
        found = self._behind(run, options)
        if len(spread) < options.least and found is None:
            return NotChecked(f"it takes {options.least} sampled steps that all ranks share")
        if len(spread) >= options.least and _moves_apart(spread, options):
            return [self._apart(run, spread)]
        return [found] if found else []

    def _apart(self, run: RunView, spread: Series) -> Finding:
        first = int(spread.steps[(spread.values > APART).argmax()])
        now = float(spread.values[-1])
        return self.finding(
            f"The parameters of {len(run.by_rank)} ranks were {spread.values[0]:.2%} apart at step"
            f" {int(spread.steps[0])}, and are {now:.2%} apart at step {spread.last_step}: each rank trains a model of its own.",
            [Evidence("parameter_norm", None, first, spread.last_step, now, "spread over ranks below 1e-4")],
            [
                Recommendation(
                    "Call the model that DistributedDataParallel returns, not the one that was put into it.",
                    "Only the wrapped model's forward arms the averaging of gradients; so does no_sync only skip it.",
                    "The ranks' parameter norms are equal to all digits at every step.",
                    "With a batch that is larger by the number of ranks, the rate may need to grow with it.",
                )
            ],
        )

    def _behind(self, run: RunView, options: Options) -> Finding | None:
        ends = {rank: view.last_step for rank, view in run.by_rank.items()}
        slow, fast = min(ends, key=ends.__getitem__), max(ends, key=ends.__getitem__)
        if ends[fast] - ends[slow] <= max(options.behind, ends[fast] / 5):
            return None
        ended = run.by_rank[slow].ended
        why = f" (its log ended: {ended})" if ended else ""
        return self.finding(
            f"Rank {slow} has stopped at step {ends[slow]}{why}, and rank {fast} is at step {ends[fast]}.",
            [
                Evidence(
                    "train_loss", None, max(ends[slow], 0), ends[fast], float(ends[slow]), f"step {number(ends[fast])}"
                )
            ],
            [
                Recommendation(
                    f"Look at what the process of rank {slow} printed last, and at its machine.",
                    "Ranks that average gradients wait for each other: if others go on, they no longer do.",
                    "All ranks' newest steps are the same.",
                )
            ],
        )


def _moves_apart(spread: Series, options: RankDesync.Options) -> bool:
    first, last = float(spread.values[0]), float(spread.values[-1])
    return first < options.equal and last > max(options.apart, 3 * first) and rounds(spread) < 2
