"""Brings what the README shows up to date: the printed finding, and the picture of the dashboard.

    python docs/refresh.py

Both come from sample logs, which are real runs. `tests/test_readme.py` holds the README to them.
"""

from __future__ import annotations

import asyncio
import io
import re
import sys
from pathlib import Path

import trainhealth
from trainhealth.reports.text import TextFormat
from trainhealth.tui.app import Dashboard
from trainhealth.tui.frame import newest_snapshot
from trainhealth.tui.look import Glyphs, Look
from trainhealth.tui.reading import Reading

ROOT = Path(__file__).parent.parent
SHOWN = Path("sample_logs/dead-relu-units/sick")
PICTURED = Path("sample_logs/learning-rate-too-high/sick")
SIZE = (124, 38)
_FINDING = re.compile(r"(<!-- finding: begin -->\n).*?(<!-- finding: end -->)", re.DOTALL)
_WEB_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def finding() -> str:
    """Return the report of `SHOWN` as printed into a pipe, up to its first recommendation."""
    out = io.StringIO()
    TextFormat().write([trainhealth.check(SHOWN)], out)
    return out.getvalue().partition("\n  try next")[0].rstrip() + "\n"


def readme(text: str) -> str:
    """Return the README with the finding as it is printed today."""
    return _FINDING.sub(lambda found: f"{found[1]}```\n{finding()}```\n{found[2]}", text)


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
    """Write README.md and docs/dashboard.svg."""
    path = ROOT / "README.md"
    path.write_text(readme(path.read_text()))
    (ROOT / "docs" / "dashboard.svg").write_text(asyncio.run(picture()))


if __name__ == "__main__":
    sys.exit(main())
