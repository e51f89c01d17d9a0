"""LS01 nonfinite-loss: NaN or infinity in the numbers of training, and where it came from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Confidence, Evidence, Finding, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.loss.nonfinite_advice import evaluate, recommend, trace
from trainhealth.rules.loss.origin import Origin, Stage, find_origin, without
from trainhealth.series import RunView, Series

_FINITE = "a finite number"


class NonfiniteLoss(Rule):
    """Training computes with NaN or infinity.

    What it detects
        NaN and infinity in train_loss, validation_loss and gradient_norm, and in the counts of non-finite elements of
        inputs, activations, gradients and parameters (elements): which persist, and where they were first.

    Why it matters
        One update with a non-finite gradient makes parameters non-finite, and every later step with them. The run is
        lost from there on; only weights saved before are of use.

    How it decides
        Steps that a loss scaler skipped do not count. It is critical where train_loss is not finite from some step to
        the end: for `persistent` values, or fewer where the log has not more than 20, where a parameter is not finite
        at the newest sample, or where the run has ended; a warning until then. Where train_loss stays finite: critical
        where both validation_loss and the last `gradients` values of gradient_norm are not finite to the end; a warning
        where only one of them is (validation_loss for at least 2 evaluations), or where a parameter that was finite is
        not any more; a note where train_loss was not finite and healed.
        The origin is the earliest by step, within a step in the order input, activation (layers in order of
        execution), loss, gradient, parameter; what was not finite while the loss was finite did not reach it.

    What to try
        It depends on the origin. Inputs: clean the data. An activation or the loss: logarithm of 0, division by 0, the
        exponential of a large number. The first step of an adaptive optimizer, of finite gradients: a larger epsilon,
        or weights in float32. After a loss that grew: a lower learning rate, clipping. A validation_loss alone: the
        data and the mode of the evaluation.

    When it is wrong
        A single NaN in gradient_norm with a finite loss (a loss scaler that does not say what it skips), activations of
        minus infinity (masks), NaN that marks missing inputs, NaN in other metrics: silent. Where neither the first bad
        step nor its neighbours were sampled, the origin is only known to be at or before the loss; so it is where a
        step has several batches, of which one is looked at. A validation_loss
        that is NaN because there is no validation data is a warning all the same.
    """

    code = "LS01"
    name = "nonfinite-loss"
    topic = "loss"
    severity = Severity.CRITICAL
    confidence = Confidence.CERTAIN
    since = "0.1"
    requires = (
        "train_loss|validation_loss|gradient_norm|activation_nonfinite|parameter_nonfinite|gradient_nonfinite|input_nonfinite",
    )
    uses = ("learning_rate", "output_maximum")
    references = (
        Reference(
            "Opt, Optimizing Neural Networks: choosing hyperparameters, step 2",
            "Loss explodes to Inf or NaN: learning rate too high, or bad initialisation.",
        ),
        Reference(
            "Tr1, Training Networks (Part 1): babysitting the learning process",
            "At a rate of 3e-3 the cost goes 2.19, 2.18, 1.94, 1.83, inf: too high.",
        ),
        Reference(
            "Micikevicius et al. 2018, Mixed Precision Training, section 3.2",
            "A loss scaler skips updates whose gradients overflow: that is normal operation.",
            "https://arxiv.org/abs/1710.03740",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        persistent: int = option(3, "values", "house choice: a single bad batch may be guarded against")
        gradients: int = option(20, "values", "house choice: loss scalers skip a few steps in a row while they search")

    def check(self, run: RunView, options: Options) -> Iterable[Finding]:
        """Return one finding for the worst that is there."""
        losses = without(run.series("train_loss"), run.skipped_steps)
        found = self._lost(run, losses, options) or self._lost_beside(run, options) or self._healed(losses)
        return [found] if found else []

    def _lost(self, run: RunView, losses: Series, options: Options) -> Finding | None:
        """Return the finding for a train_loss that is not finite to the end."""
        bad = _bad_at_end(losses)
        if not bad:
            return None
        onset = int(losses.steps[-bad])
        last_finite = int(losses.steps[-bad - 1]) if bad < len(losses) else -1
        sure = bad >= (options.persistent if len(losses) > 20 else 1)
        sure = sure or run.ended is not None or run.error is not None or _parameters_bad(run)
        origin = find_origin(run, onset, last_finite)
        since = f"from step {onset} to the end ({bad} values)" if last_finite >= 0 else "from the first step on"
        kinds = " and ".join(sorted({number(value) for value in losses.values[-bad:]}))
        evidence = [Evidence("train_loss", None, onset, losses.last_step, float(losses.values[-bad]), _FINITE)]
        if origin.stage is not Stage.LOSS:
            evidence.insert(0, _evidence_of(origin))
        return self.finding(
            f"train_loss is {kinds} {since}.{_where(run, origin, onset)}",
            evidence,
            recommend(run, origin, losses.between(0, last_finite)),
            severity=Severity.CRITICAL if sure else Severity.WARNING,
            confidence=Confidence.CERTAIN if sure else Confidence.LIKELY,
            first_step=min(onset, origin.step),
            place=origin.place or "run",
        )

    def _lost_beside(self, run: RunView, options: Options) -> Finding | None:
        """Return the finding for a run whose train_loss looks finite, and whose other numbers are not."""
        validation = run.series("validation_loss")
        gradients = without(run.series("gradient_norm"), run.skipped_steps)
        bad_validation, bad_gradients = _bad_at_end(validation), _bad_at_end(gradients)
        evidence = []
        if bad_gradients >= options.gradients:
            evidence.append(_evidence_at_end(gradients, bad_gradients))
        if bad_validation >= (1 if evidence else 2):
            evidence.append(_evidence_at_end(validation, bad_validation))
        both = len(evidence) == 2
        if not evidence:
            evidence = _spoilt_parameters(run)
        if not evidence:
            return None
        first = evidence[0]
        names = " and ".join(
            dict.fromkeys(e.signal if e.place is None else f"{e.signal} of {e.place}" for e in evidence)
        )
        seen = f"elements: {number(first.observed)}" if first.place else number(first.observed)
        return self.finding(
            f"{names}: not finite from step {first.first_step} to the end ({seen}), although train_loss is finite.",
            evidence,
            [evaluate() if first.signal == "validation_loss" else trace(f"before step {first.first_step}")],
            severity=Severity.CRITICAL if both else Severity.WARNING,
            confidence=Confidence.CERTAIN if both else Confidence.LIKELY,
        )

    def _healed(self, losses: Series) -> Finding | None:
        """Return the note for a train_loss that was not finite at times."""
        bad = np.flatnonzero(~np.isfinite(losses.values))
        if not len(bad):
            return None
        first, last = int(losses.steps[bad[0]]), int(losses.steps[bad[-1]])
        return self.finding(
            f"train_loss was not finite at {len(bad)} of {len(losses)} values (first at step {first}), and finite again"
            " afterwards.",
            [Evidence("train_loss", None, first, last, float(losses.values[bad[0]]), _FINITE)],
            [trace(f"of step {first}")],
            severity=Severity.NOTE,
        )


def _bad_at_end(series: Series) -> int:
    """Return how many values at the end are not finite."""
    finite = np.flatnonzero(np.isfinite(series.values))
    return len(series) - (int(finite[-1]) + 1 if len(finite) else 0)


def _parameters_bad(run: RunView) -> bool:
    return bool((run.columns("parameter_nonfinite").latest() > 0).any())


def _spoilt_parameters(run: RunView) -> list[Evidence]:
    """Return the parameters that are not finite at the newest sample and were at the first one."""
    columns = run.columns("parameter_nonfinite")
    spoilt = []
    for place in columns.places:
        counts = columns.place(place)
        if len(counts) and counts.values[0] == 0 and counts.values[-1] > 0:
            first = int(counts.steps[np.flatnonzero(counts.values)[0]])
            spoilt.append(
                Evidence("parameter_nonfinite", place, first, counts.last_step, counts.values[-1], "0 elements")
            )
    return sorted(spoilt, key=lambda evidence: evidence.first_step)


def _evidence_at_end(series: Series, bad: int) -> Evidence:
    return Evidence(series.name, None, int(series.steps[-bad]), series.last_step, float(series.values[-bad]), _FINITE)


def _evidence_of(origin: Origin) -> Evidence:
    expected = _FINITE if origin.place is None else "0 elements"
    return Evidence(origin.signal, origin.place, origin.step, origin.step, origin.observed, expected)


def _where(run: RunView, origin: Origin, onset: int) -> str:
    """Return the sentence that says where it began, as far as the log knows."""
    elements = f"{number(origin.observed)} element{'' if origin.observed == 1 else 's'}"
    match origin.stage:
        case Stage.INPUT:
            verb = "was" if origin.observed == 1 else "were"
            return f" Of the inputs, {elements} {verb} not finite at step {origin.step}."
        case Stage.ACTIVATION:
            return f" The first output that was not finite is that of {origin.place}: {elements} at step {origin.step}."
        case Stage.GRADIENT:
            return f" The gradient was not finite before the loss, at step {origin.step}."
        case Stage.PARAMETER:
            return f" The update of step {origin.step} left {elements} of {origin.place} non-finite."
        case Stage.LOSS:
            samples = run.columns("activation_nonfinite")
            if onset in samples.steps:
                return f" {_behind_layers(run, onset)}"
            return " Which layer it was is not known: that step was not sampled." if len(samples) else ""


def _behind_layers(run: RunView, onset: int) -> str:
    """Return what is known where no layer's output was at fault in the sample of that step."""
    batches = run.facts.get("micro_batches")
    if isinstance(batches, int) and batches > 1:
        return (
            f"Layers' outputs were finite in the one batch of that step that was looked at: it may have begun in any of"
            f" the {batches}."
        )
    outputs = run.series("output_maximum")
    if len(outputs) and not np.isfinite(outputs.between(onset, onset).values).any():
        return "All layers' outputs were finite, the model's own were not: what it does behind its last layer made it."
    return "All layers' outputs were finite: what follows them made it, the loss function or what goes into it."
