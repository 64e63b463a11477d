"""The admin's pages of schedules, and of one schedule with its candidates."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mettl_async.sandbox import events, life, reports
from mettl_async.sandbox.candidates import candidate_link
from mettl_async.sandbox.pages.admin_frame import (
    admin_page,
    has_word,
    in_part,
    kept,
    schedule_path,
)
from mettl_async.sandbox.pages.html import Content, Html, tag
from mettl_async.sandbox.pages.layout import badge, button, card, facts, form, hidden, search
from mettl_async.sandbox.pages.paths import ADMIN

if TYPE_CHECKING:
    from mettl_async.sandbox.pages.web import Visit
    from mettl_async.sandbox.state import SandboxCandidate, Schedule

_KINDS = {"Completed": "good", "InProgress": "warn", "AccessRevoked": "bad"}


def schedules(visit: Visit) -> Html:
    """Make the page of all schedules, newest first."""
    q = visit.query.get("q", "")
    found = [
        one
        for one in reversed(list(visit.sandbox.schedules.values()))
        if has_word(q, one.name, one.access_key, one.assessment.name)
    ]
    shown, ways = in_part(found, ADMIN, visit.query)
    return admin_page(
        "Schedules",
        ADMIN,
        visit.query,
        search(ADMIN, "Name, assessment or access key", q),
        tag(
            "section", {"class": "card"}, tag("ul", {"class": "rows"}, map(_schedule, shown)), ways
        ),
    )


def _schedule(schedule: Schedule) -> Html:
    counts = Counter(one.status for one in schedule.candidates.values())
    link = tag("a", {"href": schedule_path(schedule.access_key)}, schedule.name)
    told = [badge(f"{n} {status}", _KINDS.get(status, "")) for status, n in counts.items()]
    return tag(
        "li",
        None,
        tag(
            "div",
            None,
            tag("h2", {"class": "row"}, link),
            tag(
                "p",
                {"class": "soft"},
                schedule.assessment.name,
                " · ",
                tag("code", None, schedule.access_key),
            ),
        ),
        tag("p", {"class": "buttons"}, told or tag("span", {"class": "soft"}, "no candidates")),
    )


def schedule(visit: Visit, found: Schedule) -> Html:
    """Make the page of one schedule with its candidates, last registered first."""
    path = schedule_path(found.access_key)
    q = visit.query.get("q", "")
    people = [
        one for one in reversed(list(found.candidates.values())) if has_word(q, one.email, one.name)
    ]
    shown, ways = in_part(people, path, visit.query)
    now = visit.sandbox.clock.now()
    return admin_page(
        found.name,
        ADMIN,
        visit.query,
        tag("section", {"class": "card"}, facts(_about(found))),
        search(path, "Name or email of a candidate", q),
        card(
            "Candidates",
            tag("ul", {"class": "rows"}, [_candidate(visit, path, one, now) for one in shown]),
            ways,
        ),
    )


def _about(found: Schedule) -> list[tuple[str, Content]]:
    told = [
        f"{event_type}: {url}"
        for event_type, key in events.URL_PROPERTIES.items()
        if (url := found.settings.get(key))
    ]
    authorised = bool(found.settings.get(events.AUTH_PROPERTY))
    return [
        ("Assessment", f"{found.assessment.name}, {found.assessment.duration} minutes"),
        ("Access key", tag("code", None, found.access_key)),
        ("Access", found.access_type),
        ("Webhooks", [tag("div", None, one) for one in told] or "none"),
        ("Basic auth", "sent with each webhook" if authorised else "not set"),
    ]


def _candidate(visit: Visit, path: str, one: SandboxCandidate, now: float) -> Html:
    link = candidate_link("", one.ecc)
    given = reports.links(one, pace=visit.sandbox.pace, now=now, base_url=visit.base_url)
    times = {"Started": one.started_at, "Finished": one.finished_at}
    return tag(
        "li",
        None,
        tag(
            "div",
            None,
            tag("h3", None, one.name.strip() or one.email),
            tag("p", None, one.email),
            [
                tag("p", {"class": "soft"}, f"{what} {life.gmt(at)}")
                for what, at in times.items()
                if at is not None
            ],
            tag(
                "p",
                {"class": "buttons"},
                tag("a", {"href": link}, "Candidate's page"),
                tag("a", {"href": given["htmlReport"]}, "Report") if given["htmlReport"] else None,
                tag("a", {"href": given["pdfReport"]}, "PDF") if given["pdfReport"] else None,
            ),
        ),
        tag("div", {"class": "side"}, _state(one, now), _buttons(visit, path, one, now)),
    )


def _state(one: SandboxCandidate, now: float) -> Html:
    how = life.ending(one, now)
    mode = f" ({one.finish_mode})" if one.finish_mode else ""
    kind = "bad" if life.may_resume(one) else _KINDS.get(one.status, "")
    lost = ", connection lost" if one.disconnected_at is not None else ""
    return tag(
        "p",
        None,
        badge(one.status, kind),
        " ",
        tag("span", {"class": "soft"}, how.detailed, mode, lost),
    )


def _buttons(visit: Visit, path: str, one: SandboxCandidate, now: float) -> Html | None:
    possible = []
    if not life.why_not_start(one, now):
        possible.append(("start", "Start"))
    if one.status in ("ToBeTaken", "InProgress"):
        possible.append(("finish", "Finish"))
    if life.may_resume(one):
        possible.append(("resume", "Allow to resume"))
    if not possible:
        return None
    return form(
        path,
        hidden("ecc", one.ecc),
        kept(visit.query),
        [button(value, text, label=f"{text}: {one.email}") for value, text in possible],
        kind="buttons",
    )
