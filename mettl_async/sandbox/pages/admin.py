"""What the admin's pages do when a button is pressed, and which page answers which address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mettl_async.sandbox.deliveries import DeliveryRules
from mettl_async.sandbox.faults import Faults
from mettl_async.sandbox.pages import admin_controls, admin_deliveries, admin_schedules
from mettl_async.sandbox.pages.admin_frame import (
    CLOCK,
    DELIVERIES,
    FAULTS,
    KEPT,
    address,
    schedule_path,
)
from mettl_async.sandbox.pages.web import Reply, Visit, problem, see_other

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_SECONDS = 10 * 365 * 86400.0


def show_schedules(visit: Visit) -> Reply:
    """Answer ``/admin``."""
    return Reply(body=admin_schedules.schedules(visit))


def show_schedule(visit: Visit) -> Reply:
    """Answer the page of one schedule."""
    found = visit.sandbox.schedules.get(visit.path["access_key"])
    if found is None:
        return problem(404, "No such schedule", "No schedule has this access key.")
    return Reply(body=admin_schedules.schedule(visit, found))


def change_candidate(visit: Visit) -> Reply:
    """Start, finish or resume the test of one candidate."""
    person = visit.sandbox.person_of(visit.form.get("ecc", ""))
    key = visit.path["access_key"]
    if person is None or person.candidate.access_key != key:
        return problem(404, "No such candidate", "The registration was deleted meanwhile.")
    done = ""
    try:
        match visit.form.get("action"):
            case "start":
                person.start()
                done = "started"
            case "finish":
                person.finish()
                done = "finished"
            case "resume":
                person.resume()
                done = "resumed"
    except ValueError:
        done = ""
    return _back(visit, schedule_path(key), done, "state")


def show_deliveries(visit: Visit) -> Reply:
    """Answer the page of deliveries."""
    return Reply(body=admin_deliveries.deliveries(visit))


def change_deliveries(visit: Visit) -> Reply:
    """Redeliver one, or change the rules."""
    sent = visit.form
    if sent.get("action") == "rules":
        return _back(visit, DELIVERIES, _set_rules(visit), "number")
    try:
        visit.sandbox.deliveries.redeliver(int(sent.get("number", "")[:9]))
    except (KeyError, ValueError):
        return problem(404, "No such delivery", "There is no delivery of this number.")
    return _back(visit, DELIVERIES, "redelivered", "")


def _set_rules(visit: Visit) -> str:
    sent = visit.form
    try:
        wanted = DeliveryRules(
            max_attempts=int(_number(sent, "max_attempts", 1000)),
            first_delay=_number(sent, "first_delay", _MOST_SECONDS),
            timeout=_number(sent, "timeout", 3600),
            duplicates=_number(sent, "duplicates", 100),
            reorder="reorder" in sent,
            hold=_number(sent, "hold", _MOST_SECONDS),
        )
    except ValueError:
        return ""
    visit.sandbox.delivery_rules = wanted
    return "rules"


def show_faults(visit: Visit) -> Reply:
    """Answer the page of faults."""
    return Reply(body=admin_controls.faults(visit))


def change_faults(visit: Visit) -> Reply:
    """Set one of the ready faults; the clock's skew stays."""
    preset = admin_controls.PRESETS.get(visit.form.get("action", ""))
    if preset is None:
        return problem(404, "No such fault", "There is no button of this name.")
    sandbox = visit.sandbox
    if preset.setting is None:
        sandbox.faults.script(preset.script)
    else:
        changed = Faults(clock_skew=sandbox.faults.clock_skew)
        for name, value in preset.setting.items():
            setattr(changed, name, value)
        sandbox.faults = changed
    return _back(visit, FAULTS, "faults", "")


def show_clock(visit: Visit) -> Reply:
    """Answer the page of the clock."""
    return Reply(body=admin_controls.clock(visit))


def change_clock(visit: Visit) -> Reply:
    """Put the clock forward, or change the pace of grading."""
    sandbox, sent = visit.sandbox, visit.form
    action = sent.get("action", "")
    try:
        if action == "pace":
            grade = _number(sent, "grade_delay", _MOST_SECONDS)
            report = _number(sent, "report_delay", _MOST_SECONDS)
            sandbox.grade_delay, sandbox.report_delay = grade, report
            return _back(visit, CLOCK, "pace", "")
        _, seconds = admin_controls.STEPS.get(action) or (
            "",
            _number(sent, "seconds", _MOST_SECONDS),
        )
    except ValueError:
        return _back(visit, CLOCK, "", "number")
    if sandbox.clock.now() + seconds > admin_controls.LATEST:
        return _back(visit, CLOCK, "", "number")
    sandbox.clock.advance(seconds)
    return _back(visit, CLOCK, "clock", "")


def _number(sent: Mapping[str, str], name: str, most: float) -> float:
    value = float(sent.get(name, ""))
    if not 0 <= value <= most:
        raise ValueError(name)
    return value


def _back(visit: Visit, path: str, done: str, why_not: str) -> Reply:
    kept = {name: visit.form.get(name, "") for name in KEPT}
    told = {"done": done} if done else {"refused": why_not}
    return see_other(address(path, {**kept, **told}))
