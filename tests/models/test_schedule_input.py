import math
import pickle
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from ipaddress import IPv4Address, IPv6Address
from zoneinfo import ZoneInfo

import attrs
import pytest

from mettl_async.errors import InvalidInputError
from mettl_async.models import (
    EVENTS,
    Access,
    AccessEdit,
    AccessType,
    BasicAuth,
    FixedAccessOption,
    InvitedCandidate,
    IpAccessRestriction,
    IpRange,
    IpRestrictionType,
    NewSchedule,
    Protection,
    ScheduleEdit,
    ScheduleType,
    ScheduleWindow,
    TestEvent,
    TestGraded,
    TestGradeNotification,
    TestStarted,
    VisualProctoring,
    VisualProctoringMode,
    Webhooks,
    WebProctoring,
)

KOLKATA = ZoneInfo("Asia/Kolkata")
START, END = datetime(2022, 2, 7, 12, tzinfo=KOLKATA), datetime(2022, 2, 11, 18, tzinfo=KOLKATA)


def invited(email="a@x.org", **more):
    return InvitedCandidate(email=email, name="A", **more)


def window(**changes):
    return ScheduleWindow(**({"starts_at": START, "ends_at": END} | changes))


def new(**changes):
    return NewSchedule(
        **({"name": "N", "source_app": "S", "access": Access.open_for_all()} | changes)
    )


def refused(path, problem, make):
    with pytest.raises(InvalidInputError) as caught:
        make()
    assert caught.value.field == path
    assert problem in caught.value.problem
    assert caught.value.fix


# --- access


def test_by_invitation_takes_any_iterable():
    access = Access.by_invitation(invited(f"{i}@x.org") for i in range(3))
    assert [one.email for one in access.candidates] == ["0@x.org", "1@x.org", "2@x.org"]


@pytest.mark.parametrize("value", [None, "a@x.org", b"x", 3, {"email": "a@x.org"}])
def test_candidates_are_a_list(value):
    refused("access.candidates", "expected a list", lambda: Access.by_invitation(value))
    refused("access.add", "expected a list", lambda: AccessEdit.by_invitation(add=value))
    refused("access.remove", "expected a list", lambda: AccessEdit.by_invitation(remove=value))


def test_invitations_need_someone_and_nobody_twice():
    refused("access.candidates", "is empty", lambda: Access.by_invitation([]))
    pair = [invited("a@x.org"), invited("b@x.org"), invited("A@X.org")]
    refused("access.candidates[2].email", "item 0", lambda: Access.by_invitation(pair))
    refused("access.add[2].email", "item 0", lambda: AccessEdit.by_invitation(add=pair))
    refused("access.remove[1]", "item 0", lambda: AccessEdit.by_invitation(remove=["a@x", "A@x"]))
    refused("access.candidates[0]", "got dict", lambda: Access.by_invitation([{"email": "a@x"}]))
    refused("access.remove[0]", "not an email", lambda: AccessEdit.by_invitation(remove=["ax"]))


def test_an_edit_refuses_one_both_added_and_removed_and_extra_time():
    refused(
        "access.add[0].email",
        "also in remove",
        lambda: AccessEdit.by_invitation(add=[invited("a@X.org")], remove=["A@x.org"]),
    )
    refused(
        "access.add[0].compensatory_time",
        "not taken",
        lambda: AccessEdit.by_invitation(add=[invited(compensatory_time=5)]),
    )


@pytest.mark.parametrize("name", ["send_email", "is_candidate_crf_prefilled"])
def test_mail_and_prefilled_fields_only_go_with_invitations(name):
    open_for_all = AccessType.OPEN_FOR_ALL
    refused(f"access.{name}", "by invitation", lambda: Access(type=open_for_all, **{name: True}))
    refused(
        f"access.{name}", "by invitation", lambda: AccessEdit(type=open_for_all, **{name: True})
    )
    refused(
        f"access.{name}", "expected bool", lambda: Access.by_invitation([invited()], **{name: 1})
    )


