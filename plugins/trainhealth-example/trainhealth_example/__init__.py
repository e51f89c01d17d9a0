"""The plugin to copy: one rule and one reader, handed to trainhealth through its entry points."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainhealth.readers.base import Reader
    from trainhealth.rules.base import Rule


def rules() -> list[type[Rule]]:
    """Return this package's rules: the entry point in ``trainhealth.rules``."""
    from trainhealth_example.rare_validation import RareValidation

    return [RareValidation]


def readers() -> list[type[Reader]]:
    """Return this package's readers: the entry point in ``trainhealth.readers``."""
    from trainhealth_example.bench_log import BenchLogReader

    return [BenchLogReader]
