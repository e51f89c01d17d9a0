"""The engine: every rule answers, one that fails hides nothing, and a wrong option is an error at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from trainhealth import plugins
from trainhealth.errors import UsageError
from trainhealth.findings import Change, Confidence, Evidence, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, option
from trainhealth.rules.engine import all_rules, diagnose, run_rule
from trainhealth.series import RunView
from trainhealth.testing import make_run


class Loud(Rule):
    """Finds something at every step above a limit."""

    code, name, topic, since = "ZZ02", "loud-loss", "loss", "0.1"
    severity, confidence = Severity.NOTE, Confidence.CERTAIN
    requires = ("train_loss",)
    references = (Reference("here", "It is so."),)

    @dataclass(frozen=True)
    class Options:
        """One threshold."""

        limit: float = option(2.0, "loss", "test")
        values: int = option(1, "steps", "test")

    def check(self, run, options):
        losses = run.series("train_loss")
        loud = [(int(s), float(v)) for s, v in zip(losses.steps, losses.values, strict=True) if v > options.limit]
        advice = [Recommendation(f"Do {i}.", "So.", "So.", change=Change("x", 1, 2)) for i in range(5)]
        evidence = [Evidence("train_loss", None, step, step, value, "less") for step, value in loud]
        return [self.finding("It is loud.", evidence, advice)] if loud else []


class Broken(Loud):
    """Raises on every run."""

    code, name = "ZZ01", "broken-rule"

    def check(self, run, options):
        raise KeyError("depth")


class Needy(Loud):
    """Requires what few logs have."""

    code, name = "ZZ03", "needy-rule"
    requires = ("train_loss", "validation_loss|validation_accuracy", "activation_std")


@pytest.fixture
def rules(monkeypatch):
    """The engine sees these three rules, in an order of their own."""
    monkeypatch.setattr(plugins, "load", lambda group: (Needy, Loud, Broken))


def test_rules_come_in_order_of_code(rules):
    """Whatever the order in which plugins were found."""
    assert [rule.code for rule in all_rules()] == ["ZZ01", "ZZ02", "ZZ03"]


def test_the_built_in_rules_are_there():
    """They come through the door that plugins use."""
    assert {"OP01", "OP02", "AC01", "AC02", "IN01"} <= {rule.code for rule in all_rules()}


def test_a_rule_that_raises_hides_nothing(rules):
    """It is not checked, with the exception in words; the others' findings stand."""
    diagnosis = diagnose(make_run([3.0]))
    assert [finding.code for finding in diagnosis.findings] == ["ZZ02"]
    broken = diagnosis.not_checked[0]
    assert (broken.code, broken.name) == ("ZZ01", "broken-rule")
    assert broken.because == "the rule failed (KeyError: 'depth'): please report it"


def test_a_missing_signal_is_not_checked_and_says_what_would_supply_it():
    """Each kind of signal has its own way into the log."""
    assert "watch.epoch(validation_loss=…)" in run_rule(Needy, make_run([1.0]), {}).because
    assert "validation_loss or validation_accuracy, activation_std" in run_rule(Needy, make_run([1.0]), {}).because
    sampled = make_run([1.0], evaluations={0: {"validation_loss": 1.0}})
    assert run_rule(Needy, sampled, {}).because == "no sampled step has activation_std"
    foreign = RunView(scalars=sampled.scalars, format="keras_csv")
    assert "only trainhealth.watch(model, optimizer)" in run_rule(Needy, foreign, {}).because
    assert run_rule(Loud, RunView(), {}) == NotChecked("the log has no train_loss", "ZZ02", "loud-loss")


def test_evidence_gets_its_place_in_the_log(rules):
    """A rule says when; the engine knows where."""
    run = make_run([1.0, 3.0])
    (finding,) = diagnose(run).findings
    assert finding.evidence[0].location == run.location(1) == "step 1"
    assert finding.first_step == 1


def test_no_more_than_three_recommendations(rules):
    """A reader takes in no more."""
    (finding,) = diagnose(make_run([3.0])).findings
    assert [advice.action for advice in finding.recommendations] == ["Do 0.", "Do 1.", "Do 2."]


def test_overflow_in_a_rule_is_no_warning():
    """Numbers near the largest float are data; what their sums do stays within the rule."""

    class Summing(Loud):
        def check(self, run, options):
            total = np.add(*run.series("train_loss").values)
            return [] if np.isinf(total) else super().check(run, options)

    assert run_rule(Summing, make_run([1.5e308, 1.5e308]), {}) == ()


# --- options ---


def test_options_change_a_threshold(rules):
    """By the rule's name and the option's."""
    assert diagnose(make_run([3.0]), {"loud-loss": {"limit": 5}}).findings == ()
    assert diagnose(make_run([3.0]), {"loud-loss": {"limit": 1.5}}).findings


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"loud-los": {"limit": 1.0}}, "there is no rule 'loud-los'", "Did you mean 'loud-loss'?"),
        ({"loud-loss": {"limits": 1.0}}, "the rule loud-loss has no option 'limits'", "Did you mean 'limit'?"),
        ({"loud-loss": {"zebra": 1.0}}, "the rule loud-loss has no option 'zebra'", "There are: limit, values."),
        ({"loud-loss": {"limit": "high"}}, "loud-loss.limit is 'high', which is no number", "The default is 2.0."),
        ({"loud-loss": {"limit": True}}, "loud-loss.limit is True, which is no number", "The default is 2.0."),
        ({"loud-loss": {"values": 2.5}}, "loud-loss.values is 2.5, which is no whole number", "The default is 1."),
        ({"ZZ02": {"limit": 1.0}}, "there is no rule 'ZZ02'", "ZZ02 is the code of loud-loss: write that."),
        ({"loud-loss": {"limit": math.nan}}, "loud-loss.limit is nan, which is no number", "The default is 2.0."),
    ],
)
def test_a_wrong_option_is_an_error_that_names_the_nearest(rules, options, message, hint):
    """It would otherwise be ignored, or look like a defect of the rule."""
    with pytest.raises(UsageError) as raised:
        diagnose(make_run([3.0]), options)
    assert (raised.value.message, raised.value.hint) == (message, hint)
