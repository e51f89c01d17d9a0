"""CU04 contradicting-labels: the same example with different labels."""

from __future__ import annotations

from dataclasses import dataclass

from trainhealth.findings import Confidence, Reference, Severity
from trainhealth.rules.base import Fault, option


class ContradictingLabels(Fault):
    """The same input stands in the training data several times, with different labels.

    What it detects
        Examples whose inputs are equal to the bit and whose class labels differ, among those that were drawn.

    Why it matters
        At most one of the labels can be learnt: the training loss has a floor above zero, and a model that gets below
        it has memorised noise. Where inputs and labels were put together in a wrong order, that is all there is.

    How it decides
        At least `fewest` examples, and at least `share` of those drawn, share their input with an example of another
        class. Inputs are compared where an example has at least `numbers` numbers and one label.

    What to try
        Look at the pairs that are named; shuffle inputs and labels together; relabel, or drop what is ambiguous.

    When it is wrong
        Where inputs are few and coarse (a table of a handful of categories), equal rows with different outcomes are the
        nature of the task: such inputs have fewer than `numbers` numbers, or more than `common` of the examples have a
        twin. Label noise that was added on purpose, with examples repeated in an epoch, is told.
    """

    code = "CU04"
    name = "contradicting-labels"
    topic = "data"
    severity = Severity.WARNING
    confidence = Confidence.CERTAIN
    since = "0.2"
    references = (
        Reference(
            "Northcutt, Athalye and Mueller 2021, Pervasive Label Errors in Test Sets",
            "Ten well-known test sets have 3.3 % wrong labels on average.",
            "https://arxiv.org/abs/2103.14749",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        fewest: int = option(2, "examples", "fewer are no contradiction")
        share: float = option(0.005, "share of the examples", "house choice: below it no loss curve shows it")
        numbers: int = option(8, "numbers an example", "house choice: fewer repeat by chance")
        common: float = option(0.5, "share of the examples", "house choice: then inputs are categories")
