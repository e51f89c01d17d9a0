"""A rule on curves comes to the same finding whichever log holds the curve."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from torch.utils.tensorboard import SummaryWriter

import trainhealth
from tests.readers.writers import wandb_file
from trainhealth.exporting import write_run
from trainhealth.series import RunView

ROOT = Path(__file__).parents[2] / "sample_logs"
RULES = ("overfitting", "diverging-loss", "nonfinite-loss", "plateaued-loss", "loss-spikes")
SIGNALS = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy", "learning_rate", "gradient_norm")


def _rows(view: RunView) -> dict[int, dict[str, float]]:
    """Return the scalars that loggers log, a row a step; the rate at every step, and the epoch, as they log them."""
    rows: dict[int, dict[str, float]] = {}
    for name in SIGNALS:
        series = view.learning_rate if name == "learning_rate" else view.series(name)
        for step, value in zip(series.steps.tolist(), series.values.tolist(), strict=True):
            rows.setdefault(step, {})[name] = value
    for step in rows if view.epochs else ():
        ended = sum(epoch.step <= step for epoch in view.epochs)
        rows[step]["epoch"] = min(ended, len(view.epochs) - 1)
    return dict(sorted(rows.items()))


def _own(rows: dict[int, dict[str, float]], folder: Path) -> Path:
    write_run(trainhealth.load(_table(rows, folder)).view, folder / "own")
    return folder / "own"


def _table(rows: dict[int, dict[str, float]], folder: Path) -> Path:
    out = io.StringIO()
    writer = csv.DictWriter(out, ["step", "epoch", *SIGNALS])
    writer.writeheader()
    writer.writerows({"step": step, **values} for step, values in rows.items())
    (folder / "log.csv").write_text(out.getvalue())
    return folder / "log.csv"


def _lightning(rows: dict[int, dict[str, float]], folder: Path) -> Path:
    """Write by Lightning's own logger, whose rows are sparse and whose file is rewritten when a column comes."""
    loggers = pytest.importorskip("lightning.fabric.loggers", reason="lightning is not installed")
    logger = loggers.CSVLogger(str(folder), name="lightning", version=0, flush_logs_every_n_steps=50)
    for step, values in rows.items():
        logger.log_metrics(values, step)
    logger.save()
    return Path(logger.log_dir) / "metrics.csv"


def _json_lines(rows: dict[int, dict[str, float]], folder: Path) -> Path:
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps({"step": step, **values}) + "\n" for step, values in rows.items()))
    return path


def _trainer_state(rows: dict[int, dict[str, float]], folder: Path) -> Path:
    """Write by the Trainer's own state where it is installed."""
    path = folder / "trainer_state.json"
    history = [{"step": step, **values} for step, values in rows.items()]
    if importlib.util.find_spec("transformers") is not None:
        from transformers import TrainerState

        TrainerState(log_history=history).save_to_json(str(path))
    else:
        path.write_text(json.dumps({"log_history": history}))
    return path


def _text(rows: dict[int, dict[str, float]], folder: Path) -> Path:
    path = folder / "train.log"
    lines = (f"step {step} | " + " | ".join(f"{n}: {v!r}" for n, v in values.items()) for step, values in rows.items())
    path.write_text("\n".join(lines) + "\n")
    return path


def _events(rows: dict[int, dict[str, float]], folder: Path) -> Path:
    """Write by tensorboard's own writer."""
    with SummaryWriter(str(folder)) as writer:
        for step, values in rows.items():
            for name, value in values.items():
                writer.add_scalar(name, value, step)
    return next(folder.glob("events.out.tfevents.*"))


def _wandb(rows: dict[int, dict[str, float]], folder: Path) -> Path:
    path = folder / "run-a1.wandb"
    path.write_bytes(wandb_file([rows.get(step, {}) for step in range(max(rows) + 1)]))
    return path


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")  # frameworks'
@pytest.mark.parametrize("write", [_own, _lightning, _json_lines, _trainer_state, _text, _events, _wandb])
@pytest.mark.parametrize("rule", RULES)
def test_the_finding_is_that_of_the_table(
    rule: str, write: Callable[[dict[int, dict[str, float]], Path], Path], tmp_path: Path
) -> None:
    """The same rules, severities and steps, and nothing else is found."""
    rows = _rows(trainhealth.load(ROOT / rule / "sick").view)
    expected = trainhealth.check(_table(rows, tmp_path))
    assert expected.findings, "a sample log whose curve shows nothing tests nothing"
    found = trainhealth.check(write(rows, tmp_path))

    assert _told(found) == _told(expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # tensorboard's
@pytest.mark.parametrize("name", sorted(path.parent.name for path in ROOT.glob("*/pair.json")))
def test_the_curves_of_each_sick_sample_are_judged_alike(name: str, tmp_path: Path) -> None:
    """Our own log without all that only we measure, a table, and an event file: each as its writer wrote it."""
    own = tmp_path / "own"
    own.mkdir()
    for log in (ROOT / name / "sick").glob("events-*.jsonl"):
        (own / log.name).write_text(_curves_alone(log.read_text()))
    view = trainhealth.load(own).view
    rows = _rows(view)
    expected = _told(trainhealth.check(own, options={}))
    assert _told(trainhealth.check(_table(rows, tmp_path), options={})) == expected
    assert _told(trainhealth.check(_events(rows, tmp_path), options={})) == expected


def _curves_alone(log: str) -> str:
    """Return a log of ours with its steps, epochs and evaluations, at no time, and as if it had begun once."""
    kept = []
    for number, line in enumerate(log.splitlines()):
        record = json.loads(line) | {"time": 0.0}
        if record["kind"] in ("step", "epoch", "evaluation", "end") or number == 0:
            record |= {
                name: {k: v for k, v in record[name].items() if k in SIGNALS} for name in ("values",) if name in record
            }
            kept.append(json.dumps(record) + "\n")
    return "".join(kept)


def _told(report: trainhealth.Report) -> list[tuple[object, ...]]:
    """Return what a report says: rules, severities, steps and evidence, in their order, and what explains what."""
    return [
        (
            finding.code,
            finding.severity,
            finding.first_step,
            [(e.signal, e.first_step, e.last_step) for e in finding.evidence],
            finding.caused_by,
        )
        for finding in report.findings
    ]
