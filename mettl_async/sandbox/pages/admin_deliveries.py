"""The admin's page of deliveries to webhooks, and of the rules they follow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mettl_async.sandbox.life import gmt
from mettl_async.sandbox.pages.admin_frame import (
    DELIVERIES,
    admin_page,
    has_word,
    in_part,
    kept,
)
from mettl_async.sandbox.pages.html import Html, tag
from mettl_async.sandbox.pages.layout import (
    badge,
    button,
    card,
    check,
    form,
    hidden,
    number,
    search,
)

if TYPE_CHECKING:
    from mettl_async.sandbox.deliveries import Attempt, Delivery, DeliveryRules
    from mettl_async.sandbox.pages.web import Visit

_KINDS = {"delivered": "good", "given up": "bad", "pending": "warn", "held": "warn"}


def deliveries(visit: Visit) -> Html:
    """Make the page of all deliveries, newest first."""
    q = visit.query.get("q", "")
    found = [
        one
        for one in reversed(list(visit.sandbox.deliveries))
        if has_word(q, one.event_type, one.email, one.access_key, one.url, one.state)
    ]
    shown, ways = in_part(found, DELIVERIES, visit.query)
    return admin_page(
        "Deliveries",
        DELIVERIES,
        visit.query,
        search(DELIVERIES, "Event, email, access key, URL or state", q),
        tag(
            "section",
            {"class": "card"},
            tag("ul", {"class": "rows"}, [_delivery(visit, one) for one in shown]),
            ways,
            tag("p", {"class": "soft"}, "Reload the page for what happened since."),
        ),
        card("Rules of delivery", _rules(visit.sandbox.delivery_rules)),
    )


def _delivery(visit: Visit, one: Delivery) -> Html:
    again = "Send now" if one.open else "Redeliver"
    repeats = f", repeats number {one.duplicate_of} on purpose" if one.duplicate_of else ""
    return tag(
        "li",
        None,
        tag(
            "div",
            None,
            tag("h2", {"class": "row"}, f"{one.number}. {one.event_type}"),
            tag("p", None, f"{one.email}{repeats}"),
            tag("p", {"class": "soft"}, f"to {one.url}"),
        ),
        tag(
            "div",
            {"class": "side"},
            tag("p", None, badge(one.state, _KINDS.get(one.state, ""))),
            form(
                DELIVERIES,
                hidden("number", str(one.number)),
                kept(visit.query),
                button("redeliver", again, label=f"{again}: number {one.number}"),
            ),
        ),
        tag(
            "div",
            {"class": "wide"},
            tag("ul", {"class": "plain"}, [_attempt(tried) for tried in one.attempts])
            if one.attempts
            else None,
            tag("p", {"class": "soft"}, f"Due {gmt(one.due_at)}") if one.open else None,
            tag(
                "details",
                None,
                tag("summary", None, f"Payload of number {one.number}"),
                tag("pre", {"tabindex": "0"}, _readable(one.body)),
            ),
        ),
    )


def _attempt(tried: Attempt) -> Html:
    came = f"HTTP {tried.status}" if tried.status is not None else tried.problem or "no answer"
    return tag("li", None, f"{gmt(tried.at)}: {came}")


def _readable(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body.decode(errors="replace")


def _rules(rules: DeliveryRules) -> Html:
    return form(
        DELIVERIES,
        tag(
            "p",
            {"class": "soft"},
            "Whether Mettl repeats a delivery, and when, isn't known: all of this is assumed.",
        ),
        tag(
            "div",
            {"class": "columns"},
            number("max_attempts", "Tries of each delivery", f"{rules.max_attempts}", least="1"),
            number(
                "first_delay",
                "Seconds before the second try, then doubled",
                f"{rules.first_delay:g}",
                step="any",
            ),
            number(
                "timeout", "Seconds that the receiver may take", f"{rules.timeout:g}", step="any"
            ),
            number(
                "duplicates",
                "Duplicates of each event, such as 1 or 0.25",
                f"{rules.duplicates:g}",
                step="any",
            ),
            number("hold", "Seconds to hold when reordering", f"{rules.hold:g}", step="any"),
        ),
        check("reorder", "Reorder the events of a candidate", checked=rules.reorder),
        button("rules", "Change the rules", "main"),
    )
