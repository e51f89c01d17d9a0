"""What every rule keeps to: one form of documentation, known names, no exception on any run."""

from __future__ import annotations

import ast
import inspect
import json
import math
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import trainhealth.rules
from tests.rules.runs import LAYERS, PARAMETERS, run_views
from trainhealth.builder import RunBuilder
from trainhealth.findings import Confidence, Finding, NotChecked, Severity
from trainhealth.plugins import discover
from trainhealth.readers.trainhealth_jsonl import TrainHealthReader
from trainhealth.recipes import all_recipes
from trainhealth.records import (
    EndRecord,
    EpochRecord,
    EventRecord,
    LayoutRecord,
    Record,
    SampleRecord,
    StartRecord,
    StepRecord,
    encode,
)
from trainhealth.rules.base import ERROR, SECTIONS, TOPICS, Rule
from trainhealth.rules.engine import diagnose
from trainhealth.series import Columns, RunView, Series
from trainhealth.signals import SIGNALS, Scope
from trainhealth.testing import check_rule

RULES: list[type[Rule]] = sorted(discover(trainhealth.rules, Rule), key=lambda rule: rule.code)
RECIPES = {recipe.name for recipe in all_recipes()}

each_rule = pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])


def folder_of(rule: type[Rule]) -> Path:
    return Path(inspect.getfile(rule))


# --- form ---


def test_codes_and_names_are_unique():
    """A code or a name means one rule."""
    assert len({rule.code for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES) > 0


@each_rule
def test_a_rule_is_found_by_one_search(rule):
    """File, folder, class and first line all say the rule's name, topic and code."""
    file = folder_of(rule)
    assert re.fullmatch(r"[A-Z]{2}\d{2}", rule.code)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)
    assert file.stem == rule.name.replace("-", "_")
    assert file.parent.name == rule.topic
    assert rule.topic in TOPICS
    assert rule.__name__.lower() == rule.name.replace("-", "")
    assert inspect.getmodule(rule).__doc__.startswith(f"{rule.code} {rule.name}: ")


@each_rule
def test_documentation_has_the_fixed_sections_in_order(rule):
    """A first line for the user, then every section once, none empty, and no other heading."""
    lines = inspect.cleandoc(rule.__doc__).splitlines()
    assert lines[0].endswith(".")
    headings = [(number, line) for number, line in enumerate(lines[1:], 1) if line and not line.startswith(" ")]
    assert [line for _, line in headings] == list(SECTIONS)
    ends = [number for number, _ in headings[1:]] + [len(lines)]
    for (number, heading), end in zip(headings, ends, strict=True):
        assert "".join(lines[number + 1 : end]).strip(), f"{heading} is empty"


@each_rule
def test_metadata_is_complete(rule):
    """Severity and confidence are set, and every reference supports a claim."""
    assert isinstance(rule.severity, Severity)
    assert isinstance(rule.confidence, Confidence)
    assert re.fullmatch(r"\d+\.\d+", rule.since)
    assert rule.references
    assert all(reference.title and reference.claim for reference in rule.references)


@each_rule
def test_options_have_unit_source_and_default(rule):
    """Every threshold says what it counts and where the number comes from, and is named in the documentation."""
    rule.Options()
    for option in fields(rule.Options):
        assert option.metadata["unit"]
        assert option.metadata["source"]
        assert f"`{option.name}`" in rule.__doc__, f"{option.name} is not explained"


@each_rule
def test_signals_are_known(rule):
    """What a rule requires and uses are signals, or the exception that ended the run."""
    names = [name for need in (*rule.requires, *rule.uses) for name in need.split("|")]
    assert rule.requires
    assert set(names) <= {*SIGNALS, ERROR}


