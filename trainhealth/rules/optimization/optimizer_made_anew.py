"""OP16 optimizer-made-anew: each step is made by a new optimizer, which remembers nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, option
from trainhealth.rules.optimizers import is_adaptive, largest
from trainhealth.series import RunView


class OptimizerMadeAnew(Rule):
    """A new optimizer is made for every step: its moments begin at zero each time.

    What it detects
        Events that tell of a new optimizer for the same model (trainhealth run sees optimizers being made), against the
        steps of train_loss (in the loss's own unit).

    Why it matters
        Momentum, and the averages by which adaptive optimizers divide, are kept in the optimizer. One that is new has
        none: momentum does nothing, and Adam moves every weight by the full rate, whatever the size of its gradient. A
        schedule that holds the old optimizer acts on nothing.

    How it decides
        At least `least` new optimizers, one in `often` of the steps from the first to the last of them; the optimizer
        is adaptive, or has momentum.

    What to try
        Make the optimizer once, before the loop.

    When it is wrong
        A new optimizer a phase, an epoch, a fold or a round (of federated clients) is often meant: silent, as they have
        more steps than one. Gradient descent without momentum remembers nothing: silent. Hand-written updates are not
        seen, nor are scripts that call trainhealth.watch.
    """

    code = "OP16"
    name = "optimizer-made-anew"
    topic = "optimization"
    severity = Severity.WARNING
    confidence = Confidence.CERTAIN
    since = "0.1"
    requires = ("train_loss",)
    references = (
        Reference(
            "L16 Practical Aspects: momentum, RMSProp, Adam",
            "They average the gradients of many steps; the averages begin at zero.",
        ),
        Reference(
            "Kingma and Ba 2015, Adam, section 2",
            "Where the averages hold one gradient only, the step is about the rate, whatever the gradient's size.",
            "https://arxiv.org/abs/1412.6980",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        least: int = option(8, "optimizers", "house choice: folds and phases are fewer")
        often: float = option(0.9, "share of the steps", "house choice: nearly every one")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if each step has an optimizer of its own."""
        made = [event for event in run.events if event.event == "optimizer-added"]
        if len(made) < options.least:
            return []
        first, last = made[0].step, made[-1].step
        kind = str(made[-1].data.get("type", "optimizer"))
        if len(made) < options.often * (last - first + 1) or not (is_adaptive(kind) or largest(run, "momentum")):
            return []
        return [
            self.finding(
                f"The script has made a new {kind} {len(made)} times from step {first} to {last}: what it averages over"
                " steps begins at zero in each.",
                [Evidence("train_loss", None, first, last, float(run.series("train_loss").at(last)), "one optimizer")],
                [
                    Recommendation(
                        f"Make the optimizer once, before the loop: optimizer = torch.optim.{kind}(model.parameters(),"
                        " …).",
                        "It remembers past gradients; a new one has nothing to remember.",
                        "The log tells of no new optimizer, and train_loss falls faster.",
                        "With its memory, momentum makes steps up to 1 / (1 - momentum) times as long: if the loss"
                        " rises, lower the rate by as much.",
                        "momentum",
                        Change("optimizers", "one a step", "one"),
                    )
                ],
            )
        ]
