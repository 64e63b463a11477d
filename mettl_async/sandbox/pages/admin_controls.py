"""The admin's pages of what can be switched: faults, the clock, the pace of grading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import fields, frozen

from mettl_async.sandbox.faults import VARIANTS, Faults
from mettl_async.sandbox.life import gmt
from mettl_async.sandbox.pages.admin_frame import CLOCK, FAULTS, admin_page
from mettl_async.sandbox.pages.html import Html, tag
from mettl_async.sandbox.pages.layout import button, card, facts, form, number

if TYPE_CHECKING:
    from mettl_async.sandbox.pages.web import Visit

STEPS: Final = {
    "minute": ("1 minute on", 60.0),
    "half-hour": ("30 minutes on", 1800.0),
    "day": ("1 day on", 86400.0),
}
LATEST: Final = 4102444800.0  # the year 2100
_ONE_IN_TEN: Final = 0.1 / len(VARIANTS)


@frozen
class Preset:
    """Faults behind one button: a new setting, or a script for the next requests."""

    text: str
    setting: dict[str, float] | None = None
    script: tuple[str, ...] = ()


PRESETS: Final = {
    "off": Preset("No faults", {}),
    "slow": Preset("Slow: 2 seconds for each request", {"latency": 2.0}),
    "some": Preset("One request in ten fails", dict.fromkeys(VARIANTS, _ONE_IN_TEN)),
    "many": Preset("Half of the requests fail", dict.fromkeys(VARIANTS, 0.5 / len(VARIANTS))),
    "throttle": Preset("Throttle the next three", script=("throttle",) * 3),
    "lost": Preset("Lose the next answer", script=("reset_after",)),
    "limit": Preset("Refuse the next with E607", script=("E607",)),
    "down": Preset("HTTP 502 for the next three", script=("server_error:502",) * 3),
}


def faults(visit: Visit) -> Html:
    """Make the page of faults."""
    current = visit.sandbox.faults
    set_now = [
        (one.name, f"{getattr(current, one.name):g}")
        for one in fields(Faults)
        if one.init and getattr(current, one.name) != one.default
    ]
    if current.scripted:
        set_now.append(("next requests", f"{current.scripted} scripted"))
    return admin_page(
        "Faults",
        FAULTS,
        visit.query,
        tag(
            "p", None, "Faults happen to requests to the API, never to these pages or to webhooks."
        ),
        card("In force", facts(set_now) if set_now else tag("p", None, "No faults.")),
        card("From now on", _buttons(lasting=True)),
        card("Once", _buttons(lasting=False)),
    )


def _buttons(*, lasting: bool) -> Html:
    return form(
        FAULTS,
        [
            button(name, preset.text)
            for name, preset in PRESETS.items()
            if (preset.setting is not None) == lasting
        ],
        kind="buttons grow",
    )


def clock(visit: Visit) -> Html:
    """Make the page of the clock and of the pace of grading."""
    sandbox = visit.sandbox
    return admin_page(
        "Clock",
        CLOCK,
        visit.query,
        tag(
            "div",
            {"class": "columns"},
            card(
                "The sandbox's time",
                tag("p", {"class": "time"}, gmt(sandbox.clock.now())),
                tag(
                    "p",
                    {"class": "soft"},
                    f"{sandbox.clock.ahead:g} seconds ahead of this machine. What is due on the way happens; a client whose clock is a day behind is refused with E504.",
                ),
                form(
                    CLOCK,
                    [button(name, text) for name, (text, _) in STEPS.items()],
                    kind="buttons space",
                ),
                form(
                    CLOCK,
                    number("seconds", "Seconds", "60", step="any"),
                    button("advance", "Put forward"),
                    kind="line",
                ),
            ),
            card(
                "Grading",
                form(
                    CLOCK,
                    number(
                        "grade_delay",
                        "Seconds from the end of a test to its result",
                        f"{sandbox.grade_delay:g}",
                        step="any",
                    ),
                    number(
                        "report_delay",
                        "Seconds to its reports",
                        f"{sandbox.report_delay:g}",
                        step="any",
                    ),
                    button("pace", "Change the pace"),
                ),
            ),
        ),
    )
