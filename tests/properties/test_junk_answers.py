"""Whatever JSON an answer carries, a call ends in a value or in a typed error."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async import (
    CallError,
    Candidate,
    ClientOptions,
    Credentials,
    MettlClient,
    MettlDecodeError,
    RetryPolicy,
)
from mettl_async.core.request import Response
from mettl_async.models import (
    Access,
    Level,
    NewAssessment,
    NewSchedule,
    NewSection,
    NewSkill,
    ScheduleEdit,
)

KEYS = Credentials(public_key="p", private_key="s")
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
GOOD = {
    "register": {
        "status": "SUCCESS",
        "registrationStatus": [
            {"email": "a@x.org", "status": "ToBeTaken", "message": "m", "url": "u"},
            {"email": "b@x.org", "status": "Completed", "message": "m", "url": None},
        ],
    },
    "create": {
        "status": "SUCCESS",
        "createdSchedule": {
            "assessmentId": 1, "id": 2, "name": "n", "accessKey": "k", "accessUrl": "u", "status": "ACTIVE",
        },
    },
    "edit": {
        "status": "SUCCESS",
        "schedule": {
            "id": 1, "name": "n", "accessKey": "k", "createdAt": "Fri, 11 Feb 2022 23:05:57 GMT",
            "webProctoring": {"enabled": True, "count": 1.0},
            "access": {"type": "ByInvitation", "candidates": [{"email": "a@x.org", "name": "A"}]},
            "scheduleWindow": {"startsOnDate": "Mon, 07 Feb 2022", "timeZone": "UTC+05:30"},
        },
    },
    "account": {"status": "SUCCESS", "accountInfo": {"email": "a@x.org", "accountType": "x"}},
    "all_pbts": {"status": "SUCCESS", "pbts": [{"pbtId": 1, "pbtName": "n"}]},
    "assessments": {
        "status": "SUCCESS", "paging": {"next": None, "totalRecords": 1},
        "assessments": [{"id": 1, "name": "n", "sections": [{"name": "s", "skills": [{"name": "k"}]}]}],
    },
    "assessment": {"status": "SUCCESS", "assessment": {"id": 1, "createdAt": "Thu, 14 Jun 2012 12:43:56 GMT"}},
    "new_assessment": {"status": "SUCCESS", "assessmentId": 7},
    "schedules": {
        "status": "SUCCESS", "paging": {"next": None, "totalRecords": 1}, "schedules": [{"accessKey": "k"}],
    },
    "results": {
        "status": "SUCCESS", "paging": {"next": None, "totalRecords": 1},
        "candidates": [{"email": "a@x.org", "testStatus": {"status": "Completed", "result": {"totalMarks": 1.0}}}],
    },
    "result": {
        "status": "SUCCESS",
        "candidate": {
            "email": "a@x.org", "registration": {"First Name": "A"},
            "testStatus": {
                "status": "Completed", "startTime": "Fri, 16 Aug 2024 18:44:13 IST", "pdfReport": "https://x",
                "result": {
                    "totalMarks": 1.0, "analysis": {"recommendation": [{"type": "t", "value": "v"}]},
                    "sectionMarks": [{"sectionName": "s", "skillMarks": [{"skillName": "k"}],
                                      "questionWiseResponse": [{"questionId": 1, "evaluatorData": [{}]}]}],
                },
            },
        },
    },
    "of_candidate": {"status": "SUCCESS", "testInstances": [{"testStatus": {"status": "Completed"}}]},
    "pbts": {"status": "SUCCESS", "pbts": [{"pbtId": 1, "added": True, "assessmentId": 0}]},
}  # fmt: skip


SKILL = NewSkill(name="k", level=Level.EASY, question_count=1)
NEW_ASSESSMENT = NewAssessment(
    name="n", duration=1, sections=[NewSection(name="s", skills=[SKILL])]
)


def paths(value, here=()):
    yield here
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        yield from paths(inner, (*here, key))


def graft(value, path, junk):
    if not path:
        return junk
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = graft(copy[path[0]], path[1:], junk)
    return copy


class Canned:
    def __init__(self, content):
        self.content = content

    async def send(self, request):
        return Response(status_code=200, headers={}, content=self.content)

    async def aclose(self):
        pass


async def perform(name, content):
    options = ClientOptions(retry=RetryPolicy(max_attempts=1))
    async with MettlClient(KEYS, options=options) as mettl:
        object.__setattr__(mettl._shared, "transport", Canned(content))
        people = [
            Candidate(email="a@x.org", first_name="A"),
            Candidate(email="b@x.org", first_name="B"),
        ]
        calls = {
            "register": lambda: mettl.candidates.register("key", people),
            "create": lambda: mettl.schedules.create(
                1, NewSchedule(name="n", source_app="a", access=Access.open_for_all())
            ),
            "edit": lambda: mettl.schedules.edit("key", ScheduleEdit(name="n")),
            "pbts": lambda: mettl.pbts.add([1]),
            "account": mettl.account.get,
            "all_pbts": lambda: mettl.pbts.list().collect(),
            "assessments": lambda: mettl.assessments.list().collect(limit=1),
            "assessment": lambda: mettl.assessments.get(1),
            "new_assessment": lambda: mettl.assessments.create(NEW_ASSESSMENT),
            "schedules": lambda: mettl.schedules.list().collect(limit=1),
            "results": lambda: mettl.results.list("key").collect(limit=1),
            "result": lambda: mettl.results.get("key", "a@x.org"),
            "of_candidate": lambda: mettl.results.list_for_candidate("a@x.org").collect(limit=1),
        }
        return await calls[name]()


@pytest.mark.parametrize("name", GOOD)
@given(data=st.data())
def test_junk_anywhere_is_a_value_or_a_typed_error(name, data):
    path = data.draw(st.sampled_from(sorted(paths(GOOD[name]), key=repr)))
    content = json.dumps(graft(GOOD[name], path, data.draw(JSON))).encode()
    try:
        asyncio.run(perform(name, content))
    except CallError as error:
        assert error.operation
        # Below the first two levels nothing but a decode error is possible.
        if len(path) > 1:
            assert type(error) is MettlDecodeError


@given(st.binary(max_size=80), st.sampled_from(sorted(GOOD)))
def test_any_bytes_are_a_typed_error(content, name):
    with pytest.raises(CallError):
        asyncio.run(perform(name, content))


def test_a_list_keeps_its_good_items():
    body = graft(GOOD["register"], ("registrationStatus", 0), 7)
    (one,) = asyncio.run(perform("register", json.dumps(body).encode()))
    assert one.email == "b@x.org"
