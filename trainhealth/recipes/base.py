"""What a recipe is: a remedy as data, with a snippet that runs."""

from __future__ import annotations

from dataclasses import dataclass

from trainhealth.findings import Reference

SNIPPET_NAMES = ("model", "optimizer", "loss_fn", "inputs", "targets", "validation_inputs", "validation_targets")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One remedy, as the lectures prescribe it.

    The snippet is complete PyTorch for a script in which the `SNIPPET_NAMES` stand for the reader's own model,
    optimizer, loss function and batches. It imports what it uses and changes those names (or trains with them); the
    tests run every snippet on a small real model, train on, and look for what `verify` promises.
    """

    name: str  # "lower-learning-rate": what rules and ``trainhealth explain`` call it
    title: str  # a short imperative sentence, without a full stop
    keywords: tuple[str, ...]  # other names, functions of libraries, signs: what people look it up by
    what: str  # one paragraph
    when: str
    when_not: str
    changes: str  # what changes in the training script
    cost: str
    snippet: str
    verify: str  # what will be seen if it works
    practice: str = ""  # where the lectures and today's practice differ, and what to make of it
    sources: tuple[Reference, ...]
