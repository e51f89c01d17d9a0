"""No report says "raise it" and "lower it"."""

from __future__ import annotations

import ast
import itertools
import re
from functools import cache
from pathlib import Path

import pytest

import trainhealth
from trainhealth.findings import Change, Confidence, Finding, Recommendation, Severity
from trainhealth.recipes import all_recipes
from trainhealth.rules.contradictions import REMEDIES, turned_by, without_contradictions

SAMPLES = Path(__file__).parents[2] / "sample_logs"
PACKAGE = Path(trainhealth.__file__).parent

# What an action says in so many words, which way it turns it, and the setting.
# Written by ear, from the rules' sentences, and not from the tables that the code uses.
SAID = (
    ("learning_rate", 1, r"\braise the (learning )?rate\b(?! linearly)|\btimes as high\b|\btimes the rate\b"),
    ("learning_rate", -1, r"\b(lower|divide) the (learning )?rate\b|\bwith a tenth of the learning rate\b"),
    ("regularisation", 1, r"\bregularise:|\baugment the\b|\baugmentation that\b"),
    ("regularisation", -1, r"\blower (weight_decay|the dropout)\b|\bhalve the dropout\b|\bdivide the penalty"),
    ("length of the training", 1, r"\btrain for\b|\btimes as long\b"),
    ("length of the training", -1, r"\bstop early\b"),
    ("size of the model", 1, r"\benlarge the model\b|\bwiden\b"),
    ("size of the model", -1, r"\b(shrink|smaller|narrower) (the )?model\b"),
    ("batch_size", 1, r"\b(raise|double) the batch size\b|\bbatches larger\b|\baccumulate the gradients\b"),
    ("batch_size", -1, r"\b(batches smaller|smaller batches)\b"),
    ("clip_norm", 1, r"\braise the limit\b"),
    ("clip_norm", -1, r"\bclip the (gradient )?norm\b|\bclip_grad_norm_"),
    ("batch normalisation", 1, r"\bput batch normalisation\b"),
    ("batch normalisation", -1, r"\binstead of batch normalisation\b"),
)


def said(action: str) -> set[tuple[str, int]]:
    """The settings that the words name, and which way."""
    return {(setting, way) for setting, way, words in SAID if re.search(words, action.lower())}


def advise(action: str = "Do it.", recipe: str | None = None, change: Change | None = None) -> Recommendation:
    return Recommendation(action, "It helps.", "Better.", recipe=recipe, change=change)


def finding(code: str, *advice: Recommendation) -> Finding:
    return Finding(code, "name", Severity.WARNING, Confidence.LIKELY, "A fact.", 0, (), advice)


def left(*findings: Finding) -> list[int]:
    """How many recommendations each finding keeps."""
    return [len(found.recommendations) for found in without_contradictions(findings)]


def changing(*changes: Change | None) -> list[Recommendation]:
    return [advise(change=change) for change in changes]


LOWER, LOWER_STILL, RAISE = (Change("learning_rate", 0.1, to) for to in (0.01, 0.001, 1.0))


@pytest.mark.parametrize(
    ("second", "kept"),
    [
        (RAISE, 0),
        (LOWER_STILL, 1),
        (Change("batch_size", 32, 64), 1),
        (None, 1),
    ],
)
def test_the_first_advice_on_a_setting_stays(second: Change | None, kept: int) -> None:
    """What points the same way, or at another setting, stays beside it."""
    assert left(finding("OP01", *changing(LOWER)), finding("OP02", *changing(second))) == [1, kept]


def test_words_contradict_each_other_where_they_differ() -> None:
    """AdamW and SGD can't both be the optimizer."""
    adamw, sgd = (finding("OP08", *changing(Change("optimizer", "Adam", to))) for to in ("AdamW", "SGD"))
    assert left(adamw, sgd, adamw) == [1, 0, 1]


def test_alternatives_of_one_finding_stay_together() -> None:
    """The person chooses."""
    assert left(finding("OP12", *changing(LOWER, RAISE))) == [2]


