"""Recipes: the remedies of five lectures on training neural networks, as data. One topic a file."""

from __future__ import annotations

import difflib
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from trainhealth.errors import UsageError
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.searching import matching

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
    """Return the recipes that are about all the words, in whatever form: those that are called so first."""
    return matching(words, all_recipes())
