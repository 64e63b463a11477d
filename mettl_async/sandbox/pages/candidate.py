"""What a candidate sees and does: before, during and after the test."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.responses import Response

from mettl_async.sandbox import reports
from mettl_async.sandbox.candidates import TAKE_TEST, PersonView, SandboxPerson, candidate_link
from mettl_async.sandbox.pages.rendering import page, problem, see_other
from mettl_async.sandbox.pages.visit import Visit

ENDED: Final = f"{TAKE_TEST}/ended"  # the sandbox's own
# How a candidate's test may end here, by the button's value.
FINISH_MODES: Final = {
    "finish": "NormalSubmission",
    "time": "TimeExpired",
    "browsing": "BrowsingToleranceExceeded",
    "proctor": "ProctoredFinish",
}


def show_test(visit: Visit) -> Response:
    """Answer a registration link; looking changes nothing.

    A link that is used up or expired answers HTTP 410, one that never was 404; both [assumed].
    """
    person = _person(visit)
    if person is None:
        return _unknown()
    view, link = person.view, _link_of(person)
    if view.can_start:
        return page("start.html", person=person, view=view, link=link)
    if view.can_reconnect:
        return page("disconnected.html", person=person, view=view, link=link)
    if view.can_finish:
        target = web_origin(_exit_of(person))
        return page(
            "running.html",
            form_target=target,
            person=person,
            view=view,
            link=link,
            end=_end_of(person),
        )
    if view.can_resume:
        return problem(410, "Test expired", view.why_not)
    way = (_end_of(person), "How the test ended") if person.status == "Completed" else None
    return problem(410, "This link is closed", view.why_not, way)


def take_step(visit: Visit) -> Response:
    """Do what a button of the link's page says, then send the browser on to see what came of it."""
    person = _person(visit)
    if person is None:
        return _unknown()
    action = visit.form.get("action", "")
    steps = {"start": person.start, "disconnect": person.disconnect, "reconnect": person.reconnect}
    view = person.view  # also makes happen what is due
    try:
        if action in FINISH_MODES:
            return _end(person, view, action)
        if action not in steps:
            return problem(400, "Not understood", "There is no button of this name.")
        if action == "disconnect" or not view.can_finish:  # pressed twice, it runs already
            steps[action]()
    except ValueError:
        text = view.why_not or "That isn't possible now: the test has gone on meanwhile."
        return problem(409, "Not possible now", text, (_link_of(person), "Back to your test"))
    return see_other(_link_of(person))


def _end(person: SandboxPerson, view: PersonView, action: str) -> Response:
    if person.status == "Completed" and not view.can_resume:  # pressed twice, or the time ran out
        return see_other(_end_of(person))
    if not view.can_finish:
        raise ValueError("only a test that runs can end")
    person.finish(FINISH_MODES[action])
    # [doc] for the button Finish Test; that other ends lead nowhere by themselves is [assumed]
    return see_other((action == "finish" and _exit_of(person)) or _end_of(person))


def show_end(visit: Visit) -> Response:
    """Answer the page after the end; before it, send the browser to the link."""
    person, sandbox = _person(visit), visit.sandbox
    if person is None:
        return _unknown()
    view = person.view
    if person.status != "Completed" or view.can_resume:
        return see_other(_link_of(person))
    report_url = None
    if person.schedule.assessment.show_report_on_exit:
        report_url = reports.links(
            person.candidate, pace=sandbox.pace, now=sandbox.clock.now(), base_url=visit.base_url
        )["htmlReport"]
    exit_url = _exit_of(person)
    return page("ended.html", person=person, view=view, exit_url=exit_url, report_url=report_url)


def show_schedule(visit: Visit) -> Response:
    """Answer a schedule's access URL.

    Mettl's is a link to share [doc]; that it gives nobody a test here is the sandbox's own.
    """
    found = visit.sandbox.schedules.get(visit.access_key)
    if found is None:
        return problem(404, "No such test", "No schedule has this access key.")
    return page("schedule_link.html", schedule=found)


def web_origin(url: str) -> str:
    """Give the origin of an http or https URL as a CSP names it; empty for anything else.

    A CSP has no way to write an IPv6 address: then its scheme stands for it.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not host:
        return ""
    if not all(letter.isalnum() or letter in "-." for letter in host) or not host.isascii():
        return f"{parts.scheme}:"
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def _person(visit: Visit) -> SandboxPerson | None:
    return visit.sandbox.person_of(visit.query.get("ecc", ""))


def _link_of(person: SandboxPerson) -> str:
    return candidate_link("", person.candidate.ecc)  # on the host of the browser


def _end_of(person: SandboxPerson) -> str:
    return f"{ENDED}?ecc={person.candidate.ecc}"


def _unknown() -> Response:
    return problem(404, "No such link", "Nobody has this link. Is it complete?")


def _exit_of(person: SandboxPerson) -> str:
    """Give ``exitRedirectionURL`` if a browser may be sent there, as the API takes any text."""
    url = (person.schedule.assessment.exit_redirection_url or "").strip()
    # Put together again, the scheme is in lower case.
    return urlsplit(url).geturl() if web_origin(url) else ""
