"""The examples in the documentation of amounts and axes hold."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from trainhealth.tui import amounts, axis


@pytest.mark.parametrize("module", [amounts, axis])
def test_the_examples_hold(module: ModuleType) -> None:
    """What the docstrings promise is what the functions return."""
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
