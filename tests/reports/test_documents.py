"""Markdown, HTML and SARIF: the same findings in other clothes."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.reports.diagnoses import DEAD, INITIAL, NONFINITE, NOT_CHECKED, RATE_TOO_HIGH, report
from trainhealth.diagnosis import Report, Run
from trainhealth.errors import LogError
from trainhealth.findings import Diagnosis, Reference
from trainhealth.reports.base import Checked, Format, Unreadable
from trainhealth.reports.html import HtmlFormat
from trainhealth.reports.markdown import MarkdownFormat, cell
from trainhealth.reports.sarif import SarifFormat
from trainhealth.reports.svg import Mark, chart
from trainhealth.series import Series
from trainhealth.testing import make_run

SICK = report(RATE_TOO_HIGH, NONFINITE, DEAD, INITIAL, not_checked=NOT_CHECKED)
GONE = Unreadable("runs/gone", LogError("runs/gone: there is no such file or folder"))


def written(form: type[Format], *checked: Checked) -> str:
    """Return what a format writes."""
    out = io.StringIO()
    form().write(checked, out)
    return out.getvalue()


@pytest.mark.parametrize("form", [MarkdownFormat, HtmlFormat, SarifFormat])
def test_every_finding_and_its_advice_is_there(form):
    """Also a run that can't be read."""
    text = written(form, SICK, GONE)
    for expected in ("learning-rate-too-high", "nonfinite-loss", "dead-relu-units", "implausible-initial-loss"):
        assert expected in text
    assert "from 0.5 to 0.005" in text
    assert "runs/gone" in text


class _Closed(HTMLParser):
    """Follows the tags of a page; every one that must be closed is."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_from_elsewhere():
    """Every tag is closed, and no address is in it."""
    page = _Closed()
    page.feed(written(HtmlFormat, SICK, report()))
    assert page.open == []
    assert page.links == []


def test_a_curve_without_a_finite_value_is_told():
    """There is nothing to draw, and that is said."""
    broken = Report(Run("run", make_run([float("nan")] * 5)), Diagnosis(()))
    assert "No value is finite." in written(HtmlFormat, broken)


def test_names_in_a_log_are_text_and_nothing_else():
    """A layer may be called anything."""
    hostile = report(path="<script>alert(1)</script> | *x*")
    assert "<script>" not in written(HtmlFormat, hostile)
    assert "<script>" not in written(MarkdownFormat, hostile)
    assert cell("a|b_c") == r"a\|b\_c"
    assert cell("a&lt;b\r~~c~~") == r"a\&lt;b \~\~c\~\~"
    sick = report(RATE_TOO_HIGH, path="odd\udcff name:1")  # a file's name need not be valid UTF-8
    (result,) = json.loads(written(SarifFormat, sick))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "odd%FF%20name%3A1"


def test_sarif_has_what_the_standard_asks_for():
    """A rule for each result, a level, a message, a place; what can't be read is a notification."""
    document = json.loads(written(SarifFormat, SICK, GONE))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    known = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert [result["level"] for result in run["results"]] == ["error", "error", "warning", "note"]
    for result in run["results"]:
        assert result["ruleId"] in known
        assert result["message"]["text"]
        (location,) = result["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == "runs/baseline"
    (notification,) = run["invocations"][0]["toolExecutionNotifications"]
    assert "no such file" in notification["message"]["text"]


def test_sarif_advises_against_the_cause_and_not_against_its_symptoms():
    """A code host shows each result by itself: the symptom's says what explains it."""
    results = json.loads(written(SarifFormat, SICK))["runs"][0]["results"]
    said = {result["ruleId"]: result["message"]["text"] for result in results}
    assert RATE_TOO_HIGH.recommendations[0].action in said["OP01"]
    assert NONFINITE.caused_by == (RATE_TOO_HIGH.id,)
    assert said[NONFINITE.code] == f"{NONFINITE.message} learning-rate-too-high explains it."


def test_sarif_explains_each_rule_in_brief_and_in_full():
    """Code hosts show the help beside a result, and cut a description off after 1,024 characters."""
    (run,) = json.loads(written(SarifFormat, SICK))["runs"]
    for rule in run["tool"]["driver"]["rules"]:
        assert rule["shortDescription"]["text"].endswith(".")
        assert len(rule["shortDescription"]["text"]) < len(rule["fullDescription"]["text"]) <= 1024
        assert "When it is wrong" in rule["help"]["text"]


@pytest.mark.parametrize("form", [HtmlFormat, MarkdownFormat])
def test_a_lecture_is_cited_by_its_title(form):
    """Its short name is for those who write rules."""
    cited = replace(RATE_TOO_HIGH, references=(Reference("Tr1 Training Networks (Part 1)", "A high rate explodes."),))
    text = written(form, report(cited))
    assert "Helwan University" in text
    assert "Tr1" not in text


def series(values: list[float], name: str = "train_loss") -> Series:
    """Return a signal that has these values at steps 0, 1, 2 …"""
    return Series(name, np.arange(len(values)), np.array(values, np.float64))


def points(drawing: str) -> list[tuple[float, float]]:
    """Return the points of the first line of a drawing."""
    line = ElementTree.fromstring(drawing).find("polyline")
    assert line is not None
    return [(float(x), float(y)) for x, y in (point.split(",") for point in line.attrib["points"].split())]


def test_no_spike_is_lost_in_a_drawing():
    """Of a million values the one that stands out is drawn."""
    values = np.zeros(1_000_000)
    values[123_456] = 9.0
    drawn = points(chart("loss", [series(values.tolist())]))
    assert len(drawn) <= 1200
    assert sum(y == min(y for _, y in drawn) for _, y in drawn) == 1


def test_the_ticks_of_a_narrow_curve_differ():
    """A loss between 2.2987 and 2.3075 has three ticks of four digits: not 2.3 twice."""
    drawing = ElementTree.fromstring(chart("loss", [series([2.2987, 2.3075, 2.3])]))
    ticks = [text.text for text in drawing.findall("text")]
    assert ticks[:3] == ["2.299", "2.303", "2.308"]


def test_a_drawing_shows_where_a_curve_is_not_finite_and_what_is_found():
    """The gap, the word, and the step of the finding."""
    drawing = chart("loss", [series([2.0, float("nan"), 1.0, 0.5])], [Mark(2, "spikes since step 2")])
    assert "not finite" in drawing
    assert "spikes since step 2" in drawing
    assert len(points(drawing)) == 3


@pytest.mark.parametrize(
    "values",
    [[], [float("nan")], [float("inf"), 1.0], [0.0], [-1e308, 1e308], [1e-300, 1.0], [1.79e308], [1.6e308, 1.7e308]],
)
def test_any_curve_can_be_drawn(values):
    """Nothing, one value, values near the ends of what a float holds."""
    drawing = chart("loss", [series(values)])
    assert drawing == "" or ElementTree.fromstring(drawing).tag == "svg"
    rest = drawing.lower().replace("not finite", "")
    assert "nan" not in rest
    assert "inf" not in rest
