"""AC01 dead-relu-units: most units of a ReLU layer are zero for all data, and stay so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import Breakdown, poor_loss
from trainhealth.rules.data_scale import inputs, standardize_inputs
from trainhealth.rules.dead_units import ReluLayer, relu_entries, relu_layers
from trainhealth.rules.update_ratio import on_grid
from trainhealth.series import RunView

_ALL = 0.99  # share of units: nothing passes


class DeadReluUnits(Rule):
    """Most units of a ReLU layer are dead: zero for every example, so that they pass nothing and learn nothing.

    What it detects
        dead_fraction: the share of a layer's ReLU units that were zero for every example of a full window of sampled
        batches (at least 8 batches and 3,000 examples). The share of zeros in one batch, zero_fraction, is sparsity and
        does not count, except where it is 1 in batch after batch: then the whole layer is dead, window or not.

    Why it matters
        A unit below zero for all data has no gradient and never comes back. It is capacity that is paid for and gone;
        a layer of dead units passes nothing, and the layers before it stand still.

    How it decides
        dead = the smaller one of the last two windows (the only one, where there is one), or 1 if zero_fraction was 1
        in the last 8 samples, or in 3 or more that span half of the run and hold 500 examples. A layer counts if dead
        is at least `most`. Where train_loss is poor (not finite or above 3 times its start for good, half of its
        progress lost, or standing above `poor` of the untrained loss), it counts from `most_at_poor_loss` on; if the
        units died, that is if the share has risen by 0.25 since the first window, from `died_at_poor_loss` on.
        Units that were dead in the first window, which begins at step 0, were never alive: the initialisation, the
        biases or the inputs are at fault; else something killed them, mostly a high rate.

    What to try
        Died: a lower rate from fresh weights, leaky ReLU, batch normalisation. Never alive: He initialisation, small
        positive biases, standardized inputs.

    When it is wrong
        Some dead units are normal: networks that learn well have up to half of them in narrow or wide layers, more at
        high rates, and freshly initialised deep ones up to 0.6, which come alive; all this is silent. Models that are
        sparse on purpose (experts that get no data, pruned units) have dead units by design. A residual branch of dead
        units leaves the rest of the network alive. Data that are not in the windows may wake a unit up. A log too
        short for one window says nothing yet.
    """

    code = "AC01"
    name = "dead-relu-units"
    topic = "activations"
    severity = Severity.WARNING
    confidence = Confidence.CERTAIN
    since = "0.1"
    requires = ("dead_fraction|zero_fraction",)
    uses = ("train_loss", "learning_rate", "batch_size", "input_mean", "input_std")
    references = (
        Reference(
            "Tr1 Training Networks (Part 1): activation functions, dead ReLU",
            "Unlucky initialisation or a high learning rate makes ReLU units that never activate and never update.",
        ),
        Reference(
            "Tr1 Training Networks (Part 1): activation functions",
            "People like to initialise ReLU neurons with slightly positive biases (0.01); leaky ReLU does not die.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        most: float = option(0.8, "share of units", "house choice: healthy small nets had up to 0.6")
        most_at_poor_loss: float = option(0.7, "share of units", "house choice: deep nets are born with up to 0.6")
        died_at_poor_loss: float = option(0.5, "share of units", "DeepDiagnosis: more than half of the units inactive")
        poor: float = option(0.6, "share of the untrained loss", "house choice: as for the other rules")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return one finding for all layers with too many dead units."""
        entries, layers = relu_entries(run), relu_layers(run)
        if entries and not layers:
            return NotChecked("no full window of sampled batches: 3,000 examples tell a dead unit from a rare one")
        worst = max((layer.dead for layer in layers), default=0.0)
        if worst < options.died_at_poor_loss:
            return []
        lost = poor_loss(run, options.poor)
        limits = {True: options.died_at_poor_loss, False: options.most_at_poor_loss}
        sick = [layer for layer in layers if layer.dead >= (limits[layer.died] if lost else options.most)]
        return [self._describe(run, sick, len(entries), lost)] if sick else []

    def _describe(self, run: RunView, sick: Sequence[ReluLayer], layers: int, lost: Breakdown | None) -> Finding:
        worst = max(sick, key=lambda layer: layer.dead)
        died = [layer for layer in sick if layer.died]
        share = f"{100 * worst.dead:.0f} % of the"
        count = f"{round(worst.dead * worst.units)} of {worst.units}" if worst.units and worst.dead <= 1 else share
        history = (
            f"are dead: none has fired since step {min(layer.since for layer in died)}"
            if died
            else "have been dead since the start: none has fired"
        )
        others = f" ({len(sick)} of {layers} ReLU layers are concerned)" if len(sick) > 1 else ""
        gone = worst.dead >= _ALL
        return self.finding(
            f"{count} units of {worst.place} {history} for any example{others}{f'; {lost.fact}' if lost else ''}.",
            [
                Evidence("dead_fraction", layer.place, layer.since, run.last_step, layer.dead, "below 0.5")
                for layer in sick
            ],
            [*(_revive(run) if died else _bring_to_life(run)), _leak()],
            severity=Severity.CRITICAL if lost and gone else Severity.WARNING if lost or gone else Severity.NOTE,
        )


def _revive(run: RunView) -> Iterable[Recommendation]:
    rate = run.learning_rate.at(run.last_step)
    lower = on_grid(rate / 10) if rate > 0 else 0.0
    yield Recommendation(
        f"Lower the learning rate from {number(rate)} to {number(lower)} and start again from fresh weights."
        if lower
        else "Divide the learning rate by 10 and start again from fresh weights.",
        "One large update pushes a unit's bias below all data; from then on it has no gradient.",
        "The dead fraction stays below 0.1 from the first window on.",
        "A dead unit does not come back because the rate is lower: weights from before are needed.",
        "lower-learning-rate",
        Change("learning_rate", rate, lower) if lower else None,
    )
    if inputs(run).unscaled:
        effect = "gradients, and so updates, grow in proportion"
        yield standardize_inputs(run, effect, "The dead fraction stays below 0.1 from the first window on.")
    else:
        yield Recommendation(
            "Put batch normalisation before the ReLUs.",
            "It keeps the sums of every unit around zero, so that each is positive for about half of the data.",
            "The dead fraction stays near 0.",
            "It behaves differently in training and in evaluation: switch with model.train() and model.eval().",
            "batch-normalization",
        )


def _bring_to_life(run: RunView) -> Iterable[Recommendation]:
    yield Recommendation(
        "Initialise the weights before the ReLUs with He (std = sqrt(2/fan_in)), and the biases with zero.",
        "The units were below zero for all data before the first update: weights, biases or inputs put them there.",
        "The first window shows a dead fraction below 0.1.",
        recipe="he-initialization",
        change=Change("initialization", "units below zero", "he"),
    )
    if inputs(run).unscaled:
        effect = "large sums of one sign put units below zero for all data"
        yield standardize_inputs(run, effect, "The first window shows a dead fraction below 0.1.")
    else:
        yield Recommendation(
            "Or start all biases before the ReLUs at 0.01 or 0.1.",
            "A slightly positive start makes every unit fire for some data.",
            "The first window shows a dead fraction below 0.1.",
            recipe="small-positive-bias",
        )


def _leak() -> Recommendation:
    return Recommendation(
        "Use leaky ReLU (slope 0.01) in place of ReLU.",
        "It has a gradient on both sides: a unit that is negative for all data can come back.",
        "There are no units without a gradient any more, and train_loss falls below its present level.",
        recipe="leaky-relu",
    )
