"""The status page: what it says, and that nothing said in it can break out of it."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.page import CONTENT_SECURITY_POLICY, StateRow, Status, TargetRow, render
from exporter.page.style import STYLE
from exporter.page.text import escaped, moment, phase_bar, phase_kind, span
from tests.http.fakes import NOW, status
from tests.http.pages import HOSTILE, hostile, job, ordinary

VOID = {"meta", "input", "br", "rect"}
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "nav", "form", "h1", "h2", "p"),
    *("a", "dl", "dt", "dd", "div", "span", "table", "caption", "thead", "tbody", "tr", "th", "td", "ul", "li"),
    *("label", "input", "select", "option", "button", "time", "code", "bdi", "br", "progress", "svg", "rect"),
}
ATTRIBUTES = {
    *("lang", "charset", "name", "content", "href", "rel", "class", "id", "role", "scope", "method", "action", "type"),
    *("value", "maxlength", "selected", "datetime", "title", "max", "viewbox", "preserveaspectratio", "x", "y"),
    *("width", "height", "data-label"),
}


class Page(HTMLParser):
    """A parsed page; an unknown element or attribute, or one that is not closed in order, fails."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names))
        for name in names:
            assert name in ATTRIBUTES or name.startswith("aria-"), name
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID or (tag == "rect" and not (self.get_starttag_text() or "").endswith("/>")):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def names(self) -> list[str]:
        """The names of the jobs shown, in order."""
        return [
            href["href"].rpartition("/")[2]
            for href in self.all("a")
            if href["href"].startswith("https://console.") and "#/jobs/" in href["href"]
        ]


def shown(status: Status, /, **query: str) -> Page:
    return Page(render(status, query))


def test_it_says_what_is_polled_how_fresh_and_what_failed() -> None:
    text = shown(ordinary()).text
    for expected in (
        "version 1.2.3",
        "… not ready yet",
        "✗ last reload refused",
        "written 4 s ago",
        "✗ 2 write errors",
        "1 of 3",
        "us-east-1 123456789012 ✓ up",
        "12 s ago , took 1.3 s; next in 41 s",
        "23 active of 840 tracked",
        "eu-west-1 210987654321 ✗ down 1 h 1 min ago",
        "✗ ThrottlingException in DescribeTrainingJob , 12 times, last 1 min ago : Rate exceeded",
        "✗ AccessDenied in ListTrainingJobs , 1 time, last 7 s ago",
        "region not known yet account not known yet … not tried yet never never",
        "not begun",
        "42 %",
        "page 3, back to 2026-10-30",
        "40 of 40 jobs shown",
    ):
        assert expected in text


def test_a_calm_exporter_has_a_calm_page() -> None:
    target = TargetRow("123456789012", "us-east-1", True, NOW - 1, NOW - 1)
    text = shown(replace(status(targets=(target,)), state=StateRow("file"))).text
    assert "✓ ready" in text
    assert "Configuration loaded defaults" in text
    assert "✗" not in text
    assert "No job fits." in text


def test_without_targets_it_says_so() -> None:
    assert "No targets: this shard has none" in shown(status()).text


def test_a_running_job() -> None:
    text = shown(status(job())).text
    assert "▶ InProgress Training changed 10 s ago" in text
    assert "1 h 6 min ago training began 1 h ago" in text
    assert "deadline in 2 h" in text
    assert "2 ml.p4d.24xlarge, spot" in text
    assert "Starting 2 min · Downloading 1 min · Training 57 min" in text


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": "Completed", "secondary_status": "Completed", "ended": NOW - 60}, "✓ Completed not settled yet"),
        ({"status": "Failed", "ended": NOW - 60, "settled": True}, "✗ Failed"),
        ({"status": "Stopped", "settled": True}, "◼ Stopped"),
        ({"status": "Paused"}, "? Paused"),
        ({"deadline": NOW - 60}, "deadline passed 1 min ago"),
        ({"deadline": None}, "no deadline known"),
        ({"phases": ()}, "none yet"),
        ({"spot": False, "instances": ""}, "unknown, on demand"),
        ({"spot": None}, "2 ml.p4d.24xlarge Starting"),
        ({"created": None, "started": None, "last_modified": None}, "▶ InProgress Training unknown deadline"),
    ],
)
def test_other_jobs(fields: dict[str, object], expected: str) -> None:
    assert expected in shown(status(job(0, **fields))).text


