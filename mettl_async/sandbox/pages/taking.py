"""What a candidate's link answers, and what its buttons do."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mettl_async.sandbox import reports
from mettl_async.sandbox.pages import candidate
from mettl_async.sandbox.pages.paths import ENDED
from mettl_async.sandbox.pages.web import Reply, Visit, problem, see_other, web_origin

if TYPE_CHECKING:
    from mettl_async.sandbox.candidates import PersonView, SandboxPerson


def show_test(visit: Visit) -> Reply:
    """Answer a registration link; looking changes nothing.

    A link that is used up or expired answers HTTP 410, one that never was 404; both [assumed].
    """
    person = _person(visit)
    if person is None:
        return _unknown()
    view = person.view
    if view.can_start:
        return Reply(body=candidate.to_start(person, view))
    if view.can_reconnect:
        return Reply(body=candidate.disconnected(person, view))
    if view.can_finish:
        target = _way_out(person)
        return Reply(
            body=candidate.running(person, view), form_target=target and web_origin(target)
        )
    if view.can_resume or view.status != "Completed":
        title = "Test expired" if view.can_resume else "This link is closed"
        return Reply(status=410, body=candidate.closed(title, view.why_not))
    way = (_end_of(person), "How the test ended")
    return Reply(status=410, body=candidate.closed("This link is closed", view.why_not, way))


def take_step(visit: Visit) -> Reply:
    """Do what a button of the link's page says, then send the browser on to see what came of it."""
    person = _person(visit)
    if person is None:
        return _unknown()
    action = visit.form.get("action", "")
    view = person.view  # also makes happen what is due
    try:
        if action == "start" and not view.can_finish:  # pressed twice, it has started already
            person.start()
        elif action == "disconnect":
            person.disconnect()
        elif action == "reconnect" and not view.can_finish:
            person.reconnect()
        elif action in candidate.ENDS:
            return _end(person, view, action)
        elif action not in ("start", "reconnect"):
            return problem(400, "Not understood", "There is no button of this name.")
    except ValueError:
        text = view.why_not or "That isn't possible now: the test has gone on meanwhile."
        way = (candidate.link_of(person), "Back to your test")
        return Reply(status=409, body=candidate.closed("Not possible now", text, way))
    return see_other(candidate.link_of(person))


def _end(person: SandboxPerson, view: PersonView, action: str) -> Reply:
    if view.status == "Completed" and not view.can_resume:  # pressed twice, or the time ran out
        return see_other(_end_of(person))
    if not view.can_finish:
        raise ValueError("only a test that runs can end")
    person.finish(candidate.ENDS[action][1])
    leave = _way_out(person)
    # [doc] for the button Finish Test; that other ends lead nowhere by themselves is [assumed]
    if action == "finish" and leave is not None:
        return see_other(leave)
    return see_other(_end_of(person))


def show_end(visit: Visit) -> Reply:
    """Answer the page after the end; before it, send the browser to the link."""
    person = _person(visit)
    if person is None:
        return _unknown()
    view = person.view
    if view.status != "Completed" or view.can_resume:
        return see_other(candidate.link_of(person))
    report = None
    if person.schedule.assessment.show_report_on_exit:
        sandbox = visit.sandbox
        report = reports.links(
            person.candidate, pace=sandbox.pace, now=sandbox.clock.now(), base_url=visit.base_url
        )["htmlReport"]
    return Reply(body=candidate.ended(person, view, _way_out(person), report))


def show_schedule(visit: Visit) -> Reply:
    """Answer a schedule's access URL.

    Mettl's is a link to share [doc]; that it gives nobody a test here is the sandbox's own.
    """
    found = visit.sandbox.schedules.get(visit.path["access_key"])
    if found is None:
        return problem(404, "No such test", "No schedule has this access key.")
    return Reply(body=candidate.schedule_without_link(found))


def _person(visit: Visit) -> SandboxPerson | None:
    return visit.sandbox.person_of(visit.query.get("ecc", ""))


def _end_of(person: SandboxPerson) -> str:
    return f"{ENDED}?ecc={person.candidate.ecc}"


def _unknown() -> Reply:
    return problem(404, "No such link", "Nobody has this link. Is it complete?")


def _way_out(person: SandboxPerson) -> str | None:
    """Give ``exitRedirectionURL`` if a browser may be sent there: the API takes any text."""
    url = (person.schedule.assessment.exit_redirection_url or "").strip()
    # Put together again, the scheme is in lower case.
    return urlsplit(url).geturl() if web_origin(url) else None
