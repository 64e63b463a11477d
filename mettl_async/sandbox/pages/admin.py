"""The admin's pages: schedules, deliveries, faults, the clock; and what their buttons do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from attrs import fields
from starlette.responses import Response

from mettl_async.sandbox import events, lifecycle_rules, reports
from mettl_async.sandbox.candidates import candidate_link
from mettl_async.sandbox.deliveries import DeliveryRules
from mettl_async.sandbox.faults import VARIANTS, Faults
from mettl_async.sandbox.pages.rendering import page, problem, see_other
from mettl_async.sandbox.pages.visit import Visit
from mettl_async.sandbox.state import SandboxCandidate

SCHEDULES: Final = "/admin"
SCHEDULE: Final = "/admin/schedules"
DELIVERIES: Final = "/admin/deliveries"
FAULTS: Final = "/admin/faults"
CLOCK: Final = "/admin/clock"

ROWS: Final = 200
# What of an address stays when a button was pressed: the search, and the part of a long list.
_KEPT: Final = ("q", "p")
# What buttons do, by their texts.
SETTINGS: Final[dict[str, dict[str, float]]] = {
    "No faults": {},
    "Slow: 2 seconds for each request": {"latency": 2.0},
    "One request in ten fails": dict.fromkeys(VARIANTS, 0.1 / len(VARIANTS)),
    "Half of the requests fail": dict.fromkeys(VARIANTS, 0.5 / len(VARIANTS)),
}
SCRIPTS: Final = {
    "Throttle the next three": ("throttle",) * 3,
    "Lose the next answer": ("reset_after",),
    "Refuse the next with E607": ("E607",),
    "HTTP 502 for the next three": ("server_error:502",) * 3,
}
STEPS: Final = {"1 minute on": 60.0, "30 minutes on": 1800.0, "1 day on": 86400.0}
_MOST_SECONDS: Final = 10 * 365 * 86400.0
_LATEST: Final = 4102444800.0  # the year 2100


def show_schedules(visit: Visit) -> Response:
    """Answer the page of all schedules, newest first."""
    found = [
        one
        for one in visit.sandbox.schedules.values()
        if _matches(visit, one.name, one.access_key, one.assessment.name)
    ]
    return _page("admin_schedules.html", visit, SCHEDULES, found)


def show_schedule(visit: Visit) -> Response:
    """Answer the page of one schedule with its candidates, last registered first."""
    schedule = visit.sandbox.schedules.get(visit.access_key)
    if schedule is None:
        return problem(404, "No such schedule", "No schedule has this access key.")
    people = schedule.candidates.values()
    return _page(
        "admin_schedule.html",
        visit,
        f"{SCHEDULE}/{schedule.access_key}",
        [one for one in people if _matches(visit, one.email, one.name)],
        schedule=schedule,
        webhooks={name: schedule.settings.get(key) for name, key in events.URL_PROPERTIES.items()},
        has_basic_auth=bool(schedule.settings.get(events.AUTH_PROPERTY)),
        about=lambda candidate: _about(visit, candidate),
    )


def _about(visit: Visit, candidate: SandboxCandidate) -> dict[str, Any]:
    """Gather what the row of a candidate shows beside what the candidate has."""
    sandbox, now = visit.sandbox, visit.sandbox.clock.now()
    return {
        "link": candidate_link("", candidate.ecc),
        "reports": reports.links(candidate, pace=sandbox.pace, now=now, base_url=visit.base_url),
        "detailed_status": lifecycle_rules.ending(candidate, now).detailed,
        "can_start": not lifecycle_rules.why_not_start(candidate, now),
        "can_finish": candidate.status in ("ToBeTaken", "InProgress"),
        "can_resume": lifecycle_rules.may_resume(candidate),
    }


def change_candidate(visit: Visit) -> Response:
    """Start, finish or resume the test of one candidate."""
    person = visit.sandbox.person_of(visit.form.get("ecc", ""))
    if person is None or person.access_key != visit.access_key:
        return problem(404, "No such candidate", "The registration was deleted meanwhile.")
    here, action = f"{SCHEDULE}/{visit.access_key}", visit.form.get("action", "")
    steps = {"start": person.start, "finish": person.finish, "resume": person.resume}
    try:
        steps[action]()
    except (KeyError, ValueError):
        return _back(visit, here, refused="state")
    return _back(visit, here, done=action)


def show_deliveries(visit: Visit) -> Response:
    """Answer the page of deliveries to webhooks, newest first, and of their rules."""
    sandbox = visit.sandbox
    found = [
        one
        for one in sandbox.deliveries
        if _matches(visit, one.event_type, one.email, one.access_key, one.url, one.state)
    ]
    return _page(
        "admin_deliveries.html",
        visit,
        DELIVERIES,
        found,
        rules=sandbox.deliveries.rules,
        now=sandbox.clock.now(),
        readable=_readable,
    )


def _readable(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body.decode(errors="replace")


def change_deliveries(visit: Visit) -> Response:
    """Redeliver one, or change the rules."""
    form, deliveries = visit.form, visit.sandbox.deliveries
    if form.get("action") == "rules":
        try:
            deliveries.rules = DeliveryRules(
                max_attempts=int(_number(form, "max_attempts", 1000)),
                first_delay=_number(form, "first_delay"),
                timeout=_number(form, "timeout", 3600),
                duplicates=_number(form, "duplicates", 100),
                reorder="reorder" in form,
                hold=_number(form, "hold"),
            )
        except ValueError:
            return _back(visit, DELIVERIES, refused="number")
        return _back(visit, DELIVERIES, done="rules")
    try:
        deliveries.redeliver(int(form.get("number", "")[:9]))
    except (KeyError, ValueError):
        return problem(404, "No such delivery", "There is no delivery of this number.")
    return _back(visit, DELIVERIES, done="redeliver")


def show_faults(visit: Visit) -> Response:
    """Answer the page of faults."""
    faults = visit.sandbox.faults
    current = [
        (one.name, getattr(faults, one.name), one.default) for one in fields(Faults) if one.init
    ]
    return _page(
        "admin_faults.html",
        visit,
        FAULTS,
        changed={name: value for name, value, usual in current if value != usual},
        probabilities=VARIANTS,
        scripted=faults.scripted,
        buttons={"From now on": SETTINGS, "Once": SCRIPTS},
    )


def change_faults(visit: Visit) -> Response:
    """Set one of the ready faults; the clock's skew stays."""
    sandbox, action = visit.sandbox, visit.form.get("action", "")
    if action in SCRIPTS:
        sandbox.faults.script(SCRIPTS[action])
    elif action in SETTINGS:
        changed = Faults(clock_skew=sandbox.faults.clock_skew)
        for name, value in SETTINGS[action].items():
            setattr(changed, name, value)
        sandbox.faults = changed
    else:
        return problem(404, "No such fault", "There is no button of this name.")
    return _back(visit, FAULTS, done="faults")


