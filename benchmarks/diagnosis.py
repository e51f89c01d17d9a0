"""How long the diagnosis of a long run takes: a million steps, a hundred layers, two thousand samples.

    python -m benchmarks.diagnosis

Loading is compared with TensorBoard's EventAccumulator on the same number of scalars, where tensorboard is installed.
Ours loads the layers' values as well, which are not counted; what the scalars take alone is measured without them.
Modules are imported before anything is timed, ours as theirs.
"""

from __future__ import annotations

import math
import random
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

STEPS, LAYERS, SAMPLES = 1_000_000, 100, 2_000
TIMES = 3  # that each is measured; the least counts, of both sides
ACCUMULATED = 100_000  # scalars that EventAccumulator is given; it needs a second for so many


def write_run(folder: Path, steps: int = STEPS) -> None:
    """Write a healthy run of that size."""
    from trainhealth.logged_numbers import Number
    from trainhealth.records import (
        EpochRecord,
        EventRecord,
        LayerEntry,
        LayoutRecord,
        ParameterEntry,
        RunInfo,
        SampleRecord,
        StartRecord,
        encode,
        encode_info,
        encode_step,
    )
    from trainhealth.signals import SIGNALS, Scope

    draw = random.Random(0)
    names = [f"block{i}" for i in range(LAYERS)]
    layers = [LayerEntry(name=name, type="Linear", units=256, unit_axis=-1) for name in names]
    parameters = [ParameterEntry(name=f"{name}.weight", shape=[256, 256], layer=name) for name in names]
    facts = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10, "task": "classification"}
    folder.mkdir()
    every = STEPS // SAMPLES
    level = {"update_ratio": 1e-3, "zero_fraction": 0.5, "saturated_fraction": 0.01, "dead_fraction": 0.0}
    signals = {
        scope: [s.name for s in SIGNALS.values() if s.scope is scope] for scope in (Scope.LAYER, Scope.PARAMETER)
    }
    with (folder / "events-0.jsonl").open("wb") as log:
        log.write(encode(StartRecord(step=0, time=1.7e9, pid=1)))
        log.write(encode(EventRecord(step=0, time=1.7e9, event="facts", data=facts)))
        log.write(encode(LayoutRecord(step=0, time=1.7e9, layout=0, layers=layers, parameters=parameters)))
        for step in range(steps):
            loss = 0.3 + 2 * math.exp(-step / 2e5) + draw.gauss(0, 0.05)
            log.write(encode_step(step, 1.7e9 + step / 100, loss, learning_rate=0.1 if step == 0 else None))
            if step % every == 0:
                columns: dict[Scope, dict[str, list[Number | None]]] = {
                    scope: {
                        name: [level.get(name, 0.0 if "nonfinite" in name else 1.0) * draw.uniform(0.9, 1.1)] * LAYERS
                        for name in wanted
                        if name != "dead_fraction"
                    }
                    for scope, wanted in signals.items()
                }
                log.write(
                    encode(
                        SampleRecord(
                            step=step,
                            time=1.7e9 + step / 100,
                            layout=0,
                            batch_size=64,
                            layers=columns[Scope.LAYER],
                            parameters=columns[Scope.PARAMETER],
                        )
                    )
                )
            if (step + 1) % 10_000 == 0:
                values: dict[str, Number] = {"validation_loss": loss + 0.02}
                log.write(encode(EpochRecord(step=step + 1, time=1.7e9, epoch=step // 10_000, values=values)))
    (folder / "run.json").write_bytes(encode_info(RunInfo(model="Deep", total_steps=steps)))


def without_samples(folder: Path, copy: Path) -> None:
    """Write the log of a run again, without its samples."""
    copy.mkdir()
    with (folder / "events-0.jsonl").open("rb") as log, (copy / "events-0.jsonl").open("wb") as shorter:
        shorter.writelines(line for line in log if not line.startswith(b'{"kind":"sample"'))


def timed(what: Callable[[], object]) -> float:
    """Return the CPU seconds of a call."""
    began = time.process_time()
    what()
    return time.process_time() - began


def accumulated() -> float | None:
    """Return the CPU seconds a scalar that EventAccumulator takes to load; None where it is not installed."""
    try:
        from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
            EventAccumulator,
        )
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    with tempfile.TemporaryDirectory() as folder:
        writer = SummaryWriter(folder)
        for step in range(ACCUMULATED):
            writer.add_scalar("loss", 1.0, step)
        writer.close()
        loads = [timed(lambda: EventAccumulator(folder, size_guidance={"scalars": 0}).Reload()) for _ in range(TIMES)]
        return min(loads) / ACCUMULATED


def main() -> None:
    """Measure and print."""
    import trainhealth
    from trainhealth.rules.engine import all_rules, run_rule

    with tempfile.TemporaryDirectory() as name:
        short, folder, scalars_only = (Path(name, run) for run in ("short", "long", "scalars"))
        write_run(short, 1_000)
        write_run(folder)
        first = timed(lambda: trainhealth.check(short))
        loads, checks, runs = [], [], list[trainhealth.Run]()
        for _ in range(TIMES):
            runs.clear()  # what one diagnosis has worked out is not there for the next one
            loads.append(timed(lambda: runs.append(trainhealth.load(folder))))
            checks.append(timed(lambda: trainhealth.check(runs[0])))
        (run,), loading, diagnosis = runs, min(loads), min(checks)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        without_samples(folder, scalars_only)
        alone = min(timed(lambda: trainhealth.load(scalars_only)) for _ in range(TIMES))
        costs = [(timed(partial(run_rule, rule, run.view, {})), rule.name) for rule in all_rules()]
        slowest = sorted(costs, reverse=True)[:5]
        print(f"log: {(folder / 'events-0.jsonl').stat().st_size / 1e6:.0f} MB")
        print(f"loading: {loading:.2f} s, of the scalars alone: {alone:.2f} s; diagnosis: {diagnosis:.2f} s")
        print(f"the first check in a process, of a thousand steps, with all imports: {first:.2f} s")
        print(f"slowest rules: {', '.join(f'{rule} {seconds:.3f} s' for seconds, rule in slowest)}")
        print(f"memory: {memory:.0f} MB at most")
        values = sum(len(series) for series in run.view.scalars.values())
        measured = sum(columns.values.size for columns in run.view.columns_by_signal.values())
        print(f"{values:,} scalars, and {measured:,} values of layers and parameters")
        peer = accumulated()
        if peer is not None:
            took = peer * values
            print(f"EventAccumulator, as many scalars: {took:.0f} s, {took / loading:.0f} times as long as all of ours")
            print(f"and {took / alone:.0f} times as long as the scalars alone")


if __name__ == "__main__":
    main()
