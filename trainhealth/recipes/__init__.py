"""Recipes: the remedies of five lectures on training neural networks, as data. One topic a file."""

from __future__ import annotations

import difflib
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from trainhealth.errors import UsageError
from trainhealth.recipes.base import Recipe

__all__ = ["Recipe", "all_recipes", "find", "search"]


@cache
def all_recipes() -> tuple[Recipe, ...]:
    """Return every recipe, in order of name: those that the modules of this package hold as values."""
    modules = [import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Recipe)]
    return tuple(sorted(found, key=lambda recipe: recipe.name))


def find(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises:
        UsageError: there is none; the hint names the nearest.
    """
    by_name = {recipe.name: recipe for recipe in all_recipes()}
    if name not in by_name:
        close = difflib.get_close_matches(name, by_name, n=1, cutoff=0.0)
        raise UsageError(f"there is no recipe {name!r}", f"The nearest name is {close[0]}.")
    return by_name[name]


def search(words: str) -> tuple[Recipe, ...]:
    """Return the recipes that hold all the words (in any case), those that are called so first."""
    wanted = words.lower().split()
    hits = [recipe for recipe in all_recipes() if all(word in _text(recipe) for word in wanted)]
    return tuple(
        sorted(hits, key=lambda recipe: -sum(word in f"{recipe.name} {recipe.title.lower()}" for word in wanted))
    )


def _text(recipe: Recipe) -> str:
    prose = (recipe.title, recipe.what, recipe.when, recipe.verify, recipe.practice)  # practice names its relatives
    parts = (recipe.name, recipe.name.replace("-", " "), *prose)
    return " ".join(parts).lower()