def recipes_in_source():
    """Every recipe that a `Recommendation(...)` below the rules names, with its file."""
    for file in sorted(Path(trainhealth.rules.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Recommendation":
                named = [keyword.value for keyword in node.keywords if keyword.arg == "recipe"] + node.args[4:5]
                yield from ((file.name, value.value) for value in named if isinstance(value, ast.Constant))


def test_recommended_recipes_exist():
    """Whoever follows a recommendation finds its recipe in the book."""
    named = set(recipes_in_source())
    assert named
    assert {(file, recipe) for file, recipe in named if recipe not in RECIPES} == set()


# --- behaviour ---


def assert_well_formed(finding: Finding) -> None:
    """What a person reads of any finding: a fact with numbers, evidence, advice with what to look for."""
    assert finding.message.endswith(".")
    assert "?" not in finding.message
    assert finding.evidence
    assert all(evidence.signal in SIGNALS and evidence.expected for evidence in finding.evidence)
    assert 1 <= len(finding.recommendations) <= 3
    for recommendation in finding.recommendations:
        assert recommendation.action
        assert recommendation.because
        assert recommendation.verify
        assert recommendation.recipe is None or recommendation.recipe in RECIPES
    json.dumps(finding.to_dict(), allow_nan=False)


@each_rule
@given(run=run_views())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_no_rule_raises_on_any_run(rule, run):
    """NaN, infinity, nothing, one step, repeated and unordered steps: an answer, and well-formed findings."""
    answer = check_rule(rule, run)
    if isinstance(answer, NotChecked):
        assert answer.because
    else:
        for finding in answer:
            assert_well_formed(finding)


@each_rule
def test_an_empty_run_is_not_checked(rule):
    """Silence about a run without data would be read as health."""
    assert isinstance(check_rule(rule, RunView()), NotChecked)


def long_run(count: int) -> RunView:
    """A healthy run of `count` steps, sampled a thousand times."""
    random, steps = np.random.default_rng(0), np.arange(count)
    loss = 2.3 * np.exp(-steps / count * 5) * (1 + random.normal(0, 0.1, count)) + 0.1
    samples = np.linspace(0, count - 1, 1000).astype(np.int64)
    ends = np.linspace(count // 100, count, 100).astype(np.int64)
    level = {"update_ratio": 1e-3, "activation_std": 1.0, "parameter_norm": 1.0, "parameter_gradient_norm": 1.0}
    matrices = {}
    for name, signal in SIGNALS.items():
        if signal.scope in (Scope.LAYER, Scope.PARAMETER):
            places = tuple(entry.name for entry in (LAYERS if signal.scope is Scope.LAYER else PARAMETERS))
            values = np.full((1000, len(places)), level.get(name, 0.0), np.float32)
            matrices[name] = Columns(name, samples, places, values)
    scalars = {
        "train_loss": Series("train_loss", steps, loss),
        "gradient_norm": Series("gradient_norm", steps, loss),
        "learning_rate": Series("learning_rate", steps[:1], np.array([0.1])),
        "validation_loss": Series("validation_loss", ends, 2.3 * np.exp(-ends / count * 5) + 0.12),
    }
    facts = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10}
    return RunView(
        scalars=scalars, columns_by_signal=matrices, layers=LAYERS, parameters=PARAMETERS, facts=facts, ended="closed"
    )


@each_rule
def test_a_million_steps_are_no_trouble(rule):
    """A long healthy run is judged, and found healthy."""
    answer = check_rule(rule, long_run(1_000_000))
    assert answer == () or isinstance(answer, NotChecked)


# --- live is the same as post-hoc ---


def log_of(losses: list[float], validation: list[float], *, nonfinite_layers: bool = False) -> bytes:
    """The bytes of a log: a step a loss, samples at powers of two, an epoch a validation loss, facts."""
    each = max(len(losses) // len(validation), 1)
    facts = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10, "target_shape": [32]}
    records: list[Record] = [
        StartRecord(step=0, time=1.0, pid=1),
        EventRecord(step=0, time=1.0, event="facts", data=facts),
        LayoutRecord(step=0, time=1.0, layout=0, layers=list(LAYERS), parameters=list(PARAMETERS)),
    ]
    for step, loss in enumerate(losses):
        number = loss if math.isfinite(loss) else "NaN"
        records.append(
            StepRecord(step=step, time=1.0, train_loss=number, learning_rate=0.1 if step == 0 else None, batch_size=32)
        )
        if step & (step - 1) == 0:
            bad = 9.0 if nonfinite_layers and not math.isfinite(loss) else 0.0
            columns = {"activation_nonfinite": [bad] * len(LAYERS), "activation_std": [1.0] * len(LAYERS)}
            ratios = {"update_ratio": [1e-3] * len(PARAMETERS)}
            records.append(
                SampleRecord(step=step, time=1.0, layout=0, layers=columns, parameters=ratios, batch_size=32)
            )
        if (step + 1) % each == 0 and (step + 1) // each <= len(validation):
            epoch = (step + 1) // each - 1
            records.append(
                EpochRecord(step=step + 1, time=1.0, epoch=epoch, values={"validation_loss": validation[epoch]})
            )
    records.append(EndRecord(step=len(losses), time=1.0))
    return b"".join(encode(record) for record in records)


FALLING = [2.3 * math.exp(-step / 60) + 0.05 for step in range(300)]
LOGS = {
    "healthy": log_of(FALLING, [1.0, 0.6, 0.3, 0.2, 0.15, 0.14]),
    "diverged": log_of(FALLING + [30.0] * 100, [1.0, 0.6, 0.3, 0.2, 30.0, 30.0]),
    "nan": log_of([2.3] * 16 + [math.nan] * 60, [2.3], nonfinite_layers=True),
    "overfitted": log_of(FALLING, [1.0, 0.6, 0.4, 0.5, 0.7, 0.9, 1.1, 1.3]),
    "stuck": log_of([2.3 + 0.01 * (-1) ** step for step in range(400)], [2.3] * 10),
}


def as_json(run: RunView) -> str:
    """Return the diagnosis as text, in which NaN equals NaN."""
    diagnosis = diagnose(run)
    return json.dumps([item.to_dict() for item in (*diagnosis.findings, *diagnosis.not_checked)])


@pytest.mark.parametrize("name", LOGS)
def test_line_by_line_equals_whole(name):
    """A log that is read as it grows, with a diagnosis now and then, ends in the findings of the whole."""
    whole = RunBuilder("run")
    whole.feed(TrainHealthReader().feed(LOGS[name]))
    reader, growing = TrainHealthReader(), RunBuilder("run")
    for number, line in enumerate(LOGS[name].splitlines(keepends=True)):
        growing.feed(reader.feed(line))
        if number % 50 == 0:
            diagnose(growing.view())
    assert as_json(growing.view()) == as_json(whole.view())


def test_the_logs_say_what_they_are_called():
    """Each of these logs is found to be what it was made to be, so that the comparison above compares findings."""
    codes = {}
    for name, data in LOGS.items():
        builder = RunBuilder("run")
        builder.feed(TrainHealthReader().feed(data))
        codes[name] = {finding.code for finding in diagnose(builder.view()).findings}
    assert codes["healthy"] == set()
    assert "LS02" in codes["diverged"]
    assert "LS01" in codes["nan"]
    assert "GE01" in codes["overfitted"]
    assert "GE02" in codes["stuck"]
