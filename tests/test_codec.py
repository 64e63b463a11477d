"""JSON text, plain data, models: there and back."""

import json
import sys
import traceback
from contextlib import suppress
from datetime import date, datetime, time, timedelta, timezone
from unittest.mock import patch
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async import codec, models
from mettl_async.codec import json_text
from mettl_async.models._wire import names_of

TEXT = st.text()  # hypothesis leaves surrogates out here, and puts everything else in
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture(params=["orjson", "json"], autouse=True)
def library(request, monkeypatch):
    if request.param == "json":
        monkeypatch.setattr(json_text, "orjson", None)
    elif json_text.orjson is None:
        pytest.skip("orjson is not installed")


def without_orjson():
    return patch.object(json_text, "orjson", None)


# --- JSON text


@given(value=JSON)
def test_both_libraries_read_what_either_writes(value):
    text = codec.dumps(value)
    read = codec.loads(text.encode())
    with without_orjson():
        other = codec.dumps(value)
        assert codec.loads(text.encode()) == read == value
    assert codec.loads(other.encode()) == value


class DeepJson:
    def loads(self, *args, **kwargs):
        before = sys.getrecursionlimit()
        sys.setrecursionlimit(10_000)
        try:
            return json.loads(*args, **kwargs)
        finally:
            sys.setrecursionlimit(before)


@pytest.mark.parametrize(("before", "after"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("depth", [1025, 5_000, 100_000])
def test_what_is_nested_too_deeply_is_no_json(depth, before, after, monkeypatch):
    # As Python 3.13 is: json then goes down to 10,000 by itself.
    monkeypatch.setattr(json_text, "json", DeepJson())
    text = f"{before * depth}1{after * depth}".encode()
    with pytest.raises(ValueError, match="not JSON"):
        codec.loads(text)
    wide = f"[{before}1{after}{f',{before}1{after}' * 2_000}]"
    assert len(codec.loads(wide.encode())) == 2_001


@pytest.mark.parametrize("value", [b"0", b"[]", b"{}"])
def test_what_would_take_too_much_memory_is_no_json(value):
    with pytest.raises(ValueError, match="too many values"):
        codec.loads(b"[" + b",".join([value] * 1_000_001) + b"]")
    long = b'["' + b"x" * 1_000_001 + b'"]'
    assert codec.loads(long) == [long[2:-2].decode()]


@pytest.mark.parametrize("digits", [501, 4_299])
def test_an_integer_of_very_many_digits_is_no_json(digits):
    # To read thousands of them would hold the event loop for seconds.
    content = b'{"x":[1,' + b"1" * digits + b"]}"
    with pytest.raises(ValueError, match="a number is too long"):
        codec.loads(content)
    assert codec.loads(b'{"' + b"1" * digits + b'":"' + b"1" * digits + b'"}')
    assert codec.loads(b"1" * 500) == int("1" * 500)


def test_text_is_compact_and_unescaped():
    assert (
        codec.dumps({"a": ["é", "日本", "😀", '"', "\n"], "b": True})
        == '{"a":["é","日本","😀","\\"","\\n"],"b":true}'
    )


@pytest.mark.parametrize(
    "value",
    ["\ud800", {"secret\udfff": 1}, object(), {1, 2}, b"x"],
)
def test_what_json_cannot_say_is_a_value_error_without_the_value(value):
    with pytest.raises(ValueError, match="cannot be written as JSON") as caught:
        codec.dumps(value)
    assert caught.value.__context__ is None
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"", b" ", b"<html>secret</html>", b'{"secret": 1', b"NaN", b"[Infinity]", b"[-Infinity]", b"1e999",
        b'"\xff\xfe"', '"é"'.encode("utf-16"), b"{'a': 1}", b'{"a":1}x', b"[" * 100_000, b"1" * 5000 + b"x", b'"\n"',
    ],
    ids=lambda content: repr(content[:12]),
)  # fmt: skip
def test_junk_is_a_value_error_without_the_content(content):
    with pytest.raises(ValueError, match=r"not JSON|not UTF-8") as caught:
        codec.loads(content)
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


@given(content=st.binary(max_size=60))
def test_bytes_are_read_or_refused_with_a_value_error(content):
    with suppress(ValueError):
        codec.dumps(codec.loads(content)).encode()