def show_clock(visit: Visit) -> Response:
    """Answer the page of the clock and of the pace of grading."""
    clock, pace = visit.sandbox.clock, visit.sandbox.pace
    return _page("admin_clock.html", visit, CLOCK, clock=clock, pace=pace, steps=STEPS)


def change_clock(visit: Visit) -> Response:
    """Put the clock forward, or change the pace of grading."""
    sandbox, form = visit.sandbox, visit.form
    action = form.get("action", "")
    try:
        if action == "pace":
            grade, report = _number(form, "grade_delay"), _number(form, "report_delay")
            sandbox.pace.grade_delay, sandbox.pace.report_delay = grade, report
            return _back(visit, CLOCK, done="pace")
        seconds = STEPS[action] if action in STEPS else _number(form, "seconds")
    except ValueError:
        return _back(visit, CLOCK, refused="number")
    if sandbox.clock.now() + seconds > _LATEST:
        return _back(visit, CLOCK, refused="number")
    sandbox.clock.advance(seconds)
    return _back(visit, CLOCK, done="clock")


def _page(
    template: str, visit: Visit, here: str, found: Sequence[Any] = (), **values: Any
) -> Response:
    """Answer with a page of the admin; of a long list it shows the part that ``p`` asks for.

    Args:
        template: Name of the template.
        visit: What was asked for.
        here: Path of the page.
        found: The list, oldest first; it is shown newest first.
        values: What else the template shows.
    """
    query = visit.query
    parts = max(1, -(-len(found) // ROWS))
    asked = query.get("p", "")
    part = min(parts, max(1, int(asked[:9]))) if asked.isascii() and asked.isdecimal() else 1
    first = (part - 1) * ROWS
    return page(
        template,
        here=here,
        query=query,
        q=query.get("q", ""),
        kept={name: query[name] for name in _KEPT if query.get(name)},
        shown=found[::-1][first : first + ROWS],
        first=first + 1,
        total=len(found),
        part=part,
        parts=parts,
        **values,
    )


def _back(visit: Visit, here: str, **said: str) -> Response:
    """Send the browser back to the page of the button, which says what was done or refused."""
    kept = {name: visit.form[name] for name in _KEPT if visit.form.get(name)}
    return see_other(f"{here}?{urlencode(kept | said)}")


def _matches(visit: Visit, *texts: str) -> bool:
    """Tell whether what was searched for stands in any of the texts, case ignored."""
    word = visit.query.get("q", "").strip().lower()
    return any(word in text.lower() for text in texts)


def _number(form: Mapping[str, str], name: str, most: float = _MOST_SECONDS) -> float:
    value = float(form.get(name, ""))
    if not 0 <= value <= most:
        raise ValueError(name)
    return value
