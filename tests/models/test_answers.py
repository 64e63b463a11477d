"""Plain data to models: what the server sends."""

import json
import math
import pickle
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async import codec, models
from mettl_async.errors import MettlDecodeError
from mettl_async.models._wire import places_of

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


# --- what the server sends

SCHEDULE = json.loads(
    '{"id":9999999,"name":"Test Link Name","accessKey":"0x0x0x0x0x","accessUrl":"https://tests.mettl.com/authenticateKey/0x0x0x0x0x","status":"ACTIVE","createdAt":"Fri, 11 Feb 2022 23:05:57 GMT","imageProctoring":true,"webProctoring":{"enabled":true,"count":10,"showRemainingCounts":true},"scheduleType":"Fixed","scheduleWindow":{"fixedAccessOption":"SlotWise","startsOnDate":"Mon, 07 Feb 2022","endsOnDate":"Fri, 11 Feb 2022","startsOnTime":"12:00:00","endsOnTime":"18:00:00","timeZone":"UTC+05:30","locationTimeZone":"Asia/Kolkata"},"access":{"type":"ByInvitation","candidates":[{"name":"Name","submissionDate":null,"email":"name@email.com"}],"sendEmail":true,"sendReminders":false,"isCandidateCrfPrefilled":false},"ipAccessRestriction":{"enabled":true,"type":"RANGE","ranges":[{"start":"128.128.128.128","end":"128.128.128.130"}]},"sourceApp":"App Name","testResumeEnabledForExpiredTestURL":"https://www.application.com/path/post_call_listener","isCandidateAuthProctored":true,"testGradeNotification":{"enabled":true,"recipients":["admin@email.com","admin2@email.com"]},"visualProctoring":{"options":{"candidateScreenCapture":true,"candidateAuthorization":true,"audioOptional":true,"isAudioProctoring":false},"mode":"PHOTO"},"allowTestResume":"UnSuperVised","secureBrowser":{"enabled":true},"assessmentDetails":{"id":769688,"duration":10,"name":"Assessment Name","instructions":"Instructions for attempting the assessment","createdAt":"Fri, 11 Feb 2022 23:05:57 GMT"},"protected":"NotEnabled"}'
)  # fmt: skip
REGISTRATION = {
    "email": "name@email.com",
    "status": "ToBeTaken",
    "message": "Candidate ('name@email.com') ...",
    "url": "https://l",
}
CREATED = {
    "assessmentId": 999999,
    "id": 10000,
    "name": "N",
    "accessKey": "0x0",
    "accessUrl": "https://u",
    "status": "ACTIVE",
}
PBT = {
    "pbtId": 1336,
    "added": False,
    "message": "Exception: ...",
    "assessmentId": 0,
    "pbtName": None,
}
ANSWERS = [
    (models.Schedule, SCHEDULE),
    (models.Registration, REGISTRATION),
    (models.CreatedSchedule, CREATED),
    (models.PbtAddition, PBT),
]


def test_the_whole_schedule_is_typed_to_the_leaf():
    schedule = codec.from_wire(models.Schedule, SCHEDULE, where="$.schedule")
    moment = datetime(2022, 2, 11, 23, 5, 57, tzinfo=UTC)
    assert (schedule.id, schedule.access_key, schedule.created_at) == (
        9999999,
        "0x0x0x0x0x",
        moment,
    )
    assert schedule.status is models.ScheduleStatus.ACTIVE
    assert schedule.schedule_window.starts_at == datetime(
        2022, 2, 7, 12, tzinfo=ZoneInfo("Asia/Kolkata")
    )
    assert schedule.access.candidates == (
        models.ScheduleCandidate(email="name@email.com", name="Name"),
    )
    assert schedule.visual_proctoring.options.is_audio_proctoring is False
    assert schedule.ip_access_restriction.ranges[0].end == "128.128.128.130"
    assert schedule.test_grade_notification.recipients == ("admin@email.com", "admin2@email.com")
    assert schedule.assessment_details.created_at == moment
    assert schedule.protected is models.Protection.NOT_ENABLED
    assert schedule.secure_browser.enabled is True

    # Every property of the page has its place: written back, nothing is missing.
    def known(wire, value):
        for name, item in wire.items():
            there = next(
                getattr(value, a.name)
                for a in attrs.fields(type(value))
                if places_of(type(value), a)[0][0] == name
            )
            if isinstance(item, dict):
                known(item, there)
            else:
                assert (there is None) is (item is None), name

    url = "testResumeEnabledForExpiredTestURL"
    known({name: item for name, item in SCHEDULE.items() if name != url}, schedule)
    assert schedule.webhook_urls == {models.TestResumeEnabled: SCHEDULE[url]}
    assert schedule.extra == {}
    elsewhere = SCHEDULE | {url: "https://example.org/elsewhere"}
    assert codec.from_wire(models.Schedule, elsewhere, where="$") != schedule


def test_numbers_and_booleans_arrive_in_several_forms():
    read = codec.from_wire(
        models.CreatedSchedule, {"accessKey": "k", "id": 7.0, "assessmentId": "7"}, where="$"
    )
    assert (read.id, read.assessment_id) == (7, 7)
    for wire, value in ((True, True), ("true", True), ("False", False), (False, False)):
        assert codec.from_wire(models.PbtAddition, PBT | {"added": wire}, where="$").added is value
    assert codec.from_wire(models.PbtAddition, PBT, where="$").assessment_id is None


@attrs.frozen(kw_only=True)
class Numbers:
    whole: int
    real: float


