"""MO10 future-leak: a language model whose loss is too good to be true: it sees the answer."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth import curves
from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import recent_level
from trainhealth.series import RunView


class FutureLeak(Rule):
    """The model seems to see what it has to predict: its loss is below what any language model can reach.

    What it detects
        train_loss and validation_loss (cross entropy in nats a token) of a language model far below the entropy of
        text, on data that it has never seen as well as on its own.

    Why it matters
        With a causal mask that is missing, or inputs and targets that are the same tokens, the task is to copy. The
        loss looks splendid, and the model can't generate anything.

    How it decides
        The task is language, with at least `classes` tokens. The median of the last tenth of train_loss, and the last
        three validation losses, are all below `share` x log(tokens), and train_loss began above half of log(tokens).
        Shannon (1951) finds 0.4 to 0.9 nats a character for people who read English; that is 0.12 of log 27 at least.

    What to try
        A causal mask; targets shifted by one token against the inputs; then look whether an early output changes when
        a later input does.

    When it is wrong
        Text without any surprise (generated patterns, logs of one machine, source code repeated in both splits) can be
        predicted so well: a hint. Masked models and translation with teacher forcing are judged alike. Memorised
        training text alone, with a poor validation loss, is silent; so is a run without validation_loss.
    """

    code = "MO10"
    name = "future-leak"
    topic = "mode"
    severity = Severity.WARNING
    confidence = Confidence.HINT
    since = "0.1"
    requires = ("train_loss", "validation_loss")
    references = (
        Reference(
            'Shannon, "Prediction and entropy of printed English", Bell System Technical Journal 30, 1951',
            "The entropy of English lies between 0.6 and 1.3 bits a character.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        classes: int = option(20, "tokens", "house choice: fewer make a toy language")
        share: float = option(0.04, "share of log(tokens)", "a third of Shannon's lower bound for English")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if both losses are too good."""
        tokens, task = run.facts.get("classes"), run.info.task or run.facts.get("task")
        if not isinstance(task, str) or not task:
            return NotChecked("whether it is a language model is not known: pass outputs= and targets= to watch.step")
        if task != "language" or not isinstance(tokens, int) or tokens < options.classes:
            return []
        if run.facts.get("loss_function") not in ("cross_entropy", "nll") or run.facts.get("loss_reduction") == "sum":
            return NotChecked("the loss is no mean cross entropy, so that it can't be compared with that of text")
        train, held = curves.clean(run.series("train_loss")), curves.clean(run.series("validation_loss"))
        if len(train) < 20 or len(held) < 3:
            return NotChecked("the run is too short to tell")
        limit = options.share * math.log(tokens)
        now = recent_level(train.values, 5)
        seen = float(held.values[-3:].max())
        if not (0 <= now < limit and 0 <= seen < limit and float(train.values[0]) > math.log(tokens) / 2):
            return []
        step, last = int(held.steps[-3]), train.last_step
        expected = f"at least {number(3 * limit)}, a third of a bit a character"
        return [
            self.finding(
                f"train_loss stands at {number(now)} and validation_loss at {number(seen)} nats a token, and there"
                f" are {tokens:,} tokens to choose from: no text is so easy to predict.",
                [
                    Evidence("validation_loss", None, step, held.last_step, seen, expected),
                    Evidence("train_loss", None, step, last, now, expected),
                ],
                [
                    Recommendation(
                        "Check the causal mask, and that targets are the inputs shifted by one: inputs[:, :-1] against"
                        " inputs[:, 1:].",
                        "A position that sees the next token has only to copy it.",
                        "Changing the last input token changes no earlier output, and the losses rise above"
                        f" {number(3 * limit)}.",
                        "Text that repeats itself in both splits is easy without any leak: look at the split first.",
                        "check-the-split",
                    )
                ],
            )
        ]