def test_active_jobs_come_first_then_the_newest() -> None:
    jobs = (job(3, status="Failed"), job(2), job(1, status="Completed"), job(4, created=None), job(0))
    assert shown(status(*jobs)).names() == ["job-00000", "job-00002", "job-00004", "job-00001", "job-00003"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"q": "00007"}, ["job-00007"]),
        ({"q": "JOB-0001"}, [f"job-000{n}" for n in range(10, 20)]),
        ({"status": "Paused", "region": "us-east-1"}, ["job-00013", "job-00027"]),
        ({"account": "123456789012", "q": "00001"}, ["job-00001"]),
        ({"account": "999999999999"}, []),
        ({"region": "<script>"}, []),
    ],
)
def test_filters(query: dict[str, str], expected: list[str]) -> None:
    page = shown(ordinary(30), **query)
    assert sorted(page.names()) == expected
    assert f"{len(expected)} of {len(expected)} jobs shown, 30 tracked" in page.text
    chosen = {attributes["value"] for attributes in page.all("option") if "selected" in attributes}
    assert chosen == {value for key, value in query.items() if key != "q"}
    assert next(a["value"] for a in page.all("input") if a["name"] == "q") == query.get("q", "")


def test_two_hundred_jobs_a_page() -> None:
    status = ordinary(450)
    seen: list[str] = []
    for number in (1, 2, 3):
        page = shown(status, page=str(number))
        seen += page.names()
        assert f"page {number} of 3" in page.text
    assert len(seen) == len(set(seen)) == 450
    assert "200 of 450 jobs shown" in shown(status).text


@pytest.mark.parametrize(
    ("asked", "given"),
    [("0", 1), ("-1", 1), ("x", 1), ("", 1), ("²", 1), ("2", 2), ("99", 3), ("9" * 5000, 1), ("9" * 7, 3)],
)
def test_any_page_that_is_asked_for_is_one_there_is(asked: str, given: int) -> None:
    assert f"page {given} of 3" in shown(ordinary(450), page=asked).text


def test_the_links_to_other_pages_keep_the_filters() -> None:
    page = shown(ordinary(900), q="job & <0>", page="1")
    assert page.names() == []
    page = shown(ordinary(900), q="job-0", region="us-east-1", page="2")
    links = {a["href"] for a in page.all("a") if "page=" in a["href"]}
    assert {parse_qs(urlsplit(link).query)["page"][0] for link in links} == {"1", "3"}
    for link in links:
        assert parse_qs(urlsplit(link).query)["q"] == ["job-0"]
        assert parse_qs(urlsplit(link).query)["region"] == ["us-east-1"]


def test_a_long_filter_is_kept_whole_in_the_links() -> None:
    name = "é" * 200
    page = shown(status(*(job(name=name, created=NOW - n) for n in range(201))), q=name)
    (link,) = {a["href"] for a in page.all("a") if "page=" in a["href"]}
    assert parse_qs(urlsplit(link).query)["q"] == [name]


def test_links_lead_to_the_endpoints_the_documents_and_the_console() -> None:
    jobs = (job(1), job(2, region="cn-north-1"), job(3, region="us-gov-west-1"))
    page = shown(replace(ordinary(0), jobs=jobs, telemetry_path="/sm/metrics"))
    links = {a["href"] for a in page.all("a")}
    assert {"/sm/metrics", "/healthz", "/readyz"} <= links
    assert "https://console.aws.amazon.com/sagemaker/home?region=us-east-1#/jobs/job-00001" in links
    assert "https://console.amazonaws.cn/sagemaker/home?region=cn-north-1#/jobs/job-00002" in links
    assert "https://console.amazonaws-us-gov.com/sagemaker/home?region=us-gov-west-1#/jobs/job-00003" in links


