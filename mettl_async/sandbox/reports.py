"""Report links and what is behind them: public, unsigned pages; the link is all one needs [seen].

A made-up PDF and HTML page with the score and nothing personal. The links look like those of 2024,
double escapes included, but stay on the sandbox's own host.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, unquote

from attrs import frozen

from mettl_async.sandbox import grading, lifecycle_rules
from mettl_async.sandbox.state import SandboxCandidate, State

PDF_PATH: Final = "/analytics/download-candidate-report"
HTML_PATH: Final = "/analytics/share-report"


@frozen
class Report:
    """What a report link answers: HTTP status, heading, and pairs of names and values."""

    status: int
    title: str
    pairs: Sequence[tuple[str, str]] = ()


def links(
    candidate: SandboxCandidate, *, pace: lifecycle_rules.Pace, now: float, base_url: str
) -> dict[str, str | None]:
    """Make ``pdfReport`` and ``htmlReport``; null until they are given."""
    given = pace.graded if pace.links_first else pace.reported
    if not given(candidate, now):
        return {"pdfReport": None, "htmlReport": None}
    # Base64, so that the escapes matter as they do in the real links.
    key = b64encode(bytes.fromhex(candidate.ecc)).decode()
    html = f"{base_url}{HTML_PATH}?key={quote(key, safe='')}"
    return {
        "pdfReport": (
            f"{base_url}{PDF_PATH}?isCiim=false&isShareReport=true&comp=false"
            f"&url={quote(html, safe='')}"
        ),
        "htmlReport": html,
    }


def read_report(
    state: State, path: str, query: str, *, pace: lifecycle_rules.Pace, now: float
) -> Report:
    """Find the report of a link."""
    parameters = _pairs(query)
    if path == PDF_PATH:
        parameters = _pairs(unquote(parameters.get("url", "")).partition("?")[2])
    try:
        ecc = b64decode(unquote(parameters.get("key", "")), validate=True).hex()
    except ValueError:
        ecc = ""
    candidate = state.owners.get(ecc)
    if (
        candidate is None
        or candidate.finished_at is None
        or candidate.finish_mode in lifecycle_rules.NEVER_GRADED
    ):
        return Report(404, "No such report")
    if not pace.reported(candidate, now):
        return Report(pace.pending_status, "The report is being generated")
    result = grading.result_of(candidate)
    pairs = [
        ("Assessment", candidate.schedule.assessment.name),
        ("Performance", result["performanceCategory"]),
        ("Right answers", f"{result['totalCorrectAnswers']:g} of {result['totalQuestion']:g}"),
        *((part["sectionName"], _score(part)) for part in result["sectionMarks"]),
    ]
    return Report(200, f"Score {_score(result)}", pairs)


def _pairs(query: str) -> dict[str, str]:
    return dict(pair.partition("=")[::2] for pair in query.split("&"))


def _score(marks: Mapping[str, Any]) -> str:
    return f"{marks['totalMarks']:g} of {marks['maxMarks']:g}"


def make_pdf(report: Report) -> bytes:
    """Make a PDF of one page; what isn't plain ASCII becomes a question mark."""
    lines = [_literal(f"{name}: {value}") for name, value in report.pairs]
    shown = "".join(f" 0 -24 Td ({line}) Tj" for line in lines)
    stream = f"BT /F1 24 Tf 72 720 Td ({_literal(report.title)}) Tj /F1 12 Tf 0 -12 Td{shown} ET"
    box, fonts = "/MediaBox [0 0 612 792]", "<< /Font << /F1 5 0 R >> >>"
    objects = (
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R {box} /Contents 4 0 R /Resources {fonts} >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    written, table, size = "%PDF-1.4\n", "", len(objects) + 1
    for number, content in enumerate(objects, start=1):
        table += f"{len(written):010d} 00000 n \n"
        written += f"{number} 0 obj\n{content}\nendobj\n"
    return (
        f"{written}xref\n0 {size}\n0000000000 65535 f \n{table}"
        f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(written)}\n%%EOF\n"
    ).encode("ascii")


def _literal(text: str) -> str:
    """Escape a text so that it can stand between brackets in a PDF."""
    plain = "".join(one if " " <= one <= "~" else "?" for one in text)
    return re.sub(r"([\\()])", r"\\\1", plain)
