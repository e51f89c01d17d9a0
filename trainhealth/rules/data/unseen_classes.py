"""DA11 unseen-classes: validation asks for classes that training has never shown."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.sampled import examples_in, latest, usual
from trainhealth.series import RunView


class UnseenClasses(Rule):
    """The validation data hold classes that the training data don't: nobody can learn them.

    What it detects
        validation_unseen_share: the share of the validation targets whose class was not among the targets of any
        sampled training batch (fraction), and how many training examples those batches had.

    Why it matters
        A class without examples is never right. Sorted data that were split without shuffling give the last classes to
        validation alone: accuracy is near 0 there, while training goes well, and it looks like overfitting.

    How it decides
        At the last evaluation the share is at least `share`. Had training as many of each of the m classes that it
        never showed, the n examples that were looked at would have missed one of them with a probability of
        exp(-n x share / m): it fires where that is below `chance`. Of many rare classes (words) some are always missed.
        The usual batch has to hold at least half of the classes that were seen (or of its size): sorted batches may
        hide some. Critical where the share is `most` or more.

    What to try
        Shuffle before splitting; a split that keeps the shares of all classes (stratified).

    When it is wrong
        Few-shot learning, whose validation has other classes on purpose, is named as well. Rare classes of which the
        sampled batches had none by chance: the probability keeps it silent. Sorted batches: silent, and
        unshuffled-batches' business. Targets of evaluations are only seen by `trainhealth run`: not checked otherwise.
    """

    code = "DA11"
    name = "unseen-classes"
    topic = "data"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("validation_unseen_share", "classes_seen", "batch_classes")
    uses = ("batch_size",)
    references = (
        Reference(
            "scikit-learn documentation: cross-validation, stratification based on class labels",
            "Splits may lack classes where data are sorted; stratified ones keep about the same share of each.",
            "https://scikit-learn.org/stable/modules/cross_validation.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        share: float = option(0.05, "fraction of the validation targets", "house choice: less costs little accuracy")
        most: float = option(0.5, "fraction of the validation targets", "house choice: the split is another task")
        chance: float = option(1e-6, "probability", "house choice: it happens to nobody")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if validation has classes that training lacks."""
        shares = run.series("validation_unseen_share").finite()
        share, looked_at = (float(shares.values[-1]) if len(shares) else 0.0), examples_in(run, "classes_seen")
        if share < options.share:
            return []
        held = usual(run, "batch_classes")
        whole = min(latest(run, "classes_seen"), usual(run, "batch_size"))
        if not held >= 0.5 * whole:
            return NotChecked("batches hold few of the classes each: the sampled ones may have missed some")
        classes = run.facts.get("classes")
        unseen = max(classes - latest(run, "classes_seen"), 1.0) if isinstance(classes, int) else 1.0
        if math.exp(-looked_at * share / unseen) > options.chance:
            return NotChecked(f"{looked_at} training examples were looked at: too few to miss a class for certain")
        finding = self.finding(
            f"{100 * share:.3g} % of the validation targets are of classes that none of {looked_at} training examples"
            " had.",
            [Evidence("validation_unseen_share", None, int(shares.steps[0]), shares.last_step, share, "0")],
            [
                Recommendation(
                    "Shuffle the examples before splitting them, or split each class by itself (stratified).",
                    "Sorted data put whole classes on one side of the cut.",
                    f"validation_unseen_share is 0, and validation accuracy can exceed {number(1 - share)}.",
                    "Examples that belong together (one patient, one video) have to stay on one side.",
                    "check-the-split",
                )
            ],
            severity=Severity.CRITICAL if share >= options.most else Severity.WARNING,
        )
        return [finding]
