"""What a candidate sees, as markup: before, during and after the test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mettl_async.sandbox.candidates import candidate_link
from mettl_async.sandbox.pages.html import Content, Html, tag
from mettl_async.sandbox.pages.layout import CANDIDATES, button, card, facts, form, note, page

if TYPE_CHECKING:
    from mettl_async.sandbox.candidates import PersonView, SandboxPerson
    from mettl_async.sandbox.state import Schedule

# How a candidate's test may end here, by the button's value: its text and the finish mode.
ENDS: Final = {
    "finish": ("Finish test", "NormalSubmission"),
    "time": ("Let time run out", "TimeExpired"),
    "browsing": ("Exceed browsing tolerance", "BrowsingToleranceExceeded"),
    "proctor": ("Be stopped by the proctor", "ProctoredFinish"),
}
_TOLD: Final = {
    "NormalSubmission": "You have finished the test. Thank you.",
    "TimeExpired": "The time is over, and your answers were submitted.",
    "BrowsingToleranceExceeded": "The test was stopped: you left its window too often.",
    "ProctoredFinish": "The test was stopped by the proctor.",
    "SuspiciousSoftwareFinish": "The test was stopped: suspicious software was detected.",
    "Blocked": "You were not admitted to the test.",
}


def to_start(person: SandboxPerson, view: PersonView) -> Html:
    """Make the page before the start, and before going on with a resumed test."""
    told = (
        note("An administrator allows you to go on from where your test stopped.")
        if view.resumed
        else None
    )
    text = "Go on with the test" if view.resumed else "Start the test"
    return page(
        CANDIDATES,
        view.assessment_name,
        told,
        tag(
            "section",
            {"class": "card"},
            facts(_who(person, view)),
            tag("p", {"class": "lines"}, view.instructions) if view.instructions else None,
            form(link_of(person), button("start", text, "main"), kind="buttons grow"),
        ),
        tag(
            "p",
            {"class": "soft"},
            "The link is for you alone and for one time. Time runs from the start on.",
        ),
    )


def running(person: SandboxPerson, view: PersonView) -> Html:
    """Make the page of a test that runs."""
    return page(
        CANDIDATES,
        f"{view.assessment_name}: test in progress",
        card(
            "Time left",
            tag("p", {"class": "big"}, duration(view.seconds_left)),
            tag("p", {"class": "soft"}, "As of when this page was loaded; reload it to see again."),
            tag("p", None, "Here the questions would be. The sandbox answers them for you."),
            form(link_of(person), button("finish", ENDS["finish"][0], "main"), kind="buttons grow"),
        ),
        card(
            "What else can happen",
            form(
                link_of(person),
                button("time", ENDS["time"][0]),
                button("disconnect", "Lose connection"),
                button("browsing", ENDS["browsing"][0], "danger"),
                button("proctor", ENDS["proctor"][0], "danger"),
                kind="buttons grow",
            ),
        ),
        head=view.assessment_name,
    )


def disconnected(person: SandboxPerson, view: PersonView) -> Html:
    """Make the page of a test whose connection is lost and that can go on."""
    return page(
        CANDIDATES,
        "Connection lost",
        note("Your test stands still. Refresh this link within 30 minutes to go on.", bad=True),
        tag(
            "section",
            {"class": "card"},
            facts(
                [
                    ("Assessment", view.assessment_name),
                    ("Time left in the test", duration(view.seconds_left)),
                    ("Time left to come back", duration(view.reconnect_seconds)),
                ]
            ),
            form(link_of(person), button("reconnect", "Come back", "main"), kind="buttons grow"),
        ),
        tag("p", {"class": "soft"}, "After that only an administrator can let you go on."),
    )


def ended(person: SandboxPerson, view: PersonView, leave: str | None, report: str | None) -> Html:
    """Make the page after the end; ``leave`` and ``report`` are addresses to go on to."""
    ways = [
        tag("a", {"href": leave, "class": "go"}, "Continue") if leave else None,
        tag("a", {"href": report}, "Your report") if report else None,
    ]
    mode = person.candidate.finish_mode or ""
    return page(
        CANDIDATES,
        "The test is over",
        note(_TOLD.get(mode, "The test is over.")),
        tag(
            "section",
            {"class": "card"},
            facts(_who(person, view)),
            tag("p", {"class": "buttons"}, ways) if leave or report else None,
            tag("p", {"class": "soft"}, "Your link was used and opens no test again."),
        ),
    )


def closed(title: str, text: str, way: tuple[str, str] | None = None) -> Html:
    """Make the page of a link that opens nothing; ``way`` is an address to go on to, and its name."""
    onward = None if way is None else tag("p", None, tag("a", {"href": way[0]}, way[1]))
    return page(CANDIDATES, title, note(text, bad=True), onward)


def schedule_without_link(found: Schedule) -> Html:
    """Make the page of a schedule's own address."""
    told = [
        ("Schedule", found.name),
        ("Assessment", f"{found.assessment.name}, {_minutes(found.assessment.duration)}"),
        ("Access key", tag("code", None, found.access_key)),
    ]
    return page(
        CANDIDATES,
        found.name,
        note("To take this test you need a link of your own: ask whoever invited you."),
        tag("section", {"class": "card"}, facts(told)),
        tag(
            "p",
            {"class": "soft"},
            "For developers: registering a candidate in this schedule gives the link.",
        ),
    )


def _who(person: SandboxPerson, view: PersonView) -> list[tuple[str, Content]]:
    return [
        ("Candidate", view.name or person.email),
        ("Email", person.email),
        ("Assessment", view.assessment_name),
        ("Time", _minutes(view.minutes)),
    ]


def _minutes(minutes: int) -> str:
    if not minutes:
        return "as long as you like"
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def duration(seconds: float | None) -> str:
    """Write a length of time, such as ``1 h 02 min 05 s``; None is any length."""
    if seconds is None:
        return "as long as you like"
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min {rest:02} s" if hours else f"{minutes} min {rest:02} s"


def link_of(person: SandboxPerson) -> str:
    """Give the address of a candidate's pages on this host."""
    return candidate_link("", person.candidate.ecc)
