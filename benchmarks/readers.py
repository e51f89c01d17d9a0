"""What reading costs: an event file against tensorboard's own reader, and the memory that a large text log takes.

python benchmarks/readers.py [--scalars 100000] [--megabytes 1024] [--repeat 5]

tensorboard is measured in the same process where it is installed. Times are CPU time: other processes may be busy.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from trainhealth.following import Follower
from trainhealth.readers.checksums import masked

TARGET_SECONDS, TARGET_RATIO, TARGET_MEGABYTES = 0.5, 3.0, 300
MIB = 1 << 20


def write_events(path: Path, scalars: int) -> None:
    """Write an event file as torch does: an event a scalar."""
    payloads = [b"\x09" + struct.pack("<d", 1763712000.0) + b"\x1a\x0dbrain.Event:2"]
    for step in range(scalars):
        value = b"\x0a\x0atrain/loss\x15" + struct.pack("<f", 2.0 / (1 + step))
        summary = b"\x0a" + bytes([len(value)]) + value
        number, at = bytearray(), step
        while at > 0x7F:
            number.append(at & 0x7F | 0x80)
            at >>= 7
        head = b"\x09" + struct.pack("<d", 1763712000.0 + step) + b"\x10" + bytes([*number, at])
        payloads.append(head + b"\x2a" + bytes([len(summary)]) + summary)
    lengths = [struct.pack("<Q", len(payload)) for payload in payloads]
    sums = masked([*lengths, *payloads]).astype("<u4")
    with path.open("wb") as file:
        for place, (length, payload) in enumerate(zip(lengths, payloads, strict=True)):
            file.write(length + sums[place].tobytes() + payload + sums[place + len(payloads)].tobytes())


def read_ours(path: Path) -> int:
    """Read a log up to the view that rules judge; return how many values of the loss there are."""
    follower = Follower(path)
    follower.poll()
    follower.settle()
    return len(follower.view().series("train_loss"))


def read_theirs(path: Path) -> int:
    """Read an event file with EventAccumulator, without its sampling."""
    module = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    accumulator = module.EventAccumulator(str(path), size_guidance={"scalars": 0})
    accumulator.Reload()
    return len(accumulator.Scalars("train/loss"))


def best(read: Callable[[Path], int], path: Path, expected: int, repeat: int) -> float:
    """Return the shortest CPU time of several, in seconds."""
    times = []
    for _ in range(repeat):
        began = time.process_time()
        assert read(path) == expected
        times.append(time.process_time() - began)
    return min(times)


def write_text(path: Path, megabytes: int) -> None:
    """Write what a chatty script prints: a line in a hundred holds a loss."""
    noise = b"2026-11-21 08:15:00,123 INFO worker 3 fetched shard 00017-of-01024 in 0.41 s from the cache\n" * 99
    with path.open("wb") as file:
        step = 0
        while file.tell() < megabytes * MIB:
            file.write(noise + b"step %d | loss %.4f | lr 1e-3\n" % (step, 2.0 / (1 + step)))
            step += 1


def peak_of_reading(path: Path) -> tuple[float, float]:
    """Return the peak memory (MB) and the CPU time (s) of a process that reads the log."""
    code = (
        "import sys; from pathlib import Path; from benchmarks.readers import read_ours; read_ours(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, cwd=Path(__file__).parent.parent)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_maxrss * 1024 / 1e6, used.ru_utime + used.ru_stime


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scalars", type=int, default=100_000)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    print("| what | measured | target |")
    print("|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        events, text = Path(folder, "events.out.tfevents.1.host.1.0"), Path(folder, "train.log")
        write_events(events, options.scalars)
        ours = best(read_ours, events, options.scalars, options.repeat)
        print(f"| event file, {options.scalars:,} scalars | {ours:.2f} s | {TARGET_SECONDS} s |")
        if importlib.util.find_spec("tensorboard") is None:
            print("| the same with EventAccumulator | tensorboard is not installed | |")
        else:
            theirs = best(read_theirs, events, options.scalars, options.repeat)
            ratio = f"{theirs / ours:.1f} times ours"
            print(f"| the same with EventAccumulator | {theirs:.2f} s, {ratio} | {TARGET_RATIO} times |")
        write_text(text, options.megabytes)
        peak, seconds = peak_of_reading(text)
        print(f"| text log, {options.megabytes:,} MiB | {peak:.0f} MB, {seconds:.0f} s | {TARGET_MEGABYTES} MB |")


if __name__ == "__main__":
    main()
