"""MO10 future-leak: a model over sequences that sees the answer; or a language model too good to be true."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from trainhealth import curves
from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import recent_level
from trainhealth.rules.loss_input import loss_seen
from trainhealth.series import RunView

_RECURRENT = ("LSTM", "GRU", "RNN")


class FutureLeak(Rule):
    """The model sees what it has to predict: the answers stand in its input, or its loss is too good for any text.

    What it detects
        Whether the targets of the first batch stand in its input, place by place ("answers") or as one of its columns,
        and which layers see later places. And train_loss and validation_loss (cross entropy in nats a token) of a
        language model far below the entropy of text, on data that it has never seen as well as on its own.

    Why it matters
        With a causal mask that is missing, or inputs and targets that are the same tokens, the task is to copy. The
        loss looks splendid, and the model can't generate or forecast anything.

    How it decides
        For certain: the targets are the inputs one step on, and all recurrent layers are bidirectional, and all
        attention is to all places, without a mask. Or they are the same tokens, at least `classes` kinds, and the
        scores of a place come from that place: embedding, recurrent layers in one direction and linear layers, with
        nothing else between or beside them.
        Likely: one of several features of a table explains all but a hundred-millionth of the variance of the numbers
        to predict ("answers_column"), over a batch of 16 examples or more with 8 different values.
        A hint: the task is language, with at least `classes` tokens. The median of the last tenth of train_loss, and
        the last three validation losses, are all below `share` x log(tokens), and train_loss began above half of
        log(tokens). Shannon (1951) finds 0.4 to 0.9 nats a character for people who read English; that is 0.12 of
        log 27 at least.

    What to try
        A causal mask, and no bidirectional layers; targets shifted by one token against the inputs; then look whether
        an early output changes when a later input does. A table without the target's column.

    When it is wrong
        Autoencoders have their inputs as targets, too: silent, as their decoder is no one line of layers from the
        embedding. Models that shift or mask their input by themselves, in front of a layer or inside of their loss, get
        other inputs than targets, and are silent; so is a bidirectional encoder before a decoder in one direction. Text
        without any surprise (generated patterns, logs of one machine, source code repeated in both splits) can be
        predicted so well: a hint. Masked models and translation with teacher forcing are judged alike. An exercise in
        which the answer is to be one of several numbers that are given looks like a column that was left in; labels of
        classes are not compared. Memorised training text alone, with a poor validation loss, is silent; so is a run
        without validation_loss.
    """

    code = "MO10"
    name = "future-leak"
    topic = "mode"
    severity = Severity.WARNING
    confidence = Confidence.HINT
    since = "0.1"
    requires = ("train_loss",)
    uses = ("validation_loss",)
    references = (
        Reference(
            'Shannon, "Prediction and entropy of printed English", Bell System Technical Journal 30, 1951',
            "The entropy of English lies between 0.6 and 1.3 bits a character.",
        ),
        Reference(
            'Vaswani et al., "Attention Is All You Need", 2017, section 3.2.3',
            "Masking, with outputs offset by one position, keeps a prediction from the positions that it has to tell.",
            "https://arxiv.org/abs/1706.03762",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        classes: int = option(20, "tokens", "house choice: fewer make a toy language")
        share: float = option(0.04, "share of log(tokens)", "a third of Shannon's lower bound for English")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the answers are visible, or both losses are too good."""
        visible = self._column(run) or self._next_place(run) or self._same_place(run, options.classes)
        return [visible] if visible else self._too_good(run, options)

    def _column(self, run: RunView) -> Finding | None:
        """Describe a feature of the input that is the target."""
        column, shape = run.facts.get("answers_column"), run.facts.get("input_shape")
        if not isinstance(column, int):
            return None
        examples = f"the {shape[0]} examples of the first batch" if isinstance(shape, list) and shape else "a batch"
        return self.finding(
            f"Column {column} of the input (counted from 0) is the target itself, up to scale and shift: over"
            f" {examples} their correlation is 1.",
            [loss_seen(run, "what the other features are worth, not 0")],
            [
                Recommendation(
                    f"Leave column {column} out of the input.",
                    "Where the model is to be used it is not known, and while it is there nothing else is learnt.",
                    "The losses rise to what the other features are worth.",
                    "Drop the target's column by its name, before the table becomes the input.",
                )
            ],
            confidence=Confidence.LIKELY,
        )

    def _next_place(self, run: RunView) -> Finding | None:
        """Describe targets that are the next inputs, which every layer over the sequence sees."""
        layers, axis = _layers(run), run.facts.get("answers_axis")
        if run.facts.get("answers") != "next" or not layers:
            return None
        if not all(layer.get("sees_ahead") is True and layer.get("batch_first") is (axis == 1) for layer in layers):
            return None
        kind, name = layers[0].get("type"), layers[0].get("layer")
        recurrent = kind in _RECURRENT
        given, wanted = ("inputs[:, 1:]", "targets[:, :-1]") if axis == 1 else ("inputs[1:]", "targets[:-1]")
        sees = "is bidirectional" if recurrent else "has no mask"
        return self._certain(
            run,
            f"The targets are the inputs one step on ({given} equals {wanted} in the first batch), and {name} ({kind})"
            f" {sees}: all answers but the last stand before the model's eyes.",
            Recommendation(
                f"Make {name} with bidirectional=False."
                if recurrent
                else f"Give {name} a causal mask: nn.Transformer.generate_square_subsequent_mask(T).",
                "A place that sees the next one has only to copy it; where there is no next one, it knows nothing.",
                "Changing the last input changes no earlier output; the losses rise to what the task is really worth.",
                "To use both directions, predict what is not among the inputs, such as masked places.",
            ),
        )

    def _same_place(self, run: RunView, least: int) -> Finding | None:
        """Describe targets that are the inputs, in a line of layers of which each place goes to the same place."""
        tokens, line = run.facts.get("classes"), _line(run)
        between = [layer for layer in _layers(run) if layer.get("layer") in line]
        if run.facts.get("answers") != "same" or not isinstance(tokens, int) or tokens < least:
            return None
        if not between or len(between) < len(_layers(run)) or any(layer.get("sees_ahead") for layer in between):
            return None
        return self._certain(
            run,
            "The targets are the inputs (equal, token by token, in the first batch), and the scores of a place come"
            f" from its own token ({' -> '.join(line)}): the model learns to copy it.",
            Recommendation(
                "Shift the targets by one: inputs[:, :-1] against inputs[:, 1:].",
                "A language model learns to tell the next token, which it has not seen.",
                "train_loss begins near log(tokens) and falls far more slowly.",
                "Models that shift the labels by themselves (Hugging Face's, given labels=) must not get shifted ones.",
            ),
        )

    def _certain(self, run: RunView, message: str, advice: Recommendation) -> Finding:
        expected = "what the next step is worth, not 0"
        return self.finding(message, [loss_seen(run, expected)], [advice], confidence=Confidence.CERTAIN)

    def _too_good(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Describe losses that no text allows."""
        if not run.has("validation_loss"):
            return NotChecked("the log has no validation_loss")
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


def _layers(run: RunView) -> list[Mapping[str, Any]]:
    """Return the recurrent and attention layers of the first forward."""
    told = run.facts.get("sequences")
    return [layer for layer in told if isinstance(layer, dict)] if isinstance(told, list) else []


def _line(run: RunView) -> list[str]:
    """Return the layers from an embedding to the last linear layer, each fed by the one before alone; [] if none."""
    by_name = {entry.name: entry for entry in run.layers}
    entry = next((entry for entry in reversed(run.layers) if entry.type == "Linear"), None)
    line: list[str] = []
    while entry is not None and entry.name not in line:
        line.insert(0, entry.name)
        if entry.type == "Embedding":
            return line
        entry = by_name.get(entry.fed_by or "")
    return []
