"""The pages of rules and recipes say what the code says, and lead where they say."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from trainhealth.catalogue import known_faults
from trainhealth.recipes import all_recipes
from trainhealth.recipes.lectures import OPTIMIZING, SHORT_NAMES, UNDER_AND_OVERFITTING, in_full

DOCS = Path(__file__).parents[1] / "docs"

sys.path.insert(0, str(DOCS))
import pages  # noqa: E402  # after the path to it

PAGES = pages.pages()


def test_the_pages_are_those_that_the_code_makes() -> None:
    """`python docs/pages.py` would change nothing, and no page is left of a rule or recipe that is gone."""
    kept = {f"{folder}/{page.name}": page.read_text() for folder in pages.FOLDERS for page in (DOCS / folder).glob("*")}
    different = {path for path in kept.keys() | PAGES.keys() if kept.get(path) != PAGES.get(path)}
    assert different == set(), "run: python docs/pages.py"


def test_every_rule_and_recipe_has_a_page() -> None:
    """Pages are called by name."""
    rules = {f"rules/{rule.name}.md" for rule in known_faults() if rule.__module__.startswith("trainhealth.")}
    recipes = {f"recipes/{recipe.name}.md" for recipe in all_recipes()}
    assert rules | recipes | {"rules/index.md", "recipes/index.md"} == set(PAGES)


def test_every_link_leads_somewhere() -> None:
    """A link to a page is to one that is made, or to a document that is there."""
    for path, text in PAGES.items():
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)#]+)\)", prose):
            target = (DOCS / path).parent / link
            relative = target.resolve().relative_to(DOCS).as_posix() if not link.startswith("http") else ""
            assert link.startswith("http") or relative in PAGES or target.exists(), f"{path}: {link}"


def test_a_rule_page_has_all_sections_its_options_and_the_recipes_that_it_prescribes() -> None:
    """What `explain` shows, with links."""
    page = PAGES["rules/vanishing-gradients.md"]
    for heading in (*pages.SECTIONS, "Reads", "Options", "References"):
        assert f"\n## {heading}\n\n" in page
    assert "| `slope` | 0.001 | first third / last third |" in page
    assert "[relu-instead-of-sigmoid](../recipes/relu-instead-of-sigmoid.md)" in page
    assert "[GR01 vanishing-gradients](../rules/vanishing-gradients.md)" in PAGES["recipes/relu-instead-of-sigmoid.md"]


def test_references_name_lectures_in_full() -> None:
    """A short name means something only to those who have heard the lecture."""
    for path, text in PAGES.items():
        for line in text.partition("## References")[2].splitlines():
            cited = line.removeprefix("- ").split(" ")[0].rstrip(":,;")
            legend = any(line == f"- {short}: {title}" for short, title in SHORT_NAMES.items())
            assert cited not in SHORT_NAMES or legend, f"{path}: {line}"


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("Opt, step 1 of choosing hyperparameters", f"{OPTIMIZING}, step 1 of choosing hyperparameters"),
        ("UO Understanding Optimization: AdaGrad", f"{UNDER_AND_OVERFITTING}: AdaGrad"),
        ("UO Underfitting and Overfitting: dropout", f"{UNDER_AND_OVERFITTING}: dropout"),
        ("Goodfellow et al. 2016, Deep Learning", "Goodfellow et al. 2016, Deep Learning"),
    ],
)
def test_a_citation_is_given_in_full(short: str, full: str) -> None:
    """The short name and the words after it that say which lecture it is give way to its title."""
    assert in_full(short) == full
