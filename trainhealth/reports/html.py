"""One HTML file without anything from elsewhere: findings, and the curves that show them, drawn as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import TextIO

from trainhealth.diagnosis import Report
from trainhealth.findings import Finding, Recommendation
from trainhealth.recipes import all_recipes
from trainhealth.recipes.lectures import in_full
from trainhealth.reports.advice import advised
from trainhealth.reports.base import Checked, Format
from trainhealth.reports.facts import place_and_steps, reasons, run_facts
from trainhealth.reports.folding import Illness, fold
from trainhealth.reports.pictures import picture
from trainhealth.reports.svg import Mark, chart
from trainhealth.rules.base import number

WIDTH = 90  # columns of a picture
CHARTS = (
    ("loss", ("train_loss", "validation_loss")),
    ("accuracy", ("train_accuracy", "validation_accuracy")),
    ("learning rate", ("learning_rate",)),
    ("gradient norm", ("gradient_norm", "clipped_gradient_norm")),
)
_STYLE = """
:root{color-scheme:light dark;--text:#1c2128;--dim:#667085;--back:#fff;--card:#f6f7f9;--a:#2563eb;--b:#d97706;
--critical:#c62828;--warning:#b26a00;--note:#0b7285;--good:#2e7d32}
@media(prefers-color-scheme:dark){:root{--text:#e6e8eb;--dim:#98a2b3;--back:#111418;--card:#1a1f26;--a:#6ea8fe;
--b:#f2b84b;--critical:#ff7b72;--warning:#f0b429;--note:#5cc8d7;--good:#7bd88f}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--text);background:var(--back);max-width:46rem;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.3rem}h2{font-size:1.15rem;margin-top:2.5rem}h3{font-size:1.05rem;margin-bottom:.2rem}
.dim{color:var(--dim)}.card{background:var(--card);border-radius:.5rem;padding:.8rem 1rem;margin:1rem 0}
.critical{color:var(--critical)}.warning{color:var(--warning)}.note{color:var(--note)}.good{color:var(--good)}
table{border-collapse:collapse;font-size:.9rem}td,th{padding:.15rem .8rem .15rem 0;text-align:left;
vertical-align:top}pre{overflow-x:auto;font-size:.85rem}svg{width:100%;height:auto}
svg text{font:11px system-ui,sans-serif;fill:var(--dim)}svg .axis{fill:none;stroke:var(--dim)}
svg polyline{fill:none;stroke-width:1.5}.line0{stroke:var(--a)}.line1{stroke:var(--b)}
svg .mark{stroke:var(--critical);stroke-dasharray:3 3}svg .bad{fill:var(--critical)}
.key0{color:var(--a)}.key1{color:var(--b)}
"""


class HtmlFormat(Format):
    """Writes one page for all runs."""

    name = "html"

    def write(self, checked: Iterable[Checked], out: TextIO) -> None:
        """Write the page, each run as soon as it is diagnosed."""
        out.write('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">')
        out.write('<meta name="viewport" content="width=device-width"><title>trainhealth</title>')
        out.write(f"<style>{_STYLE}</style></head><body>\n<h1>trainhealth</h1>\n")
        for one in checked:
            if isinstance(one, Report):
                out.writelines(_run(one))
            else:
                out.write(f"<h2>{escape(one.path)}</h2><p>Could not be read: {escape(one.error.message)}</p>\n")
        out.write("</body></html>\n")


def _run(report: Report) -> Iterator[str]:
    view = report.run.view
    yield f"<h2>{escape(report.run.path)}</h2>\n<p class=dim>{escape(run_facts(view))}</p>\n"
    if not report.findings:
        yield "<p class=good>✓ Nothing was found.</p>\n"
    for illness in fold(report.findings):
        yield from _illness(illness)
    marks = [Mark(f.first_step, f"{f.name} since step {f.first_step}") for f in report.findings if not f.caused_by]
    for title, names in CHARTS:
        lines = [view.learning_rate if name == "learning_rate" else view.series(name) for name in names]
        if any(len(line) for line in lines):
            keys = " ".join(f"<span class=key{i}>{escape(n)}</span>" for i, n in enumerate(names) if view.has(n))
            drawing = chart(title, lines, marks) or "<p>No value is finite.</p>"
            yield f"<h3>{title}</h3><p class=dim>{keys}</p>{drawing}\n"
    yield from _measured(report)
    if report.not_checked:
        yield "<details><summary>Not checked</summary><ul>\n"
        for because, rules in reasons(report.not_checked):
            yield f"<li>{escape(', '.join(rules))}: {escape(because)}</li>\n"
        yield "</ul></details>\n"


def _measured(report: Report) -> Iterator[str]:
    """Yield what a checkup has measured: pictures, values to use, and what it has written out."""
    for figure in report.figures:
        if drawn := picture(figure, WIDTH):
            yield f"<h3>{escape(figure.title)}</h3><pre>{escape(chr(10).join(drawn))}</pre>\n"
    if rows := list(advised(report.advice)):
        cells = "".join(f"<tr>{''.join(f'<td>{escape(part)}</td>' for part in row)}</tr>" for row in rows)
        yield f"<h3>Measured, and to use</h3><table>{cells}</table>\n"
    for name, text in report.documents.items():
        yield f"<details><summary>{escape(name)}</summary><pre>{escape(text)}</pre></details>\n"


def _illness(illness: Illness) -> Iterator[str]:
    cause = illness.cause
    yield f'<section class=card><h3><span class="{cause.severity}">{cause.severity}</span> {escape(cause.name)}</h3>'
    yield f"<p class=dim>{cause.code}, {cause.confidence}, since step {cause.first_step}</p>"
    yield f"<p>{escape(cause.message)}</p>{_evidence(cause)}"
    if illness.symptoms:
        yield "<p>It explains:</p><ul>"
        yield from (f"<li>{escape(s.name)}: {escape(s.message)}</li>" for s in illness.symptoms)
        yield "</ul>"
    if cause.recommendations:
        yield "<ol>"
        yield from map(_recommendation, cause.recommendations)
        yield "</ol>"
    yield from (
        f"<p class=dim>{escape(in_full(source.title))}: {escape(source.claim)}</p>" for source in cause.references[:1]
    )
    yield "</section>\n"


def _evidence(finding: Finding) -> str:
    rows = []
    for item in finding.evidence:
        place, steps = place_and_steps(item)
        cells = (item.signal, place, number(item.observed), item.expected, steps)
        rows.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    head = "".join(f"<th>{name}</th>" for name in ("signal", "place", "observed", "expected", "steps"))
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>" if rows else ""


def _recommendation(advice: Recommendation) -> str:
    risk = f" Risk: {escape(advice.risk)}" if advice.risk else ""
    recipe = next((recipe for recipe in all_recipes() if recipe.name == advice.recipe), None)
    snippet = ""
    if recipe is not None:
        code = escape(recipe.snippet.strip())
        snippet = f"<details><summary>{escape(recipe.title)}</summary><pre>{code}</pre></details>"
    return (
        f"<li><b>{escape(advice.action)}</b> {escape(advice.because)}"
        f"<br><span class=dim>Then see: {escape(advice.verify)}{risk}</span>{snippet}</li>"
    )
