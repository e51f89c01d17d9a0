"""Trains cases in parallel, keeps the logs and judges them: a stopped measurement goes on, a new rule judges anew."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import trainhealth
from benchmarks.accuracy.cases import Case
from benchmarks.accuracy.program import Program
from benchmarks.accuracy.train import train


@dataclass(frozen=True)
class Result:
    """What came of a case: the skill of the run, and its findings in reading order."""

    key: str
    program: dict[str, Any]
    fault: str | None
    strength: str | None
    skill: float
    steps: int
    findings: list[dict[str, Any]]  # code, severity, confidence, first_step, explained (by another), message
    changes: list[dict[str, Any]]  # of the first finding: what a program could apply
    failed: str | None = None  # the training raised

    @property
    def causes(self) -> list[str]:
        """Codes of the findings that nothing else explains, of severity warning or above, in reading order."""
        return [f["code"] for f in self.findings if not f["explained"] and f["severity"] != "note"]

    @property
    def serious(self) -> list[str]:
        """Codes of all findings of severity warning or above."""
        return [f["code"] for f in self.findings if f["severity"] != "note"]


def run_case(case: Case) -> Result:
    """Train a case and check its log."""
    with tempfile.TemporaryDirectory() as scratch:
        train_case(case, Path(scratch))
        return judge_case(case, Path(scratch))


def train_case(case: Case, logs: Path) -> None:
    """Train a case, unless its log is kept in `logs`: a run folder, and beside it what came of the training."""
    run, outcome = _kept(case, logs)
    if outcome.exists():
        return
    shutil.rmtree(run, ignore_errors=True)
    failed, skill = None, float("nan")
    try:
        skill = train(case.program, run)
    except (
        ValueError,
        RuntimeError,
        IndexError,
    ) as error:  # a faulty program may raise: its log is judged all the same
        failed = f"{type(error).__name__}: {error}"
    outcome.write_text(json.dumps({"key": case.key, "skill": skill, "failed": failed}))


def is_trained(case: Case, logs: Path) -> bool:
    """Tell whether the case's log is kept in `logs`."""
    return _kept(case, logs)[1].exists()


def _kept(case: Case, logs: Path) -> tuple[Path, Path]:
    name = hashlib.md5(case.key.encode(), usedforsecurity=False).hexdigest()[:12]
    return logs / name, logs / f"{name}.json"


def judge_case(case: Case, logs: Path) -> Result:
    """Check the log of a case that has been trained."""
    run, outcome = _kept(case, logs)
    came = json.loads(outcome.read_text())
    report = trainhealth.check(run, options={})
    findings = [
        {
            "code": finding.code,
            "severity": str(finding.severity),
            "confidence": str(finding.confidence),
            "first_step": finding.first_step,
            "explained": bool(finding.caused_by),
            "message": finding.message,
        }
        for finding in report.findings
    ]
    changes = [
        asdict(advice.change)
        for finding in report.findings[:1]
        for advice in finding.recommendations
        if advice.change is not None
    ]
    fault = case.fault.name if case.fault else None
    steps = report.run.view.last_step + 1
    return Result(
        case.key, asdict(case.program), fault, case.strength, came["skill"], steps, findings, changes, came["failed"]
    )


# What a recommended change means in a program: the settings that it sets; "to" stands for the recommended value.
APPLIED: Mapping[str, Mapping[str, Any]] = {
    "learning_rate": {"learning_rate": "to"},
    "weight_decay": {"weight_decay": "to"},
    "dropout": {"dropout": "to"},
    "epochs": {"epochs": "to"},
    "batch_size": {"batch_size": "to"},
    "clip_norm": {"clip": "to"},
    "optimizer": {"optimizer": "to"},
    "zero_grad": {"zero_gradients": True},
    "optimizer.step()": {"update": True},
    "shuffle": {"shuffle": True},
    "inputs": {"input_scale": 1.0, "input_shift": 0.0, "feature_scale": 1.0},
    "targets": {"target_scale": 1.0},
    "mode in evaluation": {"evaluation_mode": True},
    "mode in training": {"training_mode": True},
    "output activation": {"output": "logits"},
    "activation": {"activation": "to"},
    "initialization": {"initialization": "suited", "bias": 0.0},
    "scheduler.step()": {"schedule": "by epoch"},
    "T_max": {"schedule": "cosine"},
    "optimizers": {"remade": ""},
    "first decay": {"first_decay": "to"},
    "shape of the outputs": {"loss": "suited"},
    "loss": {"loss": "suited"},
    "batch_first": {"batch_first": True},
    "dropout behind the last layer": {"output_dropout": 0.0},
    "parameters of the optimizer": {"frozen": False},
    "class weights": {"class_weights": True},
    "validation inputs": {"validation_scale": 1.0},
    "examples with non-finite inputs": {"bad_example": False},
}


def fixed(result: Result) -> Program | None:
    """Return the program with the first recommended change that it can apply, and nothing else; None for none."""
    program = Program(**result.program)
    for change in result.changes:
        settings = APPLIED.get(change["parameter"])
        if settings is not None:
            return replace(program, **{n: change["to"] if value == "to" else value for n, value in settings.items()})
    return None


def measure(cases: Sequence[Case], logs: Path, jobs: int) -> dict[str, Result]:
    """Train what is not kept in `logs` yet, and return the results of all cases by key."""
    logs.mkdir(parents=True, exist_ok=True)
    return {result.key: result for result in _measured(cases, logs, jobs)}


def _measured(cases: Sequence[Case], logs: Path, jobs: int) -> Iterator[Result]:
    began = time.monotonic()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(_measure_case, case, logs) for case in cases]
        for done, future in enumerate(as_completed(waiting), 1):
            left = (time.monotonic() - began) / done * (len(cases) - done)
            if sys.stderr.isatty() or done % 50 == 0 or done == len(cases):
                end = "\r" if sys.stderr.isatty() else "\n"
                sys.stderr.write(f"{done} of {len(cases)} measured, {left / 60:.0f} min left{end}")
                sys.stderr.flush()
            yield future.result()


def _measure_case(case: Case, logs: Path) -> Result:
    train_case(case, logs)
    return judge_case(case, logs)