def test_nothing_breaks_out_of_its_place() -> None:
    html = render(hostile(), {"q": HOSTILE[1], "status": HOSTILE[0], "account": HOSTILE[7], "region": HOSTILE[2]})
    Page(html)
    assert "\x00" not in html
    html.encode()
    assert len(html) < 200_000
    page = Page(render(hostile(), {}))
    assert HOSTILE[0] in page.texts
    assert next(t for t in page.texts if t.startswith("aaaa")) == "a" * 200 + "…"


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_at_all(text: str, query: str) -> None:
    row = job(name=text, status=text, region=text, phases=((text, 1.0),))
    page = render(status(row), {"q": query, "status": text, "region": query, "page": query})
    Page(page)
    page.encode()


def test_names_are_isolated_from_the_direction_around_them() -> None:
    page = shown(status(job(name=HOSTILE[4])))
    assert len(page.all("bdi")) == 1


def test_no_script_no_style_attribute_and_nothing_from_elsewhere() -> None:
    html = render(ordinary(), {})
    assert not re.search(r"<script|\son\w+=|\sstyle=|\ssrc=|url\(|@import|<link|<img|<iframe", html)


def test_the_policy_allows_this_style_and_nothing_else() -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", render(ordinary(), {}), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert dict(part.strip().split(" ", 1) for part in CONTENT_SECURITY_POLICY.split(";")) == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }


def test_every_cell_is_labelled_and_every_table_has_its_roles() -> None:
    page = shown(ordinary())
    assert len(page.all("table")) == len([tag for tag, _ in page.elements if tag == "caption"]) == 2
    assert all(cell["data-label"] and cell["role"] == "cell" for cell in page.all("td"))
    assert all(table["role"] == "table" for table in page.all("table"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {table["aria-labelledby"] for table in page.all("table")} == set(ids)


def luminance(colour: str) -> float:
    text = colour if len(colour) == 7 else "#" + "".join(2 * digit for digit in colour[1:])
    parts = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_contrast(scheme: int) -> None:
    """WCAG AA: 4.5 for text, 3 for what is not text."""
    colours: dict[str, str] = {}
    for block in re.findall(r":root\{(.*?)\}", STYLE, re.DOTALL)[: scheme + 1]:
        colours |= dict(re.findall(r"--(\w+):(#[0-9a-f]+)", block))
    for ground in ("ground", "card"):
        for text in ("ink", "quiet", "link", "good", "bad", "warn", "idle"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for bar in ("wait", "prepare", "train", "upload", "interrupt", "other"):
        assert contrast(colours[bar], colours["card"]) >= 3, bar


def test_the_bar_is_as_wide_as_the_phases_are_long() -> None:
    page = Page(phase_bar([("Starting", 25.0), ("Nothing", 0.0), ("Training", 75.0), ("New", 100.0)]))
    rects = [(a["class"], float(a["x"]), float(a["width"])) for a in page.all("rect")]
    assert rects == [("wait", 0.0, 125.0), ("train", 125.0, 375.0), ("other", 500.0, 500.0)]


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0, 0.0])
def test_a_span_without_length_has_no_bar(seconds: float) -> None:
    assert phase_bar([("Starting", seconds)]) == ""


def test_kinds_of_phases() -> None:
    assert phase_kind("LaunchingMLInstances") == "wait"
    assert phase_kind("What AWS thinks of next") == "other"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (0.4, "0 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (3725, "1 h 2 min"),
        (86_400 * 3 + 7200 + 59, "3 d 2 h"),
        (86_400, "1 d"),
    ],
)
def test_spans(seconds: float, expected: str) -> None:
    assert span(seconds).replace("\N{NO-BREAK SPACE}", " ") == expected


def test_moments_have_the_exact_time() -> None:
    text = moment(NOW - 60, NOW).replace("\N{NO-BREAK SPACE}", " ")
    assert text == '<time datetime="2026-11-24T05:59:00Z" title="2026-11-24 05:59:00 UTC">1 min ago</time>'


@pytest.mark.parametrize("timestamp", [None, float("nan"), float("inf"), 1e18, -1e18])
def test_moments_that_are_none(timestamp: float | None) -> None:
    assert moment(timestamp, NOW, "never") == "never"


def test_text_is_escaped_and_cut() -> None:
    assert escaped("<&\"'>") == "&lt;&amp;&quot;&#x27;&gt;"
    assert escaped("a\x00\x1fb\ud800") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"
    assert escaped("x" * 201) == "x" * 200 + "…"