def test_open_for_all_has_no_candidates():
    refused(
        "access.candidates",
        "by invitation",
        lambda: Access(type=AccessType.OPEN_FOR_ALL, candidates=[invited()]),
    )
    refused("access.type", "expected AccessType", lambda: Access(type="OpenForAll"))


# --- window


def test_naive_moments_take_the_zone():
    naive = window(
        starts_at=START.replace(tzinfo=None), ends_at=END.replace(tzinfo=None), time_zone=KOLKATA
    )
    assert naive == window()
    assert naive.starts_at.tzinfo is KOLKATA


class Strange(tzinfo):
    def utcoffset(self, _moment):
        return timedelta(hours=1)


def test_one_zone_that_has_a_name_or_an_offset():
    naive, path = START.replace(tzinfo=None), "schedule_window.time_zone"
    refused("schedule_window.starts_at", "no time zone", lambda: window(starts_at=naive))
    refused("schedule_window.ends_at", "no time zone", lambda: window(ends_at=naive))
    refused(path, "one zone", lambda: window(ends_at=END.astimezone(UTC)))
    refused(path, "one zone", lambda: window(time_zone=UTC))
    refused(path, "expected tzinfo", lambda: window(time_zone="Asia/Kolkata"))
    both = {"starts_at": naive, "ends_at": END.replace(tzinfo=None)}
    refused(path, "Strange", lambda: window(**both, time_zone=Strange()))
    for odd in (
        timedelta(hours=14, minutes=1),
        timedelta(hours=-12, minutes=-1),
        timedelta(seconds=90),
    ):
        refused(path, "offset", lambda odd=odd: window(**both, time_zone=timezone(odd)))
    for fine in (timedelta(hours=14), timedelta(hours=-12), timedelta(0)):
        assert window(**both, time_zone=timezone(fine)).starts_at.utcoffset() == fine


def test_moments_are_whole_seconds_in_order():
    refused(
        "schedule_window.starts_at",
        "parts of a second",
        lambda: window(starts_at=START.replace(microsecond=1)),
    )
    refused("schedule_window.ends_at", "not after", lambda: window(ends_at=START))
    refused("schedule_window.starts_at", "got str", lambda: window(starts_at="2022-02-07"))
    refused("schedule_window.starts_at", "got date", lambda: window(starts_at=START.date()))
    refused(
        "schedule_window.fixed_access_option",
        "expected FixedAccessOption",
        lambda: window(fixed_access_option="SlotWise"),
    )


def test_slots_may_pass_midnight_but_not_be_empty():
    slots = FixedAccessOption.SLOT_WISE
    overnight = window(
        starts_at=START.replace(hour=22), ends_at=END.replace(hour=2), fixed_access_option=slots
    )
    assert overnight.ends_at.hour == 2
    refused(
        "schedule_window.ends_at",
        "empty slot",
        lambda: window(ends_at=END.replace(hour=12), fixed_access_option=slots),
    )


# --- proctoring, addresses, notifications


def test_web_proctoring_counts_from_nought():
    assert WebProctoring(count=0).enabled
    refused("web_proctoring.count", "below 0", lambda: WebProctoring(count=-1))
    for wrong in (True, 1.0, "1"):
        refused(
            "web_proctoring.count", "expected int", lambda wrong=wrong: WebProctoring(count=wrong)
        )
    refused("web_proctoring.enabled", "expected bool", lambda: WebProctoring(enabled="yes"))
    refused(
        "web_proctoring.show_remaining_counts",
        "expected bool",
        lambda: WebProctoring(show_remaining_counts=1),
    )


def test_visual_options_need_the_mode():
    off, photo = VisualProctoringMode.OFF, VisualProctoringMode.PHOTO
    path = "visual_proctoring.candidate_screen_capture"
    refused(path, "to be on", lambda: VisualProctoring(mode=off, candidate_screen_capture=True))
    refused(
        path, "expected bool", lambda: VisualProctoring(mode=photo, candidate_screen_capture="no")
    )
    assert VisualProctoring(mode=off, candidate_screen_capture=False).mode is off
    unknown = VisualProctoringMode("HOLOGRAM")
    refused("visual_proctoring.mode", "expected", lambda: VisualProctoring(mode=unknown))


