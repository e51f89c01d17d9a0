"""Two runs beside each other: what went, what came, where the curves part, and whether the fix worked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import trainhealth
from trainhealth.cli import main
from trainhealth.comparison import Comparison, Verdict, compare
from trainhealth.diagnosis import Report, Run
from trainhealth.findings import Diagnosis, Finding, NotChecked, Severity
from trainhealth.records import ErrorRecord, LayerEntry, OptimizerInfo, RunInfo
from trainhealth.rules.optimization.learning_rate_too_high import LearningRateTooHigh
from trainhealth.series import RunView
from trainhealth.testing import make_run

SAMPLES = Path(__file__).parent.parent / "sample_logs"


def curve(end: float, *, seed: int = 0, noise: float = 0.02, count: int = 400) -> list[float]:
    """A loss that falls from 2.3 to `end`, with noise."""
    random = np.random.default_rng(seed)
    return (end + (2.3 - end) * np.exp(-np.arange(count) / 60) + random.normal(0, noise, count)).tolist()


def report(view: RunView, *findings: Finding, not_checked: tuple[NotChecked, ...] = ()) -> Report:
    """A report with these findings."""
    return Report(Run("run", view), Diagnosis(findings, not_checked))


def finding(severity: Severity = Severity.WARNING) -> Finding:
    """A finding of any rule."""
    rule = LearningRateTooHigh
    return Finding(rule.code, rule.name, severity, rule.confidence, "It is high.", 0, ())


def of(before: RunView, after: RunView) -> Comparison:
    """The comparison of two runs in which nothing was found."""
    return compare(report(before), report(after))


def test_a_run_is_the_same_as_itself():
    """No finding went or came, no curve parts, nothing was set differently."""
    compared = trainhealth.compare(*[trainhealth.check(SAMPLES / "overfitting" / "sick")] * 2)
    assert compared.verdict is Verdict.SAME
    assert (compared.gone, compared.came, compared.settings, compared.layers) == ((), (), (), ())
    assert all(curve.step is None for curve in compared.curves)


@pytest.mark.parametrize("rule", ["dead-relu-units", "learning-rate-too-high", "overfitting"])
def test_the_healthy_twin_is_a_fix(rule):
    """The other way round it is a step back."""
    sick, healthy = (trainhealth.check(SAMPLES / rule / state) for state in ("sick", "healthy"))
    fixed, spoilt = compare(sick, healthy), compare(healthy, sick)
    assert fixed.verdict is Verdict.FIXED
    assert {gone.name for gone in fixed.gone} == {came.name for came in spoilt.came}
    assert {finding.name for finding in (*fixed.gone, *fixed.unmatched)} == {finding.name for finding in sick.findings}
    assert spoilt.verdict is Verdict.WORSE


def test_noise_decides_nothing():
    """Another seed of the same program ends elsewhere, and that is neither better nor worse."""
    compared = of(make_run(curve(0.3, seed=1)), make_run(curve(0.3, seed=2)))
    assert compared.verdict is Verdict.SAME
    assert compared.curves[0].step is None


def test_curves_part_where_one_leaves_the_other():
    """From the step on from which they stay apart, within a stretch of the comparison."""
    before = curve(0.3, seed=1)
    after = [*curve(0.3, seed=2)[:200], *np.linspace(0.3, 0.1, 200)]
    (parting,) = of(make_run(before), make_run(after)).curves
    assert parting.decided == 1
    assert parting.step is not None
    assert 190 <= parting.step <= 260


@pytest.mark.parametrize(
    ("before", "after", "ends", "verdict"),
    [
        ([finding()], [], (0.3, 0.3), Verdict.FIXED),
        ([finding()], [], (0.3, 0.9), Verdict.MIXED),
        ([], [finding()], (0.3, 0.3), Verdict.WORSE),
        ([], [finding()], (0.9, 0.3), Verdict.MIXED),
        ([finding()], [finding()], (0.9, 0.3), Verdict.BETTER),
        ([], [finding(Severity.NOTE)], (0.3, 0.3), Verdict.SAME),
    ],
)
def test_findings_and_result_make_the_verdict(before, after, ends, verdict):
    """A fix that costs the result is none; a note decides nothing."""
    views = [make_run(curve(end, seed=seed)) for seed, end in enumerate(ends)]
    assert compare(report(views[0], *before), report(views[1], *after)).verdict is verdict


def test_an_illness_that_has_stayed_is_said_and_is_no_fix():
    """A warning went, and the run is as sick as before."""
    rule, kept = LearningRateTooHigh, finding(Severity.CRITICAL)
    went = Finding("ZZ09", "another", Severity.WARNING, rule.confidence, "It is slow.", 0, ())
    views = [make_run(curve(0.3, seed=seed)) for seed in range(2)]
    compared = compare(report(views[0], kept, went), report(views[1], kept))
    assert compared.verdict is Verdict.BETTER
    assert f"{rule.name} has stayed" in compared.because


def test_a_run_that_is_ill_with_something_else_is_no_fix():
    """Also where the first run could not be judged by that rule."""
    rule = LearningRateTooHigh
    other = Finding("ZZ09", "another", Severity.WARNING, rule.confidence, "It is slow.", 0, ())
    unsure = NotChecked("too short", "ZZ09", "another")
    views = [make_run(curve(0.3, seed=seed)) for seed in range(2)]
    compared = compare(report(views[0], finding(), not_checked=(unsure,)), report(views[1], other))
    assert compared.verdict is Verdict.BETTER
    assert "another could be judged in one of the runs only" in compared.because


def crashed(view: RunView) -> RunView:
    """The run, ended by an exception."""
    return replace(view, error=ErrorRecord(step=view.last_step, time=1.0, type="RuntimeError", message="no"))


def test_an_exception_that_has_gone_is_a_fix_and_one_that_came_is_none():
    """A run that breaks off says little by its curves."""
    views = [make_run(curve(0.3, seed=seed)) for seed in range(2)]
    mended = of(crashed(views[0]), views[1])
    assert mended.verdict is Verdict.FIXED
    assert mended.because.startswith("RuntimeError, which ended the first run, has gone")
    broken = of(views[0], crashed(views[1]))
    assert broken.verdict is Verdict.WORSE
    assert broken.because.startswith("RuntimeError has ended it, ")
    again = compare(report(crashed(views[0]), finding()), report(crashed(views[1])))
    assert again.verdict is Verdict.BETTER
    assert "RuntimeError has ended it again" in again.because


def test_losses_of_two_kinds_are_not_compared():
    """A lower mean squared error is no better than a higher cross entropy."""
    before = make_run(curve(0.3), facts={"loss_function": "cross_entropy"})
    compared = of(before, make_run(curve(0.1), facts={"loss_function": "mse"}))
    assert compared.verdict is Verdict.UNDECIDED
    assert [(item.name, item.before, item.after) for item in compared.settings] == [
        ("loss function", "cross_entropy", "mse")
    ]


def test_runs_of_two_tasks_are_told_as_such():
    """Whether the script told the task or the hooks saw it."""
    before = make_run(curve(0.3), facts={"task": "regression"})
    compared = of(before, make_run(curve(0.1), info=RunInfo(task="classification")))
    assert "The tasks differ: regression before, classification now." in compared.because
    assert [item.name for item in compared.settings] == ["task"]


def test_a_run_that_ends_in_nan_is_worse():
    """Whatever its loss was before."""
    nan = [*curve(0.3)[:200], *[float("nan")] * 200]
    assert of(make_run(curve(0.3)), make_run(nan)).verdict is Verdict.WORSE


def test_a_run_that_ended_in_nan_is_no_good_baseline():
    """Its last good loss, before it broke, does not count, even where it was lower than what the fix reached."""
    nan = [*curve(0.3)[:380], *[float("nan")] * 20]
    compared = compare(report(make_run(nan), finding()), report(make_run(curve(0.5))))
    assert compared.verdict is Verdict.FIXED
    assert "instead of NaN" in compared.because


def test_a_curve_parts_from_a_nan_where_that_began():
    """They were together until then, and are not any more."""
    (parting,) = of(make_run([*curve(0.3, seed=1)[:380], *[float("nan")] * 20]), make_run(curve(0.3, seed=2))).curves
    assert parting.step == 380


def test_a_loss_that_leaves_for_infinity_parts_from_the_other_one():
    """The jumps of a run that breaks out are no noise in which the other one could hide."""
    start = curve(0.5, seed=1, count=200)
    runaway = [*start, *(-(10.0 ** np.random.default_rng(3).uniform(0, 20, 200)))]
    (parting,) = of(make_run(runaway), make_run([*curve(0.5, seed=2, count=200), *curve(0.5)[200:]])).curves
    assert parting.step is not None
    assert 190 <= parting.step <= 230


def test_a_loss_whose_sign_was_turned_round_is_no_lower_one():
    """The one that begins below zero falls without end: the mended one is not worse for being above it."""
    sick = [-2.5 * 1.05**step for step in range(400)]
    compared = of(make_run(sick), make_run(curve(0.2)))
    assert compared.verdict is Verdict.UNDECIDED
    assert compared.curves == ()


def test_many_noisy_values_have_a_sure_level():
    """Batches scatter by a fifth, and still half of the loss is more than chance; of three values it is not."""
    before, after = (make_run(curve(end, seed=seed, noise=0.2)) for seed, end in enumerate((0.9, 0.4)))
    assert of(before, after).curves[0].decided == 1
    few = (make_run([1.2, 0.7, 1.1, 0.6, 1.0]), make_run([1.0, 0.5, 0.9, 0.5, 0.8]))
    assert of(*few).curves[0].decided == 0


def test_the_accuracy_of_a_run_that_is_stuck_is_known_as_well_as_that_of_the_other():
    """Its two values are far apart, which says nothing about the number of examples that both were evaluated on."""
    stuck = make_run([1.0] * 12, epochs=[{"validation_accuracy": 0.77 if e == 0 else 0.92} for e in range(12)])
    moving = make_run([1.0] * 12, epochs=[{"validation_accuracy": (580 + e % 3) / 800} for e in range(12)])
    assert of(stuck, moving).curves[0].decided == -1


def test_a_single_nan_at_the_end_decides_nothing():
    """The level is that of the last tenth."""
    assert of(make_run(curve(0.3)), make_run([*curve(0.3), float("nan")])).verdict is Verdict.SAME


@pytest.mark.parametrize("better", [False, True])
def test_what_a_rule_could_not_judge_has_neither_gone_nor_come(better):
    """A fixed run that is too short for the rule has not been shown to be healthy, nor a richer log to be sick."""
    unsure = NotChecked("too short", LearningRateTooHigh.code, LearningRateTooHigh.name)
    views = make_run(curve(0.3, seed=1)), make_run(curve(0.3, seed=2))
    sick, unknown = report(views[0], finding()), report(views[1], not_checked=(unsure,))
    compared = compare(sick, unknown) if better else compare(unknown, sick)
    assert (compared.gone, compared.came) == ((), ())
    assert [unmatched.code for unmatched in compared.unmatched] == [unsure.code]
    assert compared.verdict is Verdict.SAME
    assert "one of the runs only" in compared.because


def test_a_run_that_goes_on_is_compared_at_the_same_step():
    """It is not worse for being younger; a run that ended early, by design or not, is what it is."""
    whole, young = replace(make_run(curve(0.3, seed=1)), ended="done"), make_run(curve(0.3, seed=2)[:100])
    compared = of(whole, young)
    assert compared.verdict is Verdict.SAME
    assert "up to step 99" in compared.because
    assert of(young, whole).verdict is Verdict.SAME
    assert of(whole, replace(young, ended="done")).verdict is Verdict.WORSE


def test_training_decides_nothing_where_validation_is_the_same():
    """A lower training loss alone is no better run."""
    validation = epochs([1.0, 0.8, 0.7, 0.65, 0.64, 0.63])
    compared = of(make_run(curve(0.5), epochs=validation), make_run(curve(0.1, seed=1), epochs=validation))
    assert compared.verdict is Verdict.SAME


def test_another_share_of_a_few_examples_decides_nothing():
    """Of 114 examples 2 more are right: that is chance."""
    before, after = (
        make_run([1.0] * 12, epochs=[{"validation_accuracy": (right + e % 2) / 114} for e in range(12)])
        for right in (110, 112)
    )
    assert of(before, after).verdict is Verdict.SAME


def test_another_reduction_is_another_loss():
    """A sum over the batch is larger than a mean, and not worse."""
    before, after = (make_run(curve(end), facts={"loss_reduction": how}) for end, how in ((0.3, "mean"), (9.0, "sum")))
    assert of(before, after).verdict is Verdict.UNDECIDED


def test_settings_and_layers_that_differ_are_listed():
    """Those that both have alike are not."""
    infos = [
        RunInfo(optimizers=[OptimizerInfo(name="", type="SGD", groups=[{"lr": rate, "momentum": 0.9}])], model="Net")
        for rate in (0.1, 0.01)
    ]
    layers = [[LayerEntry(name="fc", type="Linear", units=units)] for units in (10, 20)]
    before, after = (make_run([1.0], info=info, layers=layer) for info, layer in zip(infos, layers, strict=True))
    compared = of(before, after)
    assert [(item.name, item.before, item.after) for item in compared.settings] == [("optimizer.lr", 0.1, 0.01)]
    assert [item.name for item in compared.layers] == ["fc"]


def epochs(validation: list[float]) -> list[dict[str, float]]:
    """Epochs with these validation losses."""
    return [{"validation_loss": loss} for loss in validation]


def test_shuffled_labels_show_beside_a_good_baseline():
    """The training loss falls, the validation loss never does, and with the same model it once did."""
    good = make_run(curve(0.2), epochs=epochs([2.0, 1.2, 0.7, 0.45, 0.36, 0.33, 0.31, 0.3]))
    memorised = make_run(curve(0.5), epochs=epochs([2.31, 2.32, 2.35, 2.4, 2.5, 2.6, 2.8, 3.0]))
    assert "labels may be shuffled" in (of(good, memorised).suspicion or "")
    assert of(good, good).suspicion is None


def test_the_command_prints_for_people_and_for_programs(capsys):
    """Its exit code says whether a finding of weight has come."""
    sick, healthy = (str(SAMPLES / "dead-relu-units" / state) for state in ("sick", "healthy"))
    assert main(["compare", sick, healthy]) == 0
    assert "fixed" in capsys.readouterr().out
    assert main(["compare", healthy, sick, "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "worse"
    assert document["findings"]["came"]


def test_a_comparison_can_be_pasted_into_a_pull_request(capsys):
    """As Markdown: the verdict, the findings under what became of them, and tables of what differs."""
    sick, healthy = (str(SAMPLES / "learning-rate-too-low" / state) for state in ("sick", "healthy"))
    assert main(["compare", sick, healthy, "--format", "markdown"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("## fixed: ")
    assert "### Gone\n\n- warning: learning-rate-too-low (OP02): " in out
    assert "\n### Came" not in out
    assert "| validation_accuracy | " in out
    assert "| setting | before | after |\n|---|---|---|\n| optimizer.lr | 1e-06 | 0.05 |\n" in out
    assert "| validation\\_accuracy | " in out or "| validation_accuracy | " in out


def test_columns_can_be_mapped(tmp_path, capsys):
    """As for every command that reads logs."""
    log = tmp_path / "log.csv"
    log.write_text("epoch,mine\n" + "".join(f"{epoch},{2 / (epoch + 1)}\n" for epoch in range(9)))
    again = tmp_path / "again.csv"
    again.write_text(log.read_text())
    assert main(["compare", str(log), str(again), "--map", "train_loss=mine"]) == 0
    assert "train_loss" in capsys.readouterr().out


def test_two_values_are_too_few_to_tell_where_curves_part(tmp_path, capsys):
    """To say that they stay together would be a claim."""
    logs = [tmp_path / name for name in ("a.csv", "b.csv")]
    for log, loss in zip(logs, ("2.0", "0.5"), strict=True):
        log.write_text(f"step,train_loss\n0,2.3\n1,{loss}\n")
    main(["compare", *map(str, logs)])
    out = capsys.readouterr().out
    assert "too few values to tell where they part" in out
    assert "stay together" not in out


def test_the_command_says_where_it_was_given_one_run_twice(capsys):
    """A slip of the hand is not called "same"."""
    run = SAMPLES / "dead-relu-units" / "sick"
    assert main(["compare", str(run), str(run / ".." / "sick")]) == 2
    assert "are the same run" in capsys.readouterr().err