OPPOSITES = {
    "learning rate": (
        advise("Divide the learning rate by 10.", "lower-learning-rate"),
        advise("Or keep AdaGrad and start anew at ten times the rate.", "raise-learning-rate"),
    ),
    "learning rate beside a limit": (
        advise("Raise the limit from 1 to 7, and divide the rate by 6.", "gradient-clipping"),
        advise("Raise the learning rate from 0.01 to 0.3.", "raise-learning-rate", Change("learning_rate", 0.01, 0.3)),
    ),
    "length": (advise("Stop early.", "early-stopping"), advise("Train.", "train-longer", Change("epochs", 10, 20))),
    "dropout": (advise("Regularise: dropout of 0.2.", "dropout"), advise("Halve the dropout rates.", "dropout")),
    "regularisation of two kinds": (
        advise("Vary the training data.", "data-augmentation"),
        advise("Lower it.", "weight-decay", Change("weight_decay", 0.1, 0.001)),
    ),
    "penalty": (
        advise("Regularise.", "l1-l2-elastic-net"),
        advise("Divide the penalty's factor by 100.", "l1-l2-elastic-net"),
    ),
    "batch size": (
        advise("Or double the batch size at the same rate.", "batch-size"),
        advise("Make more steps an epoch: smaller batches, or more data.", "batch-size"),
    ),
    "accumulated batches": (
        advise("Or accumulate the gradients of 8 batches.", "gradient-accumulation"),
        advise("Make the batches smaller.", "batch-size", Change("batch_size", 512, 32)),
    ),
    "clipping": (
        advise("Clip the gradient norm at 1.", "gradient-clipping"),
        advise("Raise the limit.", "gradient-clipping", Change("clip_norm", 0.01, 1.0)),
    ),
    "batch normalisation": (
        advise("Put batch normalisation before every ReLU.", "batch-normalization"),
        advise("Use group normalisation instead of batch normalisation.", "group-normalization"),
    ),
}


@pytest.mark.parametrize("pair", OPPOSITES.values(), ids=OPPOSITES)
def test_opposite_remedies_never_stand_together(pair: tuple[Recommendation, Recommendation]) -> None:
    """Whichever comes first stays, whether a value, a recipe or a word says what it turns."""
    first, second = pair
    assert left(finding("AA01", first), finding("AA02", second)) == [1, 0]
    assert left(finding("AA01", second), finding("AA02", first)) == [1, 0]
    assert left(finding("AA01", first), finding("AA02", first)) == [1, 1]


def test_remedies_that_turn_nothing_stand_beside_everything() -> None:
    """Looking at labels or standardising inputs contradicts no other advice."""
    neutral = finding("DA01", advise("Standardise the inputs.", "standardize-inputs"), advise("Look.", "check-labels"))
    others = [finding("AA01", *pair[:1]) for pair in OPPOSITES.values()]
    assert all(left(other, neutral) == [1, 2] for other in others)


def test_the_recipes_that_turn_something_exist() -> None:
    """A misspelt one would never contradict anything."""
    assert REMEDIES.keys() <= {recipe.name for recipe in all_recipes()}


# --- all rules ---


def flat(node: ast.expr) -> str:
    """The text of a literal, with N for what the run fills in."""
    match node:
        case ast.Constant():
            return str(node.value)
        case ast.JoinedStr():
            return "".join(flat(part) for part in node.values)
        case ast.BinOp():
            return flat(node.left) + flat(node.right)
        case ast.IfExp():
            return f"{flat(node.body)} / {flat(node.orelse)}"
    return "N"


def calls(tree: ast.AST, name: str) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == name]


def written() -> list[tuple[str, Recommendation, set[str]]]:
    """Every recommendation in the sources: its file, action and recipe, and the parameters that it may change.

    The values of a change are formulas there, so that its direction is not known.
    """
    found = []
    for file in sorted((*PACKAGE.glob("rules/**/*.py"), *PACKAGE.glob("checkups/**/*.py"))):
        for call in calls(ast.parse(file.read_text()), "Recommendation"):
            given = dict(zip(("action", "because", "verify", "risk", "recipe", "change"), call.args, strict=False))
            given |= {keyword.arg or "": keyword.value for keyword in call.keywords}
            recipe = flat(given["recipe"]).split(" / ")[0] if "recipe" in given else None
            changed = {flat(change.args[0]) for change in calls(call, "Change")}
            found.append((file.name, advise(flat(given["action"]), recipe), changed))
    return found


def test_what_an_action_says_is_what_it_is_taken_for() -> None:
    """A rule that says "raise the rate" under a recipe that says nothing would contradict others unheard."""
    recommendations = written()
    assert len({file for file, _, _ in recommendations}) > 80
    unheard = [
        (file, advice.action, way)
        for file, advice, changed in recommendations
        for setting, way in said(advice.action)
        if (setting, way) not in turned_by(advice) and setting not in changed
    ]
    assert unheard == []


@cache
def found_in_samples() -> tuple[Finding, ...]:
    """What the rules say of every sick sample log: real findings, with the values that real runs filled in."""
    reports = (trainhealth.check(folder) for folder in sorted(SAMPLES.glob("*/sick")))
    return tuple({found.id: found for report in reports for found in report.findings}.values())


def test_no_two_findings_of_all_rules_contradict_each_other() -> None:
    """Each pair of findings, in both orders: their words, and not only what was set, agree."""
    findings = found_in_samples()
    assert len({found.code for found in findings}) >= 81
    for pair in itertools.permutations(findings, 2):
        first, second = (
            {turn for advice in found.recommendations for turn in said(advice.action)}
            for found in without_contradictions(pair)
        )
        firm = {(setting, way) for setting, way in first if (setting, -way) not in first}  # no choice of both
        assert not {(setting, -way) for setting, way in firm} & second, [found.recommendations for found in pair]
