"""``python -m trainhealth.demo``: the demo's training in a process of its own."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from dataclasses import replace

from trainhealth.demo.programs import HEALTHY, ILLNESSES, find


def main() -> None:
    """Train the program of an illness; progress goes to stderr."""
    parser = argparse.ArgumentParser(prog="python -m trainhealth.demo")
    parser.add_argument("--illness", default=HEALTHY.name, choices=[HEALTHY.name, *(i.name for i in ILLNESSES)])
    parser.add_argument("--run-dir", required=True)
    parser.add_argument("--epochs", type=int, help="instead of the program's own number")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds after each step")
    parser.add_argument("--end-with-stdin", action="store_true", help="end when standard input does")
    arguments = parser.parse_args()
    if arguments.end_with_stdin:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    illness = find(arguments.illness)
    assert illness is not None  # argparse has checked it
    program = illness.program
    if arguments.epochs:
        program = replace(program, epochs=arguments.epochs)

    from trainhealth.demo.training import train

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    try:
        train(program, arguments.run_dir, pause=arguments.pause, progress=say)
    except KeyboardInterrupt:
        sys.exit(130)


def _end_with_stdin() -> None:
    """Interrupt this process when its parent is gone, however it went: standard input is a pipe from it."""
    os.read(sys.stdin.fileno(), 1)  # not sys.stdin.read(): a thread that waits in there breaks Python's shutdown
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    main()
