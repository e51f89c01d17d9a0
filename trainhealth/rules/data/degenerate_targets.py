"""DA07 degenerate-targets: all targets are one and the same."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import recent_level
from trainhealth.rules.chance import BINARY
from trainhealth.rules.loss_input import CROSS_ENTROPIES
from trainhealth.rules.objective import losses_of_adversaries, moving_target
from trainhealth.rules.sampled import examples_in, latest
from trainhealth.series import RunView, Series

_ROUNDS = 20  # in which both have a loss: fewer are a beginning
_CLASSES = (*CROSS_ENTROPIES, "nll", "multi_margin")


class DegenerateTargets(Rule):
    """All targets have one value: there is nothing to tell apart.

    What it detects
        target_minimum and target_maximum of the sampled batches (target unit), and classes_seen. Between adversaries,
        the losses of generator and discriminator (nats).

    Why it matters
        The model learns to say the one answer whatever it is shown. The loss falls to zero and the accuracy rises to 1,
        which looks like success.

    How it decides
        The smallest and the largest target are equal in all sampled batches, over at least `examples` examples; for
        losses over several classes, classes_seen is 1. Where the loss is no loss over classes, train_loss must have
        fallen below `learnt` of its start, and the value must not be 0.
        Between adversaries with binary cross-entropy: a generated example to which the discriminator gives s costs the
        generator -log s, and the discriminator -log(1 - s); together never less than 2 log 2. It fires where both
        losses begin between `fresh` and `summed` times log 2, and the generator's plus twice the discriminator's (which
        may be halved) has a median below `agreed` x 2 log 2 over the second half: both were taught one label.

    What to try
        Look at the targets of a batch; at how labels are read, encoded and joined to the examples.

    When it is wrong
        A generator's targets are all ones, and its loss does not fall to zero: silent. Equations whose residual is
        driven to 0 have zeros for targets: silent. Smoothed labels, and other terms of the generator's loss, raise the
        sum of adversaries' losses; a factor of a thousandth before one does not lower it so far; without a
        cross-entropy (least squares, Wasserstein) there is no such sum: silent. Data sorted by class show one class for
        long: the samples at the end of the run decide, and a run that has not yet seen a second class is a false alarm.
    """

    code = "DA07"
    name = "degenerate-targets"
    topic = "data"
    severity = Severity.CRITICAL
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss",)
    uses = ("target_minimum", "target_maximum", "classes_seen", "batch_size")
    references = (
        Reference(
            "Breck et al. 2019: Data Validation for Machine Learning, section 3",
            "Errors in the data spread into the model unnoticed: check the values of features and labels first.",
            "https://mlsys.org/Conferences/2019/doc/2019/167.pdf",
        ),
        Reference(
            "Goodfellow et al. 2014: Generative Adversarial Nets, sections 3 and 4.1",
            "The discriminator is taught 1 for data and 0 for what is generated, and says 1/2 where they are alike.",
            "https://arxiv.org/abs/1406.2661",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        examples: float = option(200.0, "examples", "house choice: at 1 in 50, another class is missed once in 57 runs")
        learnt: float = option(0.1, "share of the first train_loss", "house choice")
        fresh: float = option(0.5, "times log 2", "house choice: a fresh discriminator's scores are near 0")
        summed: float = option(3.0, "times log 2", "a sum over data and generated examples has 2")
        agreed: float = option(1e-3, "times 2 log 2", "house choice: generators' factors are 0.001 and above")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if all targets are equal."""
        adversaries = losses_of_adversaries(run)
        if adversaries is not None:
            return self._agreed(run, *adversaries, options)
        for name in ("target_minimum", "target_maximum"):
            if not run.has(name):
                return NotChecked("the targets are not known: pass outputs= and targets= to watch.step")
        low, high = run.series("target_minimum").finite(), run.series("target_maximum").finite()
        seen = examples_in(run, "target_minimum")
        if seen < options.examples:
            return NotChecked(f"{seen} examples in sampled batches are too few: it takes {number(options.examples)}")
        if not len(low) or not len(high) or low.values.min() != high.values.max() or moving_target(run) is not None:
            return []
        value = float(low.values[0])
        classes = run.facts.get("loss_function") in _CLASSES
        if classes and latest(run, "classes_seen") > 1:
            return []  # probabilities that are all alike belong to several classes
        losses = run.series("train_loss")
        now, first = recent_level(losses.values), float(losses.values[0])
        if not classes and (value == 0 or not now < options.learnt * first):
            return []
        finding = self.finding(
            f"All targets in {len(low)} sampled batches ({seen} examples) are {number(value)}; train_loss stands at"
            f" {number(now)}.",
            [Evidence("target_maximum", None, int(high.steps[0]), high.last_step, value, "different targets")],
            [
                Recommendation(
                    "Print the targets of a few batches, and count the values in the whole data set.",
                    "A wrong column, a failed join, a mapping that knows one class only, or a filter look like this.",
                    "target_minimum and target_maximum differ in every batch.",
                    recipe="check-labels",
                ),
                Recommendation(
                    "Shuffle the training data, if the data set holds more values than the batches show.",
                    "Sorted data show one class for a long time.",
                    "classes_seen reaches the number of classes within the first steps.",
                    recipe="shuffle-data",
                ),
            ],
        )
        return [finding]

    def _agreed(
        self, run: RunView, generator: Series, discriminator: Series, options: Options
    ) -> list[Finding] | NotChecked:
        """Return the finding for a discriminator that is taught what its generator wants to hear."""
        steps, of_generator, of_discriminator = np.intersect1d(
            generator.steps, discriminator.steps, return_indices=True
        )
        if run.facts.get("loss_function") not in BINARY or len(steps) < _ROUNDS:
            return NotChecked("two adversaries are trained, without a binary cross-entropy or not for long enough")
        losses = np.stack([generator.values[of_generator], discriminator.values[of_discriminator]])
        begun = np.median(losses[:, :3], axis=1) / math.log(2)
        late = losses[:, len(steps) // 2 :]
        least = 2 * math.log(2)
        if (begun < options.fresh).any() or (begun > options.summed).any():
            return []
        if not float(np.median(late[0] + 2 * late[1])) < options.agreed * least:
            return []
        ends = [number(float(np.median(values))) for values in late]
        first, last = int(steps[len(steps) // 2]), int(steps[-1])
        return [
            self.finding(
                f"The losses of generator ({ends[0]}) and discriminator ({ends[1]}) are both near 0: for examples that"
                f" are told apart their sum can't be below {number(least)}. The discriminator is taught the label of"
                " real examples for generated ones, too.",
                [
                    Evidence(
                        "train_loss",
                        None,
                        first,
                        last,
                        float(np.median(late.sum(axis=0))),
                        f"{number(least)} or more, of both together",
                    )
                ],
                [_TWO_LABELS],
            )
        ]


_TWO_LABELS = Recommendation(
    "In the discriminator's step, use zeros as targets for generated examples, and ones for real ones.",
    "With one label for both there is nothing to tell apart, and nothing for the generator to learn from.",
    f"The two losses together stay above {number(2 * math.log(2))}.",
    "In the generator's step the label of generated examples is 1, and only the generator's optimizer steps.",
    "check-labels",
)
