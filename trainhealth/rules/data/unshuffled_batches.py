"""DA05 unshuffled-batches: the examples of a batch are alike; the data come in an order."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.loss_input import shape_of
from trainhealth.rules.objective import moving_target
from trainhealth.rules.sampled import latest, samples_of, usual, usual_batch_size
from trainhealth.series import RunView


class UnshuffledBatches(Rule):
    """Batches hold examples of (nearly) one class, or of one size of target: the training data are not shuffled.

    What it detects
        Classification: batch_majority_share, the share of the most frequent class of a batch, against majority_share,
        its share among all targets. Regression: target_std within a batch against the spread of target_mean from batch
        to batch (target unit).

    Why it matters
        A batch of one class has a gradient that says "answer this class, whatever the input": the model turns from one
        class to the next and forgets the one before. Batch norm sees statistics of one class, and uses those of all
        when it is evaluated.

    How it decides
        q = the median batch_majority_share, p = majority_share. Of n independent draws, one of C classes has a share of
        q > p with a probability of at most C exp(-n KL(q, p)), KL(q, p) = q log(q/p) + (1-q) log((1-q)/(1-p))
        (Chernoff). It fires if q is above `share` and that is below `chance`, over at least `samples` sampled batches.
        Regression: the usual target_std is below `within` times the standard deviation of target_mean over the sampled
        batches of the first epoch, which in shuffled batches is sqrt(n) times as small.

    What to try
        shuffle=True in the DataLoader of the training data; for streams, a buffer from which batches are drawn.

    When it is wrong
        Batches of 1 to about 4 examples, and strongly imbalanced labels: no share is improbable, silent. Sequences and
        images with a label per pixel hold correlated labels: not judged. Classes that come one after the other on
        purpose (continual learning) are silent where half of them appear after the first epoch, in which samples repeat
        those that it has. Adversaries that see real and generated examples in turn: silent where the log names them. A
        curriculum of sorted targets is a false alarm; targets that drift (reinforcement learning) are not, as they do
        so slowly against an epoch.
    """

    code = "DA05"
    name = "unshuffled-batches"
    topic = "data"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("batch_majority_share|target_mean",)
    uses = ("majority_share", "classes_seen", "target_std", "batch_size")
    references = (
        Reference(
            "L16 Practical Aspects: mini-batch SGD", "Loop: sample a batch of data, then forward, backward, update."
        ),
        Reference(
            "Goodfellow, Bengio and Courville 2016: Deep Learning, section 8.1.3",
            "It is crucial that minibatches be selected randomly; shuffle data sets whose order is arranged.",
            "https://www.deeplearningbook.org/contents/optimization.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        chance: float = option(1e-2, "probability a batch", "house choice: half of the batches must be as improbable")
        share: float = option(0.5, "share of a batch", "house choice: samplers by class put two in a batch, or more")
        within: float = option(1.0, "1", "house choice: shuffled batches have sqrt(n)")
        samples: float = option(4.0, "sampled batches", "house choice")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the examples of batches are alike."""
        size = usual_batch_size(run)
        if not size > 0:
            return NotChecked("the batch size is not known: pass targets= to watch.step")
        shape = shape_of(run, "target_shape")
        if moving_target(run) is not None or (
            shape and math.prod(shape[1:]) > 1 and not run.facts.get("target_one_hot")
        ):
            return []
        by_class = run.has("batch_majority_share") and run.has("majority_share")
        taken = samples_of(run, "batch_majority_share" if by_class else "target_mean")
        if taken < options.samples:
            return NotChecked(f"{taken} sampled batches are too few: it takes {number(options.samples)}")
        found = self._of_classes(run, size, options) if by_class else self._of_targets(run, size, options)
        return [found] if found else []

    def _of_classes(self, run: RunView, size: float, options: Options) -> Finding | None:
        seen, majority = latest(run, "classes_seen"), latest(run, "majority_share")
        share = usual(run, "batch_majority_share")
        if not seen > 1 or _still_growing(run):
            return None
        if (
            not share > max(options.share, majority)
            or seen * math.exp(-size * _divergence(share, majority)) >= options.chance
        ):
            return None
        classes = usual(run, "batch_classes")
        held = f" and {number(classes)} of {number(seen)} classes" if classes > 0 else ""
        steps = run.series("batch_majority_share").steps
        return self.finding(
            f"A usual batch of {number(size)} holds {100 * share:.3g} % of one class{held}; among all targets the most"
            f" frequent class has {100 * majority:.3g} %.",
            [
                Evidence(
                    "batch_majority_share",
                    None,
                    int(steps[0]),
                    int(steps[-1]),
                    share,
                    f"about {number(majority)}, as among all targets",
                )
            ],
            [_shuffle("batch_majority_share is near majority_share, and train_loss loses its waves.")],
        )

    def _of_targets(self, run: RunView, size: float, options: Options) -> Finding | None:
        means = run.series("target_mean").finite()
        means = means.between(0, run.epochs[0].step - 1) if run.epochs else means.between(0, -1)
        within = usual(run, "target_std")
        if size < 4 or len(means) < options.samples:
            return None
        between = float(np.std(means.values))
        if not within < options.within * between:
            return None
        return self.finding(
            f"The targets of a batch have a standard deviation of {number(within)}, and the batches' means one of"
            f" {number(between)} within the first epoch; in random batches of {number(size)} the second is"
            f" {number(math.sqrt(size))} times as small as the first.",
            [
                Evidence(
                    "target_std",
                    None,
                    int(means.steps[0]),
                    means.last_step,
                    within,
                    f"{number(math.sqrt(size))} times {number(between)}",
                )
            ],
            [_shuffle("target_std within a batch is near that of all targets, and train_loss loses its waves.")],
        )


def _divergence(q: float, p: float) -> float:
    """Return the relative entropy of a coin of `q` to one of `p`, in nats; infinite where p is 0 or 1."""
    if not 0 < p < 1:
        return math.inf
    rest = (1 - q) * math.log((1 - q) / (1 - p)) if q < 1 else 0.0
    return q * math.log(q / p) + rest


def _still_growing(run: RunView) -> bool:
    """Whether most classes came after the first epoch: they are taught one after the other, on purpose.

    Few batches of an epoch are sampled, and if each holds one class, few classes are seen in it, however they are
    ordered: where every other sample of the first epoch brought a new one, nobody held them back.
    """
    seen = run.series("classes_seen").finite()
    if len(run.epochs) < 2 or not len(seen):
        return False
    until = run.epochs[0].step
    early, samples = seen.at(until), int((seen.steps <= until).sum())
    return bool(2 * early <= seen.values[-1] and 2 * early < samples)


def _shuffle(verify: str) -> Recommendation:
    return Recommendation(
        "Shuffle the training data in every epoch: DataLoader(…, shuffle=True).",
        "The gradient of a random batch points, on average, where that of all data does.",
        verify,
        "Not for the validation data, and not for series whose order is what is learnt.",
        "shuffle-data",
        Change("shuffle", "no", "every epoch"),
    )