@pytest.mark.parametrize(
    "value", [True, "x", "", None, [], {}, "1e999", "nan", math.nan, math.inf, "٣x"]
)
def test_what_is_no_number_is_none(value):
    with pytest.raises(
        MettlDecodeError, match=r"\$\.whole: expected int, got .*; \$\.real: expected float, got"
    ):
        codec.from_wire(Numbers, {"whole": value, "real": value}, where="$")


@pytest.mark.parametrize("value", [1.5, "1.5"])
def test_numbers_with_a_fraction_are_only_real(value):
    with pytest.raises(MettlDecodeError) as caught:
        codec.from_wire(Numbers, {"whole": value, "real": value}, where="$")
    assert "real" not in str(caught.value)
    assert codec.from_wire(Numbers, {"whole": "7.0", "real": value}, where="$") == Numbers(
        whole=7, real=1.5
    )


def test_what_a_model_cannot_do_without_is_told_by_path_and_type():
    with pytest.raises(MettlDecodeError) as caught:
        codec.from_wire(
            models.CreatedSchedule, CREATED | {"accessKey": None}, where="$.createdSchedule"
        )
    assert caught.value.problem == "$.createdSchedule.accessKey: expected str, got null"
    with pytest.raises(MettlDecodeError) as caught:
        codec.from_wire(
            models.PbtAddition, {"pbtId": {"secret": 1}, "added": "secret"}, where="$.pbts[0]"
        )
    assert (
        caught.value.problem
        == "$.pbts[0].pbtId: expected int, got object; $.pbts[0].added: expected bool, got str"
    )
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("data", [None, [], "secret", 7, True])
def test_what_is_no_object_is_told(data):
    for cls, _ in ANSWERS:
        with pytest.raises(MettlDecodeError, match=r"^\$: expected object") as caught:
            codec.from_wire(cls, data, where="$")
        assert "secret" not in str(caught.value)


def test_the_rest_becomes_its_default_and_unknown_properties_are_ignored():
    odd = {"email": "a@x.org", "status": 7, "message": None, "url": ["x"], "new": {"a": 1}}
    read = codec.from_wire(models.Registration, odd, where="$")
    assert (read.email, read.message, read.url) == ("a@x.org", "", None)
    assert not read.status.is_known
    assert (
        codec.from_wire(models.Registration, odd | {"status": "Later"}, where="$").status == "Later"
    )
    window = codec.from_wire(models.Schedule, SCHEDULE | {"access": 7, "createdAt": "x"}, where="$")
    assert (window.access, window.created_at) == (None, None)


def test_a_list_keeps_its_good_items():
    good = codec.list_from_wire(
        models.Registration,
        [REGISTRATION, None, {"email": 3}, REGISTRATION],
        where="$.registrationStatus",
    )
    assert [one.url for one in good] == ["https://l", "https://l"]
    with pytest.raises(MettlDecodeError, match=r"^\$\.x: expected array, got object"):
        codec.list_from_wire(models.Registration, {}, where="$.x")
    candidates = [{"email": "a@x.org"}, 7, {"name": "no email"}]
    schedule = codec.from_wire(
        models.Schedule, {"accessKey": "k", "access": {"candidates": candidates}}, where="$"
    )
    assert [one.email for one in schedule.access.candidates] == ["a@x.org"]


@pytest.mark.parametrize("item", [{}, 1, {"pbtId": 1}])
def test_a_list_of_more_items_than_any_answer_has_is_refused(item):
    assert codec.list_from_wire(models.Pbt, [item] * 20_000, where="$") is not None
    with pytest.raises(MettlDecodeError, match=r"\$: too many items \(20001\)"):
        codec.list_from_wire(models.Pbt, [item] * 20_001, where="$")


def places(data, path=()):
    yield path
    if isinstance(data, dict):
        for name, item in data.items():
            yield from places(item, (*path, name))
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from places(item, (*path, index))


def graft(data, path, junk):
    if not path:
        return junk
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = graft(data[path[0]], path[1:], junk)
    return copy


@given(data=st.data())
def test_junk_anywhere_in_an_answer_raises_nothing_but_a_decode_error(data):
    cls, answer = data.draw(st.sampled_from(ANSWERS))
    path = data.draw(st.sampled_from(list(places(answer))))
    junk = data.draw(JSON | st.text("0123456789:,. +-GMTUCIS", max_size=30))
    grafted = graft(answer, path, junk)
    model = refusal = None
    try:
        model = codec.from_wire(cls, grafted, where="$")
    except MettlDecodeError as error:
        refusal = error
    if refusal is not None:
        assert refusal.__context__ is None
        assert "name@email.com" not in str(refusal)
    else:
        assert pickle.loads(pickle.dumps(model)) == model  # noqa: S301 - our own bytes
        assert hash(model) == hash(model)
        repr(model)
        codec.dumps(codec.to_wire(model))
        if isinstance(model, models.Schedule) and model.schedule_window:
            assert model.schedule_window.starts_at is None or model.schedule_window.starts_at.tzinfo
    assert len(codec.list_from_wire(cls, [answer, grafted], where="$")) == 1 + (refusal is None)


@pytest.mark.parametrize(("cls", "answer"), ANSWERS)
def test_reprs_of_answers_hold_no_personal_data(cls, answer):
    shown = repr(codec.from_wire(cls, answer, where="$"))
    for secret in (
        "name@email.com",
        "admin@email.com",
        "https://l",
        "'Name'",
        "post_call_listener",
    ):
        assert secret not in shown


def test_every_public_model_is_frozen_and_exported_once():
    for name, cls in vars(models).items():
        if attrs.has(cls):
            assert cls.__setattr__ is not object.__setattr__, name
            assert all(a.kw_only for a in attrs.fields(cls)), name
