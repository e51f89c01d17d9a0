"""MO05 strong-dropout: so many units are dropped that the model can't learn its own training data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import ended_in_ruin
from trainhealth.rules.generalization.poor_fit import Fit, end, measure_fit
from trainhealth.rules.objective import moving_target
from trainhealth.series import RunView


class StrongDropout(Rule):
    """Dropout is stronger than usual, and the model is poor on training and validation data alike.

    What it detects
        A dropout probability (the largest of the model's modules) above 0.5, in a run that stays poor with dropout (in
        training) and without it (in validation), and no longer improves.

    Why it matters
        Dropout takes capacity away to prevent overfitting. A model that is poor on its own data has none to give.

    How it decides
        The largest probability is above `usual`. Both losses end above `share` of the loss of guessing (log C with C
        classes, less where one is frequent; the variance of the targets), no accuracy has `skill` of what is possible,
        validation is not more than a tenth worse than training (below `hopeless`), and over the second half validation
        (training, where there is none) does not improve by 3 % of its level (Mann-Kendall z beyond 2), or the better of
        the losses is still above `unlearnt` of guessing: dropout multiplies what it leaves, so that the training loss
        may fall for long, from far above guessing, without anything being learnt. A poor run that does improve is a
        note, from `extreme` on, and a warning from `hopeless` on; one that does not is a warning, and critical from
        `hopeless` on. From `extreme` on a run that is not poor is a note, which explains a first loss that is too high.
        A loss that ends in NaN or far above its beginning is judged from `hopeless` on only. It waits for `least_steps`
        steps.

    What to try
        Halve the probability; drop no units of narrow layers, nor next to the output.

    When it is wrong
        Heavy dropout that works, a poor training loss and a good validation loss, is silent, or a note. A model that is
        poor for another reason and happens to have strong dropout is named too; where a cause of that is found, this
        finding stands beside it. Dropout by function (`F.dropout`) is not known to the log, and is missed.
    """

    code = "MO05"
    name = "strong-dropout"
    topic = "mode"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss",)
    uses = ("validation_loss", "train_accuracy", "validation_accuracy", "majority_share")
    references = (
        Reference("L16, Practical Aspects: dropout", "Keep 0.5 of the hidden units, more of the inputs."),
        Reference(
            "UO, Underfitting and Overfitting: dropout",
            "Keep a hidden unit with probability 0.5; for inputs closer to 1.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        usual: float = option(0.5, "probability", "L16, UO: drop half of the hidden units")
        extreme: float = option(0.75, "probability", "house choice: half as many units are kept as at 0.5")
        hopeless: float = option(0.9, "probability", "house choice: noise of ten times the signal's variance")
        share: float = option(0.5, "share of the loss without knowledge", "as GE02")
        unlearnt: float = option(0.9, "share of the loss without knowledge", "as LS03: next to nothing learnt")
        skill: float = option(0.8, "accuracy above chance, fraction of what is possible", "house choice")
        least_steps: int = option(100, "steps", "lecture Opt, step 3: by then a loss should have dropped")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if dropout is stronger than usual and the model has stayed poor."""
        reason = moving_target(run)
        if reason:
            return NotChecked(reason)
        dropout = run.facts.get("dropout")
        if not isinstance(dropout, int | float):
            return NotChecked("whether there is dropout is not known: only trainhealth.watch(model, optimizer) sees it")
        if dropout <= options.usual:
            return []
        if run.last_step + 1 < options.least_steps:
            return NotChecked("the run is too short to tell")
        fit = measure_fit(run)
        if isinstance(fit, str):
            return NotChecked(fit)
        hopeless = dropout >= options.hopeless  # then it spoils what evaluation sees as well, and may end in NaN
        if not hopeless and ended_in_ruin(run) is not None:
            return []
        poor = not fit.share <= options.share and not fit.skill >= options.skill
        if not poor or (fit.overfits and not hopeless):
            return [self._describe(fit, dropout, Severity.NOTE, "ends")] if dropout >= options.extreme else []
        learns = fit.improves(run, 0.03, split="validation_") and not fit.share > options.unlearnt
        if learns and dropout < options.extreme:
            return []
        severity = (Severity.NOTE, Severity.WARNING, Severity.CRITICAL)[(not learns) + hopeless]
        return [
            self._describe(
                fit, dropout, severity, "improves slowly, and is still poor" if learns else "has stayed poor"
            )
        ]

    def _describe(self, fit: Fit, dropout: float, severity: Severity, course: str) -> Finding:
        train = fit.losses[0]
        middle, to = int(train.steps[len(train) // 2]), round(dropout / 2, 2)
        ends = " and ".join(f"{series.name} at {number(end(series))}" for series in fit.losses)
        return self.finding(
            f"Dropout is {number(dropout)}, where 0.5 is much, and the run {course}: {ends}, where guessing has"
            f" {number(fit.levels[0])}.",
            [
                Evidence(series.name, None, middle, series.last_step, end(series), f"well below {number(level)}")
                for series, level in zip(fit.losses, fit.levels, strict=True)
            ],
            [
                Recommendation(
                    f"Lower the dropout from {number(dropout)} to {number(to)}.",
                    f"With {dropout:.0%} of the units gone, what is left can't express the task.",
                    f"train_loss falls below {number(end(train))}.",
                    "Where validation then turns up, take a value in between.",
                    "dropout",
                    Change("dropout", dropout, to),
                )
            ],
            severity=severity,
            first_step=int(train.steps[0]),
        )
