"""The code of a finding's remedies, ready to be pasted: the recipes' snippets under what the finding advises."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from trainhealth.findings import Finding, Recommendation
from trainhealth.recipes import Recipe, all_recipes

_COMMENT_WIDTH = 88  # of the comment above the code
_ABOUT_TEN = re.compile(r'(group\["lr"\]) [*/]= 10\b')  # a recipe's change of the rate for who has no better number


class Snippet(NamedTuple):
    """Code to paste, and the recipe that it is from."""

    recipe: str
    code: str


def snippets_of(finding: Finding) -> tuple[Snippet, ...]:
    """Return the code for the finding's recommendations in their order, each recipe once.

    A recommendation has none where it names no recipe, or one that is not in the book (a plugin's).
    """
    advised: dict[str, list[Recommendation]] = {}
    for item in finding.recommendations:
        advised.setdefault(item.recipe or "", []).append(item)
    book = {recipe.name: recipe for recipe in all_recipes()}
    return tuple(Snippet(name, _code(book[name], items)) for name, items in advised.items() if name in book)


def snippet_lines(item: Recommendation) -> list[str]:
    """Return the lines of a recommendation's code as they are shown; none where the book does not have its recipe."""
    recipe = next((recipe for recipe in all_recipes() if recipe.name == item.recipe), None)
    return _snippet(recipe, [item]).splitlines() if recipe is not None else []


def _snippet(recipe: Recipe, items: Sequence[Recommendation]) -> str:
    """Return a recipe's code, with the learning rate that is advised."""
    changes = [item.change for item in items if item.change is not None and item.change.parameter == "learning_rate"]
    rate = next((change.to for change in changes if isinstance(change.to, float)), None)
    code = recipe.snippet.strip()
    return code if rate is None else _ABOUT_TEN.sub(rf"\1 = {rate:.3g}", code)


def _code(recipe: Recipe, items: Sequence[Recommendation]) -> str:
    comment = [line for item in items for line in textwrap.wrap(item.action, _COMMENT_WIDTH)]
    comment.append(f"More: trainhealth explain {recipe.name}")
    return "".join(f"# {line}\n" for line in comment) + f"\n{_snippet(recipe, items)}\n"
