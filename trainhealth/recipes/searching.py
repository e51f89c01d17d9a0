"""Finding recipes by the words that people use: any ending, either spelling, with or without hyphens, misspelt."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from functools import cache

from trainhealth.recipes.base import Recipe

PREFIX = 3  # letters from which the beginning of a word stands for it
INSIDE = 5  # letters from which a part of a name stands for it: "norm" stands in too many
ALIKE = 0.8  # similarity of spelling from which a word is taken for a misspelt one

_IN_NAME, _IN_KEYWORDS, _IN_PROSE = 4, 3, 1  # what it counts for a recipe to hold a word
_FILLERS = {"a", "an", "and", "are", "at", "do", "does", "doesn", "for", "how", "i", "in", "is", "it", "my"}
_FILLERS |= {"no", "not", "of", "on", "or", "the", "to", "too", "very", "what", "with"}
_ENDINGS = ("ations", "ation", "ating", "ated", "ates", "ate", "ings", "ing", "ed", "er", "es", "s", "e")


def matching(words: str, recipes: Sequence[Recipe]) -> tuple[Recipe, ...]:
    """Return the recipes that hold all the words, those that are called so first."""
    return _ranked(words, recipes, len(_stems(words)))


def matching_most(words: str, recipes: Sequence[Recipe]) -> tuple[Recipe, ...]:
    """Return the recipes that hold as many of the words as any does, if that is more than half."""
    stems = _stems(words)
    most = max((sum(map(bool, _points(stems, recipe))) for recipe in recipes), default=0)
    return _ranked(words, recipes, most) if 2 * most > len(stems) else ()


def respelt(words: str, recipes: Sequence[Recipe]) -> str:
    """Return the words with those that no recipe holds replaced by the nearest that one does; "" for none near."""
    known = sorted({word for recipe in recipes for word in _words(f"{_called(recipe)} {recipe.what}")})
    meant = []
    for word in _words(words):
        if any(_points((_stem(word),), recipe)[0] for recipe in recipes):
            meant.append(word)
        elif near := difflib.get_close_matches(word, known, n=1, cutoff=ALIKE):
            meant.append(near[0])
        else:
            return ""
    return " ".join(meant)


def _ranked(words: str, recipes: Sequence[Recipe], least: int) -> tuple[Recipe, ...]:
    stems, phrase = _stems(words), _joined(words)
    found = []
    for recipe in recipes:
        points = _points(stems, recipe)
        if sum(map(bool, points)) >= least:
            called = phrase in map(_joined, (recipe.name, *recipe.keywords))
            found.append((-called, -sum(points), recipe.name, recipe))
    return tuple(recipe for *_, recipe in sorted(found, key=lambda entry: entry[:3]))


def _points(stems: Sequence[str], recipe: Recipe) -> list[int]:
    """Return for each word what it counts that the recipe holds it; 0: it does not."""
    name, keywords, prose, called = _indexed(recipe)
    points = []
    for stem in stems:
        if _holds(name, stem):
            points.append(_IN_NAME)
        elif _holds(keywords, stem) or (len(stem) >= INSIDE and stem in called):
            points.append(_IN_KEYWORDS)
        else:
            points.append(_IN_PROSE if _holds(prose, stem) else 0)
    return points


def _holds(stems: frozenset[str], wanted: str) -> bool:
    return wanted in stems or (len(wanted) >= PREFIX and any(stem.startswith(wanted) for stem in stems))


@cache
def _indexed(recipe: Recipe) -> tuple[frozenset[str], frozenset[str], frozenset[str], str]:
    """Return the stems of a recipe's name and title, of its keywords, of its text; and all names without a break."""
    prose = " ".join((recipe.what, recipe.when, recipe.verify, recipe.practice))  # practice names its relatives
    parts = (f"{recipe.name} {recipe.title}", " ".join(recipe.keywords), prose)
    name, keywords, text = (frozenset(map(_stem, _words(part))) for part in parts)
    return name, keywords, text, " ".join(map(_joined, (recipe.name, *recipe.keywords)))


def _called(recipe: Recipe) -> str:
    return " ".join((recipe.name, recipe.title, *recipe.keywords))


def _joined(words: str) -> str:
    return "".join(map(_american, _words(words)))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _stems(words: str) -> list[str]:
    told = _words(words)
    return [_stem(word) for word in told if word not in _FILLERS] or [_stem(word) for word in told]


def _stem(word: str) -> str:
    """Return what a word has in common with its other forms.

    >>> [_stem(word) for word in ("overfitting", "normalised", "normalization", "losses", "loss", "rates")]
    ['overfit', 'normaliz', 'normaliz', 'loss', 'loss', 'rate']
    """
    word = _american(word)
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= 4 and not word.endswith("ss"):
            doubled = stem[-1] == stem[-2] and ending in ("ing", "ed", "er") and stem[-1] not in "ls"
            return stem[:-1] if doubled else stem
    return word


def _american(word: str) -> str:
    """Return the spelling of the book: -ize, and color."""
    return re.sub(r"is(e|ed|er|es|ing|ation|ations)$", r"iz\1", word).replace("colour", "color")
