"""What the tests of the command line share: small logs, and rules whose answers are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from trainhealth import plugins
from trainhealth.findings import Confidence, Evidence, Recommendation, Reference, Severity
from trainhealth.records import (
    EndRecord,
    EpochRecord,
    EventRecord,
    LayerEntry,
    LayoutRecord,
    OptimizerInfo,
    RunInfo,
    SampleRecord,
    StartRecord,
    StepRecord,
    encode,
    encode_info,
)
from trainhealth.rules.base import Rule, option

WriteRun = Callable[..., str]


@pytest.fixture(autouse=True)
def _plain_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal of whoever runs the tests must not show in what they compare."""
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def write_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteRun:
    """Return a function that writes a run folder below the current folder and returns its name."""
    monkeypatch.chdir(tmp_path)

    def write(
        name: str = "run", losses: Sequence[float] = (2.3, 2.2, 2.1), *, ended: bool = True, tail: bytes = b""
    ) -> str:
        folder = Path(name)
        folder.mkdir(parents=True)
        optimizer = OptimizerInfo(name="", type="AdamW", groups=[{"lr": 0.001, "betas": [0.9, 0.999]}])
        info = RunInfo(name=name, model="Net", parameters=1200, trainable_parameters=1000, optimizers=[optimizer],
                       hyperparameters={"batch_size": 64}, total_steps=9, created=1.79e9)  # fmt: skip
        (folder / "run.json").write_bytes(encode_info(info))
        time = 1.79e9
        rates = [0.001, *[None] * (len(losses) - 1)]
        records = [
            StartRecord(step=0, time=time, pid=1),
            LayoutRecord(step=0, time=time, layout=0, layers=[LayerEntry(name="fc", type="Linear")]),
            *(
                StepRecord(step=step, time=time + step / 10, train_loss=loss, learning_rate=rate)
                for step, (loss, rate) in enumerate(zip(losses, rates, strict=True))
            ),
            SampleRecord(
                step=0, time=time, layout=0, layers={"activation_std": [1.0]}, cost=2.0, interval=64, overhead=0.01
            ),
            EventRecord(step=1, time=time + 1, event="probe_failed", message="The probe x is off."),
            EpochRecord(step=len(losses), time=time + 2, epoch=0, values={"validation_loss": 2.0}),
        ]
        if ended:
            records.append(EndRecord(step=len(losses), time=time + 3))
        (folder / "events-0.jsonl").write_bytes(b"".join(map(encode, records)) + tail)
        return name

    return write


class HighLoss(Rule):
    """The training loss is high.

    What it detects
        A train_loss above a limit.

    Why it matters
        It should be low:

            high = train_loss > limit

        - one item that is so long that it has to be wrapped when it is written to a page of eighty columns
        - another item

    How it decides
        By `limit`.

    What to try
        Lower it.

    When it is wrong
        Always.
    """

    code = "ZZ01"
    name = "high-loss"
    topic = "loss"
    severity = Severity.CRITICAL
    confidence = Confidence.CERTAIN
    since = "0.1"
    requires = ("train_loss",)
    uses = ("learning_rate",)
    references = (Reference("A book", "Low is better", "https://example.org"),)

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        limit: float = option(100.0, "nats", "house choice")

    def check(self, run, options):
        """Return a finding if the last loss is above the limit; a critical one if it is above it ten times."""
        last = float(run.series("train_loss").values[-1])
        if last > options.limit:
            severity = Severity.CRITICAL if last > 10 * options.limit else Severity.WARNING
            evidence = Evidence("train_loss", None, run.last_step, run.last_step, last, "below 100")
            advice = Recommendation("Lower it.", "it is high", "it is lower", recipe="lower-learning-rate")
            yield self.finding(f"train_loss is {last:g}.", [evidence], [advice], severity=severity)


class NeedsAccuracy(HighLoss):
    """Accuracy is odd."""

    code = "ZZ02"
    name = "odd-accuracy"
    requires = ("validation_accuracy",)


@pytest.fixture(autouse=True)
def _known_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line is tested with rules of its own: thresholds of real ones may change."""
    load = plugins.load
    known = (HighLoss, NeedsAccuracy)
    monkeypatch.setattr(plugins, "load", lambda group: known if group == "trainhealth.rules" else load(group))
    for others in ("search_rules", "all_faults"):
        monkeypatch.setattr(f"trainhealth.catalogue.{others}", tuple)
