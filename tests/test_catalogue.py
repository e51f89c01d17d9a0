"""Everything that a finding can be of: one code and one name each, documented in one form, and explained."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

from trainhealth.catalogue import known_faults
from trainhealth.cli import main
from trainhealth.rules.base import SECTIONS, TOPICS
from trainhealth.rules.search import search_rules

each = pytest.mark.parametrize("rule", search_rules(), ids=lambda rule: rule.name)


def test_codes_and_names_mean_one_thing():
    """Over rules on runs, rules on searches, and what a checkup sees."""
    faults = known_faults()
    assert len({fault.code for fault in faults}) == len({fault.name for fault in faults}) == len(faults)


def test_the_rules_on_searches_are_listed_and_explained(capsys):
    """`rules` and `explain` know them as they know all others."""
    assert main(["rules"]) == 0
    assert "SE01  best-at-the-edge" in capsys.readouterr().out
    assert main(["explain", "SE02"]) == 0
    assert "log-uniformly" in capsys.readouterr().out


@each
def test_a_search_rule_has_the_form_of_all_rules(rule):
    """File, folder, class and first line say the rule's name; sections in order; options with unit and source."""
    file = Path(inspect.getfile(rule))
    assert (file.stem, file.parent.name) == (rule.name.replace("-", "_"), rule.topic)
    assert rule.topic in TOPICS
    assert rule.__name__.lower() == rule.name.replace("-", "")
    assert inspect.getmodule(rule).__doc__.startswith(f"{rule.code} {rule.name}: ")
    lines = inspect.cleandoc(rule.__doc__).splitlines()
    assert [line for line in lines[1:] if line and not line.startswith(" ")] == list(SECTIONS)
    assert re.fullmatch(r"\d+\.\d+", rule.since)
    assert all(reference.title and reference.claim for reference in rule.references)
    for option in fields(rule.Options):
        assert option.metadata["unit"]
        assert option.metadata["source"]
        assert f"`{option.name}`" in rule.__doc__