def test_addresses_are_ipv4_in_order():
    assert IpAccessRestriction.single("192.0.2.7").ip == IPv4Address("192.0.2.7")
    assert IpRange(start="1.1.1.1", end=IPv4Address("1.1.1.1")).end == IPv4Address("1.1.1.1")
    refused("ip_range.end", "before start", lambda: IpRange(start="1.1.1.2", end="1.1.1.1"))
    for v6 in ("::1", IPv6Address("::1")):
        refused("ip_range.start", "IPv6", lambda v6=v6: IpRange(start=v6, end="1.1.1.1"))
    for wrong in ("256.1.1.1", "1.1.1", "", 3232235777, None, "example.org", "1.1.1.01"):
        refused(
            "ip_range.start", "not an IPv4", lambda wrong=wrong: IpRange(start=wrong, end="1.1.1.1")
        )


def test_parts_of_an_ip_restriction_fit_together():
    path, single = "ip_access_restriction.type", IpRestrictionType.SINGLE
    refused(path, "fit together", IpAccessRestriction.range)
    refused(path, "fit together", lambda: IpAccessRestriction(enabled=True))
    refused(
        path, "fit together", lambda: IpAccessRestriction(enabled=False, type=single, ip="1.1.1.1")
    )
    refused(path, "fit together", lambda: IpAccessRestriction(enabled=True, type=single))
    refused(
        "ip_access_restriction.ranges[0]", "got str", lambda: IpAccessRestriction.range("1.1.1.1")
    )
    refused("ip_access_restriction.ip", "not an IPv4", lambda: IpAccessRestriction.single("x"))


def test_result_mails_need_recipients():
    path = "test_grade_notification.recipients"
    refused(path, "is empty", lambda: TestGradeNotification(recipients=[]))
    refused(path, "expected a list", lambda: TestGradeNotification(recipients="a@x.org"))
    refused(
        f"{path}[1]", "not an email", lambda: TestGradeNotification(recipients=["a@x.org", "b"])
    )
    refused(
        f"{path}[1]", "item 0", lambda: TestGradeNotification(recipients=["a@x.org", "A@x.org"])
    )
    refused(
        "test_grade_notification.enabled", "expected bool", lambda: TestGradeNotification(enabled=0)
    )
    assert TestGradeNotification(enabled=False).recipients == ()


@pytest.mark.parametrize(
    "url",
    [
        "example.org/x", "ftp://example.org", "https://", "https://:80/x", "//example.org", "https://a b/x",
        "https://x.org/\n", " https://x.org", "https://x.org:99999/", "https://[::1/", "", 3, b"https://x.org",
        "https://x.org/\ud800",
    ],
)  # fmt: skip
def test_webhook_urls_are_absolute(url):
    refused("webhooks.urls[TestGraded]", "", lambda: Webhooks(urls={TestGraded: url}))


def test_all_events_can_go_to_one_url():
    auth = BasicAuth(username="u", password="p")
    hooks = Webhooks.all_to("https://ats.example/hook", basic_auth=auth)
    assert dict(hooks.urls) == dict.fromkeys(EVENTS, "https://ats.example/hook")
    assert hooks.basic_auth == auth
    with pytest.raises(InvalidInputError):
        Webhooks.all_to("/hook")


def test_webhooks_have_something_set():
    refused("webhooks", "nothing set", Webhooks)
    refused("webhooks.urls", "mapping", lambda: Webhooks(urls="https://x.org"))
    for key in (TestEvent, "TestGraded", None):
        refused(
            "webhooks.urls",
            "class of events",
            lambda key=key: Webhooks(urls={key: "https://x.org"}),
        )
    refused("webhooks.basic_auth", "expected BasicAuth", lambda: Webhooks(basic_auth=("u", "p")))
    refused(
        "webhooks.basic_auth.username", "colon", lambda: BasicAuth(username="a:b", password="p")
    )
    refused("webhooks.basic_auth.password", "blank", lambda: BasicAuth(username="a", password=""))
    assert Webhooks(urls={TestStarted: "http://localhost:8000/x?y=1#z"})


