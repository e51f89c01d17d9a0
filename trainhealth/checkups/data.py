"""The data: scale, constant and duplicate features, labels, repeated examples, overlap of the splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import torch

from trainhealth.checkups.base import Check, Outcome, not_checked
from trainhealth.checkups.batches import Batches
from trainhealth.checkups.examples import (
    digests,
    first_inputs,
    inputs_and_target,
    labels,
    numbers_an_example,
    rows,
)
from trainhealth.checkups.faults.contradicting_labels import ContradictingLabels
from trainhealth.checkups.faults.duplicate_features import DuplicateFeatures
from trainhealth.checkups.faults.mixed_ranges import MixedRanges
from trainhealth.checkups.faults.overlapping_splits import OverlappingSplits
from trainhealth.checkups.subject import Subject
from trainhealth.figures import Figure
from trainhealth.findings import Evidence, Finding, NotChecked, Recommendation
from trainhealth.rules.base import number

SHOWN = 12  # classes in the picture of the labels, and groups of features in the evidence
_OF_NUMBERS = ("DA01", "DA02", "DA03", "DA06", "DA09")  # rules that have nothing to say of tokens


class Data(Check):
    """Are the inputs scaled, the labels consistent, and the splits apart?"""

    name = "data"
    title = "data"
    order = 20
    share = 0.5
    rules = ("DA01", "DA02", "DA03", "DA04", "DA05", "DA06", "DA07", "DA08", "DA09", "DA10", "DA12")
    faults = (DuplicateFeatures, ContradictingLabels, OverlappingSplits, MixedRanges)

    def run(self, subject: Subject) -> Outcome:
        """Ask the rules about the watched start, and compare the examples with each other."""
        numbers = any(tensor.is_floating_point() for tensor in inputs_and_target(subject.batches[0])[0])
        rules = self.rules if numbers else [rule for rule in self.rules if rule not in _OF_NUMBERS]
        findings, silent = subject.watched.answers(rules)
        found: list[Finding] = list(findings)
        left_out: list[NotChecked] = list(silent)
        drawn = _drawn(subject.batches)
        answers = (
            _duplicates(subject.batches),
            _contradictions(drawn),
            _overlap(subject, drawn),
            _ranges(subject.batches),
        )
        for answer in answers:
            if isinstance(answer, NotChecked):
                left_out.append(answer)
            else:
                found.extend(answer)
        return Outcome(tuple(found), tuple(left_out), figures=tuple(_pictures(drawn)))


class _Drawn(NamedTuple):
    """Every example that was drawn: a digest of its inputs, its label where it has one, and its size."""

    digests: list[bytes]
    labels: list[int] | None
    numbers: int

    @property
    def twins(self) -> float:
        """Share of the examples whose inputs are there more than once."""
        counts = Counter(self.digests)
        return sum(n for n in counts.values() if n > 1) / len(self.digests) if self.digests else 0.0


def _drawn(batches: Batches) -> _Drawn:
    found: list[bytes] = []
    classes: list[int] | None = []
    for batch in batches:
        of_batch, of_labels = digests(batch), labels(batch)
        found += of_batch
        classes = None if classes is None or of_labels is None else [*classes, *of_labels]
    numbers = numbers_an_example(batches[0])
    return _Drawn(found, classes if classes and len(classes) == len(found) else None, numbers)


def _contradictions(drawn: _Drawn) -> list[Finding] | NotChecked:
    fault, options = ContradictingLabels, ContradictingLabels.Options()
    if drawn.labels is None:
        return []
    if drawn.numbers < options.numbers or drawn.twins > options.common:
        return not_checked(fault, "the inputs repeat by nature: they are too small, or categories")
    seen: dict[bytes, set[int]] = {}
    for digest, label in zip(drawn.digests, drawn.labels, strict=True):
        seen.setdefault(digest, set()).add(label)
    places = [index for index, digest in enumerate(drawn.digests) if len(seen[digest]) > 1]
    share = len(places) / len(drawn.digests)
    if len(places) < options.fewest or share < options.share:
        return []
    first = drawn.digests[places[0]]
    twin = next(i for i in places[1:] if drawn.digests[i] == first and drawn.labels[i] != drawn.labels[places[0]])
    return [
        fault().finding(
            f"{len(places)} of {len(drawn.digests)} examples have the same input as one of another class: example"
            f" {places[0]} is of class {drawn.labels[places[0]]}, example {twin} of class {drawn.labels[twin]}"
            " (counted as they were drawn).",
            [Evidence("examples that contradict another", None, 0, 0, share, "0")],
            [
                Recommendation(
                    f"Look at examples {places[0]} and {twin} and where they come from.",
                    "One of their labels can't be learnt, whatever the model.",
                    "Every input has one label, and the loss of a few examples can be trained to 0.",
                    recipe="check-labels",
                )
            ],
            place="labels",
        )
    ]


def _overlap(subject: Subject, drawn: _Drawn) -> list[Finding] | NotChecked:
    fault, options = OverlappingSplits, OverlappingSplits.Options()
    if subject.validation is None:
        return not_checked(fault, "there is no validation split to compare with: pass validation=")
    if drawn.numbers < options.numbers:
        return not_checked(fault, "the inputs repeat by nature: they are too small")
    held = _drawn(subject.validation).digests
    training = set(drawn.digests)
    shared = sum(digest in training for digest in held)
    share = shared / len(held) if held else 0.0
    if shared < options.fewest or share < max(options.share, options.times * drawn.twins):
        return []
    return [
        fault().finding(
            f"{shared} of {len(held)} validation examples that were drawn are among the {len(drawn.digests)} training"
            " examples that were.",
            [Evidence("validation examples seen in training", None, 0, 0, share, "0")],
            [
                Recommendation(
                    "Take them out of the training data, and split anew before copying or oversampling.",
                    "On an example that it was trained on a model shows what it remembers.",
                    "No validation example has a twin in training; validation_loss will be higher, and true.",
                    recipe="check-the-split",
                )
            ],
            place="validation",
        )
    ]


def _duplicates(batches: Batches) -> list[Finding] | NotChecked:
    fault, options = DuplicateFeatures, DuplicateFeatures.Options()
    inputs = first_inputs(batches)
    if not inputs or inputs[0].dim() != 2 or not inputs[0].is_floating_point():
        return []
    table = rows(inputs)
    stride = -(-table.shape[1] // options.features)
    table = table[:, ::stride]
    table = table[torch.isfinite(table).all(1)]
    if len(table) < options.examples:
        return not_checked(fault, f"fewer than {options.examples} examples were drawn")
    groups = [[column * stride for column in group] for group in _equal_columns(table, options)]
    if not groups:
        return []
    names = "; ".join(" = ".join(map(str, group)) for group in groups[:3])
    return [
        fault().finding(
            f"{sum(map(len, groups))} of {table.shape[1] * stride} features are copies of each other, up to scale and"
            f" shift: {names}{'; …' if len(groups) > 3 else ''}.",
            [
                Evidence("features that are equal", f"feature {group[0]}", 0, 0, float(len(group)), "1")
                for group in groups[:SHOWN]
            ],
            [
                Recommendation(
                    "Leave out all but one of each group, or find the column that was meant.",
                    "A copy adds nothing, and its weight learns along with the other's.",
                    "Every feature says something of its own.",
                    recipe="whiten-inputs",
                )
            ],
            place="features",
        )
    ]


def _equal_columns(table: torch.Tensor, options: DuplicateFeatures.Options) -> list[list[int]]:
    """Return groups of columns that are the same up to sign once standardised."""
    deviations = table - table.mean(0)
    std = deviations.square().mean(0).sqrt()
    low, high = table.aminmax(dim=0)
    varied = ((high > low) & (std > 0)).nonzero().flatten().tolist()
    standard = deviations / std.clamp(min=torch.finfo(torch.float64).tiny)
    # equal columns have equal moments; rounded, so that now and then a border parts a pair
    moments = torch.stack([standard.abs().mean(0), standard.pow(3).mean(0).abs()])
    buckets: dict[tuple[float, ...], list[int]] = {}
    for column in varied:
        first, third = moments[:, column].tolist()
        buckets.setdefault((round(first, 3), round(third, 2)), []).append(column)
    groups: list[list[int]] = []
    for columns in buckets.values():
        groups += _groups(standard, columns, options)
    return sorted(groups)


def _groups(standard: torch.Tensor, columns: list[int], options: DuplicateFeatures.Options) -> Iterator[list[int]]:
    left = list(columns)
    while len(left) > 1:
        first = standard[:, left[0]]
        others = standard[:, left[1:]]
        same = [(others - first[:, None]).abs().amax(0), (others + first[:, None]).abs().amax(0)]
        near = torch.minimum(*same) < options.tolerance
        flags = len(torch.unique(first)) <= 2 and len(first) < 4 * options.examples
        equal = [column for column, is_near in zip(left[1:], near.tolist(), strict=True) if is_near and not flags]
        if equal:
            yield [left[0], *equal]
        left = [column for column in left[1:] if column not in equal]


def _ranges(batches: Batches) -> list[Finding]:
    fault, options = MixedRanges, MixedRanges.Options()
    inputs = first_inputs(batches)
    if not inputs or inputs[0].dim() < 4:
        return []
    largest = torch.cat([tensor.detach().double().abs().flatten(1).amax(1).cpu() for tensor in inputs])
    largest = largest[torch.isfinite(largest) & (largest > 0)].sort().values
    if len(largest) < 2:
        return []
    ratios = largest[1:] / largest[:-1]
    gap = float(ratios.max())
    cut = int(ratios.argmax()) + 1
    smaller = min(cut, len(largest) - cut) / len(largest)
    if gap < options.gap or smaller < options.share:
        return []
    low, high = float(largest[:cut].max()), float(largest[cut:].max())
    return [
        fault().finding(
            f"{cut} of {len(largest)} images reach up to {number(low)}, the others up to {number(high)}, with nothing"
            " in between.",
            [Evidence("largest value of an image", "inputs", 0, 0, gap, "no gap above 30-fold between images")],
            [
                Recommendation(
                    f"Scale all images alike: divide those up to {number(high)} by {number(high / low)}.",
                    "The others are so dark beside them that the model does not see them.",
                    "All images have their largest values within a factor of a few.",
                    recipe="standardize-inputs",
                )
            ],
        )
    ]


def _pictures(drawn: _Drawn) -> Iterator[Figure]:
    """Yield the classes' shares, the most frequent first."""
    if drawn.labels is None or len(set(drawn.labels)) < 2:
        return
    counts = Counter(drawn.labels).most_common()
    shown = counts[:SHOWN]
    title = f"labels of {len(drawn.labels)} examples"
    title += f": the {SHOWN} most frequent of {len(counts)} classes" if len(counts) > SHOWN else ""
    shares = tuple(count / len(drawn.labels) for _, count in shown)
    yield Figure(title, "bars", {"share": shares}, labels=tuple(f"class {label}" for label, _ in shown))
