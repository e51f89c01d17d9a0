"""A bench log that its own reader reads and its own rule judges: install the example first."""

import sys
from importlib.metadata import entry_points
from pathlib import Path

import trainhealth

if not any(point.module == "trainhealth_example" for point in entry_points(group="trainhealth.readers")):
    sys.exit("trainhealth-example is not installed, so that nothing can read its log: pip install .")
log = Path("resnet-a.bench")
log.write_text("#bench 1 resnet-a\n" + "".join(f"{step} train 1,0\n" for step in range(6000)))
for finding in trainhealth.check(log).findings:
    sys.stdout.write(f"{finding.code} {finding.name}: {finding.message}\n")
