"""DA12 counted-padding: the filling of short sequences counts as a class to be learnt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Change, Confidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import recent_level
from trainhealth.rules.chance import unknown_loss
from trainhealth.rules.loss_input import loss_seen
from trainhealth.series import RunView


class CountedPadding(Rule):
    """Sequences are filled up to one length, and the loss counts the filling as if it were data.

    What it detects
        One class index that stands at the end (or the beginning) of the first batch's target sequences and nowhere
        else, in unlike lengths; its share of all targets (fraction); and the index that the cross-entropy ignores.

    Why it matters
        The filling is the easiest class of all. Loss and accuracy are means over it: they look better than they are,
        hardly change once it is learnt, and the part of the gradient that is left for the data shrinks with its share.

    How it decides
        The loss is cross_entropy or nll_loss and takes its mean or sum itself; the filling, as above, is at least
        `share` of the targets, and is not the ignored index. A warning from `half` on, below it a note.

    What to try
        ignore_index of the filling's class; or a mask on the loss of each position.

    When it is wrong
        A class that truly follows all others and lasts to the end (a final state) looks like filling; with fewer than
        4 other classes, where that is common, it is silent. A weight of 0 for that class in the loss is not seen. A
        mask on unreduced losses is: silent. One end mark a sequence: silent, all lengths are one. Targets that were
        flattened before they were passed to watch.step show no sequences: silent.
    """

    code = "DA12"
    name = "counted-padding"
    topic = "data"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss",)
    references = (
        Reference(
            "PyTorch documentation: torch.nn.CrossEntropyLoss",
            "A target equal to ignore_index does not contribute to the loss, its mean or the gradient.",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        share: float = option(
            0.2, "fraction of the targets", "house choice: with less, loss and accuracy hardly change"
        )
        half: float = option(0.5, "fraction of the targets", "more of the loss is about filling than about data")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the loss counts the filling."""
        function = run.facts.get("loss_function")
        if not isinstance(function, str) or not function:
            return NotChecked(unknown_loss(run))
        index, share = run.facts.get("padding_index"), run.facts.get("padding_share")
        ignored, reduction = run.facts.get("ignore_index"), run.facts.get("loss_reduction")
        if function not in ("cross_entropy", "nll") or reduction not in ("mean", "sum") or not isinstance(ignored, int):
            return []
        if not isinstance(index, int) or not isinstance(share, int | float) or share < options.share:
            return []
        return [] if index == ignored else [self._describe(run, index, float(share), options)]

    def _describe(self, run: RunView, index: int, share: float, options: Options) -> Finding:
        return self.finding(
            f"Class {index} fills {100 * share:.2g} % of the first batch's targets, in unlike lengths at one end of the"
            f" sequences, and the loss counts it; train_loss stands at"
            f" {number(recent_level(run.series('train_loss').values))}.",
            [loss_seen(run, "a mean over the data alone")],
            [
                Recommendation(
                    f"Give the loss ignore_index={index}.",
                    "Positions without data then have no part in the loss, its mean or the gradient.",
                    "train_loss rises at first, and then falls with what is learnt of the data.",
                    "The accuracy has to leave these positions out, too.",
                    "ignore-padding",
                    Change("ignore_index", None, float(index)),
                )
            ],
            severity=Severity.WARNING if share >= options.half else Severity.NOTE,
        )