def test_what_is_read_can_be_encoded_again():
    # A name cut in the middle of an emoji must not cost the whole page.
    assert codec.loads(b'["Asha \\ud83d", "\\ud83d\\ude00", "\\\\ud83d"]') == [
        "Asha ?",
        "😀",
        "\\ud83d",
    ]
    assert codec.loads(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


# --- the vendor's samples


def sample_schedule(**changes):
    return {
        "name": "Test Link Name",
        "source_app": "App Name",
        "schedule_window": models.ScheduleWindow(
            starts_at=datetime(2022, 2, 7, 12, tzinfo=ZoneInfo("Asia/Kolkata")),
            ends_at=datetime(2022, 2, 11, 18, tzinfo=ZoneInfo("Asia/Kolkata")),
            fixed_access_option=models.FixedAccessOption.SLOT_WISE,
        ),
        "web_proctoring": models.WebProctoring(count=10, show_remaining_counts=True),
        "visual_proctoring": models.VisualProctoring(
            mode=models.VisualProctoringMode.PHOTO,
            candidate_screen_capture=True,
            candidate_authorization=True,
        ),
        "secure_browser": True,
        "protected": models.Protection.OTP_ON_EMAIL,
        "webhooks": models.Webhooks(
            urls={models.TestResumeEnabled: "https://www.application.com/path/post_call_listener"},
            basic_auth=models.BasicAuth(username="username", password="password"),
        ),
        "test_grade_notification": models.TestGradeNotification(
            recipients=["admin@email.com", "admin2@email.com"]
        ),
        "ip_access_restriction": models.IpAccessRestriction.range(
            models.IpRange(start="128.128.128.128", end="128.128.128.130")
        ),
    } | changes


# Both samples print timeZone beside locationTimeZone, where either is enough; we send the name.
SHARED_TAIL = (
    '"scheduleType":"Fixed","scheduleWindow":{"fixedAccessOption":"SlotWise","startsOnDate":"Mon, 07 Feb 2022",'
    '"startsOnTime":"12:00:00","endsOnDate":"Fri, 11 Feb 2022","endsOnTime":"18:00:00",'
    '"locationTimeZone":"Asia/Kolkata"},"webProctoring":{"enabled":true,"count":10,"showRemainingCounts":true},'
    '"visualProctoring":{"mode":"PHOTO","options":{"candidateScreenCapture":true,"candidateAuthorization":true}},'
    '"secureBrowser":{"enabled":true},"protected":"OtpOnEmail",'
    '"testResumeEnabledForExpiredTestURL":"https://www.application.com/path/post_call_listener",'
    '"testNotificationBasicAuthHeader":"dXNlcm5hbWU6cGFzc3dvcmQ=",'
    '"testGradeNotification":{"enabled":true,"recipients":["admin@email.com","admin2@email.com"]},'
    '"ipAccessRestriction":{"enabled":true,"type":"RANGE","ranges":[{"start":"128.128.128.128","end":"128.128.128.130"}]}}'
)


def test_the_full_sample_of_create_schedule():
    schedule = models.NewSchedule(
        **sample_schedule(),
        access=models.Access.by_invitation(
            [models.InvitedCandidate(name="Name", email="name@email.com", compensatory_time=20)],
            send_email=True,
            is_candidate_crf_prefilled=True,
        ),
    )
    assert codec.to_wire(schedule) == json.loads(
        '{"name":"Test Link Name","sourceApp":"App Name","access":{"type":"ByInvitation","sendEmail":true,'
        '"isCandidateCrfPrefilled":true,"candidates":[{"name":"Name","email":"name@email.com",'
        '"compensatory_time":20}]},' + SHARED_TAIL
    )


def test_the_full_sample_of_edit_schedule():
    edit = models.ScheduleEdit(
        **sample_schedule(),
        access=models.AccessEdit.by_invitation(
            add=[models.InvitedCandidate(name="Name", email="name@email.com")],
            remove=["name2@email.com"],
            send_email=True,
            is_candidate_crf_prefilled=True,
        ),
    )
    assert codec.to_wire(edit) == json.loads(
        '{"name":"Test Link Name","sourceApp":"App Name","access":{"type":"ByInvitation","sendEmail":true,'
        '"isCandidateCrfPrefilled":true,"candidates":{"add":[{"name":"Name","email":"name@email.com"}],'
        '"remove":["name2@email.com"]}},' + SHARED_TAIL
    )


def test_the_smallest_samples():
    smallest = models.NewSchedule(
        name="Test Link Name", source_app="App Name", access=models.Access.open_for_all()
    )
    assert codec.to_wire(smallest) == json.loads(
        '{"name":"Test Link Name","sourceApp":"App Name","access":{"type":"OpenForAll"},"scheduleType":"AlwaysOn"}'
    )
    added = models.InvitedCandidate(name="Name", email="name@email.com")
    edit = models.ScheduleEdit(access=models.AccessEdit.by_invitation(add=[added], send_email=True))
    # The order of the page's example differs; what is signed is what is sent, so any will do.
    assert codec.to_wire(edit) == json.loads(
        '{"access":{"type":"ByInvitation","sendEmail":true,"candidates":{"add":[{"name":"Name","email":"name@email.com"}]}}}'
    )


def test_what_was_not_set_is_not_sent():
    edit = models.ScheduleEdit(
        access=models.AccessEdit.by_invitation(is_candidate_crf_prefilled=False)
    )
    assert codec.to_wire(edit) == {
        "access": {"type": "ByInvitation", "isCandidateCrfPrefilled": False}
    }
    assert codec.to_wire(models.IpAccessRestriction.disabled()) == {"enabled": False}
    assert codec.to_wire(models.IpAccessRestriction.single("1.2.3.4")) == {
        "enabled": True,
        "type": "SINGLE",
        "ip": "1.2.3.4",
    }
    off = models.VisualProctoring(mode=models.VisualProctoringMode.OFF)
    assert codec.to_wire(off) == {"mode": "OFF"}


def test_a_fixed_offset_goes_as_time_zone():
    zone = timezone(timedelta(hours=5, minutes=30))
    window = models.ScheduleWindow(
        starts_at=datetime(2021, 10, 20, 9, tzinfo=zone),
        ends_at=datetime(2021, 10, 21, 15, tzinfo=zone),
    )
    assert codec.to_wire(window) == {
        "fixedAccessOption": "ExactTime",
        "startsOnDate": "Wed, 20 Oct 2021",
        "startsOnTime": "09:00:00",
        "endsOnDate": "Thu, 21 Oct 2021",
        "endsOnTime": "15:00:00",
        "timeZone": "UTC+05:30",
    }


def test_four_urls_three_spellings_and_extra_properties_as_they_are():
    url = "https://x.org/"
    schedule = models.NewSchedule(
        **sample_schedule(
            webhooks=models.Webhooks(
                urls={
                    models.TestStarted: url,
                    models.TestFinished: url,
                    models.TestGraded: url,
                    models.TestResumeEnabled: url,
                },
                basic_auth=models.BasicAuth(username="ü", password="p:w"),
            )
        ),
        access=models.Access.open_for_all(),
        test_link_settings=models.TestLinkSettings(
            test_date=date(2022, 12, 1),
            test_start_time=time(10),
            test_end_time=time(12),
            reporting_start_time=time(9),
            reporting_finish_time=time(10),
            time_zone=ZoneInfo("Asia/Kolkata"),
        ),
        extra={"allowCopyPaste": "SCHEDULED", "exitSettings": {"a": [1, None, {"b": 1.5}]}},
    )
    wire = codec.to_wire(schedule)
    assert set(wire) == names_of(models.NewSchedule) - {"extra"} | {
        "allowCopyPaste",
        "exitSettings",
    }
    assert wire["exitSettings"] == {"a": [1, None, {"b": 1.5}]}
    assert wire["testNotificationBasicAuthHeader"] == "w7w6cDp3"
    codec.dumps(wire)


def test_a_candidate_becomes_two_items():
    one = models.Candidate(email="a@x.org", first_name="Asha", fields={"Last Name": "Rao"})
    (detail,) = codec.candidate_details([one])
    assert list(detail.items()) == [
        ("Email Address", "a@x.org"),
        ("First Name", "Asha"),
        ("Last Name", "Rao"),
    ]
    assert codec.to_wire(one) == detail
    detail["Last Name"] = "Other"
    assert one.fields == {"Last Name": "Rao"}
    more = attrs.evolve(one, context_data="", compensatory_time=timedelta(hours=1))
    assert codec.candidate_optionals([one, more]) == [
        {"email": "a@x.org", "context_data": "", "compensatory_time": "60"}
    ]
