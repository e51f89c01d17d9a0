"""The recipe book: what is in it, and how a recipe is found."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import trainhealth
from tests.recipes.script import digits_script
from trainhealth.errors import UsageError
from trainhealth.recipes import Recipe, all_recipes, find, search
from trainhealth.recipes.base import SNIPPET_NAMES
from trainhealth.recipes.searching import matching_most, respelt

PASTING = {"paste", "apply", "rates"}  # of tests/recipes/script.py, and one that pastes
RULES = Path(trainhealth.__file__).parent / "rules"


@pytest.mark.parametrize("recipe", all_recipes(), ids=lambda recipe: recipe.name)
def test_a_recipe_says_all_that_a_reader_needs(recipe: Recipe) -> None:
    """No field is empty, sentences end, and titles are short imperatives."""
    prose = (recipe.what, recipe.when, recipe.when_not, recipe.changes, recipe.cost, recipe.verify, recipe.practice)
    for text in prose:
        assert text.endswith((".", "?"))
        assert "  " not in text
    assert len(recipe.title) <= 80
    assert not recipe.title.endswith(".")
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", recipe.name)


@pytest.mark.parametrize("recipe", all_recipes(), ids=lambda recipe: recipe.name)
def test_a_recipe_cites_a_lecture_and_says_what_each_source_supports(recipe: Recipe) -> None:
    """Anything that is no lecture can be opened: it has an address."""
    assert any(source.title.startswith("Lecture ") for source in recipe.sources)
    assert all(source.claim for source in recipe.sources)
    assert all(source.url.startswith("http") for source in recipe.sources if not source.title.startswith("Lecture "))


def test_recipes_come_in_order_of_name() -> None:
    """The list is the same whatever file a recipe stands in."""
    names = [recipe.name for recipe in all_recipes()]
    assert names == sorted(set(names))


def test_every_recipe_that_a_rule_prescribes_is_in_the_book() -> None:
    """A finding never sends a reader to a recipe that does not exist."""
    sources = [path.read_text() for path in RULES.rglob("*.py")]
    prescribed = {name for source in sources for name in re.findall(r"recipe=\"([a-z0-9-]+)\"", source)}
    assert prescribed - {recipe.name for recipe in all_recipes()} == set()


def test_every_snippet_is_run_by_a_test() -> None:
    """A recipe that no test pastes into a script is one that nobody has tried."""
    tried = set()
    for file in (Path(__file__).parent / "snippets").glob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in PASTING:
                tried |= {node.args[0].value} if isinstance(node.args[0], ast.Constant) else set()
    assert {recipe.name for recipe in all_recipes()} - tried == set()


def test_the_script_gives_a_snippet_the_names_that_are_promised() -> None:
    """`SNIPPET_NAMES` is what authors of recipes rely on."""
    assert set(digits_script()) == set(SNIPPET_NAMES)


def test_find_names_the_nearest_recipe_where_there_is_none() -> None:
    """A slip of the keyboard costs one look at the hint."""
    assert find("dropout").name == "dropout"
    with pytest.raises(UsageError, match="he-initialization"):
        find("he-initialisation")


def test_search_finds_recipes_that_hold_all_words_and_puts_names_first() -> None:
    """`rate` alone occurs in many; both words in few; a word in the name counts most."""
    assert search("He initialization")[0].name == "he-initialization"
    assert {"lower-learning-rate", "raise-learning-rate"} <= {recipe.name for recipe in search("learning rate")}
    assert search("initialization zebra") == ()
    assert search("") == all_recipes()


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Kaiming", "he-initialization"),
        ("EMA", "weight-averaging"),
        ("exponential moving average", "weight-averaging"),
        ("batchnorm", "batch-normalization"),
        ("warmup", "warm-up"),
        ("finetuning", "transfer-learning"),
        ("dying relu", "leaky-relu"),
        ("exploding gradients", "gradient-clipping"),
        ("imbalanced classes", "balance-classes"),
        ("label noise", "check-labels"),
        ("standardising", "standardize-inputs"),
        ("my loss is NaN", "find-first-nonfinite"),
        ("1/t", "exponential-decay"),
        ("learning rate too high", "lower-learning-rate"),
    ],
)
def test_a_recipe_is_found_by_the_words_that_people_use(words: str, name: str) -> None:
    """Other names, British spelling, joined or inflected words, whole questions."""
    assert search(words)[0].name == name


def test_a_short_word_is_not_found_inside_of_others() -> None:
    """`sam` is a method that one recipe names, not the middle of `example`."""
    assert [recipe.name for recipe in search("SAM")][:1] == ["weight-noise"]


def test_a_misspelt_word_is_taken_for_the_nearest() -> None:
    """One that is like nothing in the book is not."""
    assert respelt("droput regularisation", all_recipes()) == "dropout regularisation"
    assert respelt("zebra crossing", all_recipes()) == ""


def test_most_of_the_words_are_enough_where_nothing_holds_all() -> None:
    """Half of them are not: that would be chance."""
    found = {recipe.name for recipe in matching_most("validation loss zebra", all_recipes())}
    assert "early-stopping" in found
    assert matching_most("loss zebra", all_recipes()) == ()
