"""Makes the sample logs: for every illness of the demo one sick run and its healthy twin, trained for real.

    python sample_logs/make.py [NAME …]

The manifest says how each run was made and what `trainhealth check` finds in it: the golden list, in which a changed
threshold shows its effect. Look at its difference before you commit it.
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import trainhealth
from trainhealth.demo.programs import ILLNESSES, Illness, Program
from trainhealth.demo.training import train

HERE = Path(__file__).parent
MANIFEST = HERE / "manifest.json"
DISK = 150_000  # bytes: with it no run takes more than a few hundred steps' worth of statistics


def make(illness: Illness, state: str, program: Program) -> dict[str, Any]:
    """Train one program into its folder; return its entry in the manifest."""
    folder = HERE / illness.name / state
    with tempfile.TemporaryDirectory() as scratch:  # a run that fails leaves the old one in place
        made = train(program, Path(scratch) / state, disk=DISK)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder)
    findings = [finding.id for finding in trainhealth.check(folder).findings]
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{illness.name}/{state}: {size // 1000} kB, findings: {', '.join(findings) or 'none'}")
    return {
        "path": f"{illness.name}/{state}",
        "planted": illness.name if state == "sick" else None,
        "program": asdict(program),
        "findings": findings,
    }


def main(names: list[str]) -> None:
    """Make the runs of the named illnesses (all by default) and bring the manifest up to date."""
    known = {illness.name: illness for illness in ILLNESSES}
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"no such illness: {', '.join(unknown)}; illnesses: {', '.join(known)}")
    old = json.loads(MANIFEST.read_text())["runs"] if MANIFEST.exists() else []
    entries = {entry["path"]: entry for entry in old if entry["path"].partition("/")[0] in known}
    for name in names or known:
        illness = known[name]
        for state, program in (("sick", illness.program), ("healthy", illness.healthy_program)):
            entries[f"{name}/{state}"] = make(illness, state, program)
    document = {
        "made_by": "python sample_logs/make.py",
        "data": "scikit-learn's digits (1,797 images of 8 x 8 pixels)",
        "versions": {"python": platform.python_version(), "torch": version("torch").partition("+")[0]},
        "runs": [entries[path] for path in sorted(entries)],
    }
    MANIFEST.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