# --- schedules


def test_the_type_follows_from_the_window():
    assert new().schedule_type is ScheduleType.ALWAYS_ON
    assert new(schedule_window=window()).schedule_type is ScheduleType.FIXED
    assert ScheduleEdit(schedule_window=window()).schedule_type is ScheduleType.FIXED
    assert ScheduleEdit(name="x").schedule_type is None
    always, fixed = ScheduleType.ALWAYS_ON, ScheduleType.FIXED
    for make in (new, ScheduleEdit):
        refused(
            "schedule_type",
            "AlwaysOn",
            lambda make=make: make(schedule_type=always, schedule_window=window()),
        )
        refused("schedule_window", "is missing", lambda make=make: make(schedule_type=fixed))


@pytest.mark.parametrize("make", [new, ScheduleEdit])
@pytest.mark.parametrize(
    "name",
    [
        "name", "source_app", "access", "schedule_type", "schedule_window", "test_link_type",
        "test_link_settings", "web_proctoring", "visual_proctoring", "secure_browser", "protected", "webhooks", "test_grade_notification", "ip_access_restriction", "extra",
    ],
)  # fmt: skip
def test_every_setting_refuses_another_type(make, name):
    for wrong in (3, [1], {1: 2}, object()):
        with pytest.raises(InvalidInputError) as caught:
            make(**{name: wrong})
        assert caught.value.field.startswith(name)


def test_required_texts_and_protection():
    for name in ("name", "source_app"):
        for make in (new, ScheduleEdit):
            refused(name, "blank", lambda make=make, name=name: make(**{name: " "}))
    refused("protected", "OTP_ON_EMAIL", lambda: new(protected=Protection.NOT_ENABLED))
    assert ScheduleEdit(protected=Protection.NOT_ENABLED)
    refused("access", "expected AccessEdit", lambda: ScheduleEdit(access=Access.open_for_all()))
    refused("schedule_edit", "nothing", ScheduleEdit)
    assert ScheduleEdit(secure_browser=False).secure_browser is False
    assert ScheduleEdit(extra={"x": None})


def test_extra_properties_are_json_and_not_typed_ones():
    refused("extra['scheduleType']", "own attribute", lambda: new(extra={"scheduleType": "Fixed"}))
    refused("extra['schedulewindow']", "own attribute", lambda: new(extra={"schedulewindow": {}}))
    refused("extra['x']['y'][1]", "JSON", lambda: new(extra={"x": {"y": [1, {2}]}}))
    refused("extra['x']", "finite", lambda: new(extra={"x": math.nan}))
    refused("extra['x']", "finite", lambda: new(extra={"x": -math.inf}))
    refused("extra['x']", "64 bits", lambda: new(extra={"x": 2**63}))
    refused("extra['x']", "surrogate", lambda: new(extra={"x": "\ud800"}))
    refused("extra['x'][int]", "expected str", lambda: new(extra={"x": {1: 2}}))
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidInputError, match="nested"):
        new(extra={"x": deep})


def everything():
    yield new(schedule_window=window(), extra={"exitSettings": {"a": [1, None, True, 1.5]}})
    yield ScheduleEdit(access=AccessEdit.by_invitation(add=[invited()], remove=["z@x.org"]))
    yield Access.by_invitation([invited()], send_email=True)
    yield window()
    yield WebProctoring(count=3)
    yield VisualProctoring(mode=VisualProctoringMode.PHOTO)
    yield IpAccessRestriction.range(IpRange(start="1.1.1.1", end="1.1.1.2"))
    yield TestGradeNotification(recipients=["secret@x.org"])
    yield Webhooks(
        urls={TestStarted: "https://x.org/?token=secret"},
        basic_auth=BasicAuth(username="u", password="secret"),
    )


@pytest.mark.parametrize("value", list(everything()), ids=lambda value: type(value).__name__)
def test_settings_hash_pickle_evolve_and_show_no_secret(value):
    again = pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes
    assert again == value == attrs.evolve(value)
    assert hash(again) == hash(value)
    for secret in ("secret", "a@x.org", "z@x.org"):
        assert secret not in repr(value)
