"""Brings what documents show up to date: the README's finding, the picture of the dashboard, the glossary's signals.

    python docs/refresh.py

Finding and picture come from sample logs, which are real runs. Tests hold the documents to the code.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import sys
import tempfile
from pathlib import Path

import trainhealth
from trainhealth.reports.text import TextFormat
from trainhealth.signals import SIGNALS, Scope
from trainhealth.tui.app import Dashboard
from trainhealth.tui.frame import newest_snapshot
from trainhealth.tui.look import Glyphs, Look
from trainhealth.tui.reading import Reading

ROOT = Path(__file__).parent.parent
SHOWN = Path("sample_logs/dead-relu-units/sick")
PICTURED = Path("sample_logs/learning-rate-too-high/sick")
SIZE = (124, 38)
_FINDING = re.compile(r"(<!-- finding: begin -->\n).*?(<!-- finding: end -->)", re.DOTALL)
_SIGNALS = re.compile(r"(<!-- signals: begin -->\n).*?(<!-- signals: end -->)", re.DOTALL)
_HEADINGS = {
    Scope.STEP: "One value a step",
    Scope.EVALUATION: "One value an epoch or evaluation",
    Scope.LAYER: "One value a layer, on sampled steps",
    Scope.PARAMETER: "One value a parameter, on sampled steps",
    Scope.BATCH: "One value a sampled step, about its batch or its update as a whole",
}
_WEB_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def finding() -> str:
    """Return the report of `SHOWN` as printed into a pipe, up to its first recommendation."""
    out = io.StringIO()
    TextFormat().write([trainhealth.check(SHOWN)], out)
    return out.getvalue().partition("\n  try next")[0].rstrip() + "\n"


def readme(text: str) -> str:
    """Return the README with the finding as it is printed today."""
    return _FINDING.sub(lambda found: f"{found[1]}```\n{finding()}```\n{found[2]}", text)


def glossary(text: str) -> str:
    """Return the glossary with the signals as the code defines them."""
    parts = []
    for scope, heading in _HEADINGS.items():
        rows = [f"| `{s.name}` | {s.unit} | {s.meaning} |" for s in SIGNALS.values() if s.scope is scope]
        parts.append(f"### {heading}\n\n| signal | unit | meaning |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return _SIGNALS.sub(lambda found: f"{found[1]}\n{chr(10).join(parts)}\n{found[2]}", text)


async def picture() -> str:
    """Return the dashboard on `PICTURED` as SVG; letters come from the reader's own monospace font.

    Drawn with blocks, because not every font that a browser may take has braille.
    """
    dashboard = Dashboard(PICTURED, Look(Glyphs.BLOCK), lambda post: lambda: None)
    async with dashboard.run_test(size=SIZE) as pilot:
        await pilot.pause()
        dashboard.post(newest_snapshot(Reading(PICTURED)))
        await pilot.pause()
        await pilot.pause()
        svg = dashboard.export_screenshot(title=f"trainhealth live {PICTURED}")
    return _WEB_FONTS.sub("", svg)


def main() -> None:
    """Write README.md, docs/glossary.md and docs/dashboard.svg."""
    for path, refreshed in ((ROOT / "README.md", readme), (ROOT / "docs" / "glossary.md", glossary)):
        path.write_text(refreshed(path.read_text()))
    with tempfile.TemporaryDirectory() as state:
        os.environ["XDG_STATE_HOME"] = state  # the view and the theme that you looked at last are not the reader's
        (ROOT / "docs" / "dashboard.svg").write_text(asyncio.run(picture()))


if __name__ == "__main__":
    sys.exit(main())
