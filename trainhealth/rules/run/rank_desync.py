"""RU03 rank-desync: ranks that should train one model train several."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.run.ranks import distance, only_moves_apart
from trainhealth.series import RunView, Series


class RankDesync(Rule):
    """The ranks' weights move apart and never come together: each trains a model of its own.

    What it detects
        The distance of the ranks' weights (standard deviations over ranks of each parameter's mean and standard
        deviation, before the update, in its standard deviations; the mean over all); or a rank whose newest step lies
        far behind the others'.

    Why it matters
        Each rank sees its share of the data only. What is saved is one rank's model, trained on that share.

    How it decides
        From the steps at which all ranks measured their weights (0, 1, 2, 4, 8, ...), at least `least` of them. The
        ranks began equal (distance below 1e-5), and the mean of the last two distances is above `apart` and twice the
        largest one of the first eighth of the run: they have moved apart all the time. Or: the newest steps of two
        ranks are more than `behind` steps and a fifth of the run apart.

    What to try
        Train the wrapped model (DistributedDataParallel): its gradients are averaged over all ranks in every backward.

    When it is wrong
        Federated clients and local SGD move apart on purpose. After their first few rounds the distance no longer
        grows, and it is silent; in the first round, or where the measured steps fall on the wrong phases of the rounds,
        it is wrong. Ranks that begin with different weights may hold shards of one model (FSDP, tensor parallel):
        silent, and ranks that were initialised with different seeds are missed with them. A file that a slow network
        shows late looks like a rank that is behind, until it comes. One rank has nothing to compare: not checked.
    """

    code = "RU03"
    name = "rank-desync"
    topic = "run"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss",)
    uses = ("weight_mean", "weight_std")
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

        least: int = option(8, "measured steps", "house choice: up to step 64")
        apart: float = option(1e-4, "distance, standard deviations", "ten times what 5 digits leave of equal weights")
        behind: int = option(100, "steps", "house choice: records come a few steps late on an accelerator")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return one finding: of weights that moved apart, else of a rank that is behind."""
        if len(run.by_rank) < 2:
            return NotChecked("there is one rank only: nothing to compare")
        apart, behind = distance(run), self._behind(run, options)
        if len(apart) < options.least and behind is None:
            return NotChecked(f"it takes {options.least} steps at which all ranks measured their weights")
        if len(apart) >= options.least and only_moves_apart(apart, options.apart):
            return [self._apart(run, apart)]
        return [behind] if behind else []

    def _apart(self, run: RunView, apart: Series) -> Finding:
        now = float(apart.values[-1])
        return self.finding(
            f"{len(run.by_rank)} ranks had equal weights at step {int(apart.steps[0])}, and at step {apart.last_step}"
            f" their weights are {now:.2g} standard deviations apart: each rank trains a model of its own.",
            [Evidence("weight_mean", None, int(apart.steps[1]), apart.last_step, now, "below 1e-5: equal")],
            [
                Recommendation(
                    "Call the model that DistributedDataParallel returns, not the one that was put into it.",
                    "Only the wrapped model's forward arms the averaging of gradients; within no_sync there is none.",
                    "All ranks log equal weight_mean and weight_std.",
                    "The batch is then larger by the number of ranks: the rate may need to grow with it.",
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
