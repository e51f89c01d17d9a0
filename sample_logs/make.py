"""Makes the sample logs: for every rule one sick run and its healthy twin, trained for real.

    python sample_logs/make.py [RULE …]         train these pairs (all by default), and write down what is found
    python sample_logs/make.py --findings       train nothing, write down what is found in all of them today

`<rule>/pair.json` says what is wrong in the sick run and what `trainhealth check` finds in both: the golden list, in
which a changed threshold shows its effect. Look at its difference before you commit it.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from programs import Pair, Training, all_pairs

import trainhealth

HERE = Path(__file__).parent
STATES = ("sick", "healthy")


def make(training: Training, folder: Path) -> None:
    """Train into `folder`; a run that fails leaves the old one in place."""
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / folder.name
        training(made)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder)


def write_findings(pair: Pair) -> None:
    """Write down what is found in both runs of a pair."""
    found = {}
    for state in STATES:
        folder = HERE / pair.rule / state
        found[state] = [finding.id for finding in trainhealth.check(folder, options={}).findings]
        size = sum(file.stat().st_size for file in folder.iterdir())
        print(f"{pair.rule}/{state}: {size // 1000} kB, findings: {', '.join(found[state]) or 'none'}")
    document = {"rule": pair.rule, "what": pair.what, "findings": found}
    (HERE / pair.rule / "pair.json").write_text(json.dumps(document, indent=1) + "\n")


def main(names: list[str]) -> None:
    """Make the pairs of the named rules, or write down today's findings of all."""
    pairs = all_pairs()
    train, names = "--findings" not in names, [name for name in names if name != "--findings"]
    unknown = [name for name in names if name not in pairs]
    if unknown:
        sys.exit(f"no such pair: {', '.join(unknown)}; pairs: {', '.join(sorted(pairs))}")
    for name in names or sorted(pairs):
        if train:
            for state, training in zip(STATES, (pairs[name].sick, pairs[name].healthy), strict=True):
                make(training, HERE / name / state)
        write_findings(pairs[name])


if __name__ == "__main__":
    main(sys.argv[1:])
