import json

import pytest

from mettl_async.sandbox import RegistrationField

SKILL = {
    "name": "Python",
    "level": "easy",
    "questionCount": 5,
    "questionType": "MCQ",
    "correctGrade": 2,
    "incorrectGrade": -0.5,
    "questionPooling": False,
}
NEW = {
    "name": "Nouveau café",
    "duration": 45,
    "instructions": "<p>Hi</p>",
    "allowCopyPaste": True,
    "exitRedirectionURL": "https://x.org/done",
    "showReportToCandidateOnExit": True,
    "sections": [{"name": "Code", "randomizeQuestions": True, "skills": [SKILL]}],
}


async def create(caller, sent, version="v2"):
    return await caller.post(f"/{version}/assessments", {"assessments": json.dumps(sent)})


async def edit(caller, number, sent, version="v2"):
    return await caller.post(f"/{version}/assessments/{number}/settings/edit", {"as": sent})


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_an_assessment_is_described_as_a_whole(either, sandbox, version):
    fields = (RegistrationField("Gender", values=("F", "M")), RegistrationField("Roll"))
    skill = {
        "name": "Art",
        "questionCount": 3,
        "questionType": "MCQ",
        "questionPooling": True,
        "correctGrade": 1.5,
    }
    parts = [{"name": "S", "skills": [skill]}]
    number = sandbox.add_assessment("A", fields, sections=parts).id
    described = (await either.get(f"/{version}/assessments/{number}"))["assessment"]
    assert (described["id"], described["name"], described["maxMarks"]) == (number, "A", 4.5)
    assert described["createdAt"].endswith(" GMT")
    assert described["exitRedirectionURL"] is None
    (section,) = described["sections"]
    assert (section["name"], section["order"], section["isTimed"]) == ("S", 1, False)
    assert section["skills"][0] == {
        "name": "Art",
        "level": "EASY",
        "questionCount": 3,
        "source": "Mettl",
        "questionType": "MCQ",
        "duration": 0,
        "correctGrade": 1.5,
        "incorrectGrade": -0.0,
        "questionPooling": True,
    }
    names = [(f["name"], f["type"], f["required"]) for f in described["registrationFields"]]
    assert names == [
        ("Email Address", "TextBox", True),
        ("First Name", "TextBox", True),
        ("Gender", "SelectBox", False),
        ("Roll", "TextBox", False),
    ]
    assert sandbox.stats.calls[-1].operation == "assessments.get"


async def test_what_is_not_there_or_anothers_is_e404(caller, sandbox, code):
    number = next(iter(sandbox.assessments))
    assert code(await caller.get("/v2/assessments/1")) == "E404"
    assert code(await caller.get("/v2/assessments/x")) == "E404"
    caller.keys = sandbox.add_account().credentials
    assert code(await caller.get(f"/v2/assessments/{number}")) == "E404"
    assert (await caller.get("/v2/assessments"))["assessments"] == []


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_new_assessment_can_be_used(either, sandbox, code, version):
    answer = await create(either, NEW, version)
    number = answer["assessmentId"]
    assert (answer["status"], answer["assessment"]["id"]) == ("SUCCESS", number)
    described = (await either.get(f"/v2/assessments/{number}"))["assessment"]
    assert described == answer["assessment"]
    assert (described["name"], described["duration"]) == ("Nouveau café", 45)
    assert (described["allowCopyPaste"], described["showReportToCandidateOnExit"]) == (True, True)
    assert described["sections"][0]["skills"][0]["level"] == "EASY"
    assert described["maxMarks"] == 10.0
    sc = {
        "name": "S",
        "sourceApp": "t",
        "access": {"type": "OpenForAll"},
        "scheduleType": "AlwaysOn",
    }
    assert code(await either.create(number, sc)) == "SUCCESS"


async def test_the_name_of_an_assessment_is_unique_in_the_account(caller, sandbox, code):
    assert code(await create(caller, NEW)) == "SUCCESS"
    assert code(await create(caller, NEW)) == "E000"
    caller.keys = sandbox.add_account().credentials
    assert code(await create(caller, NEW)) == "SUCCESS"


async def test_the_duration_is_needed_unless_every_section_has_one(caller, code):
    timed = {"name": "T", "duration": 20, "skills": [SKILL]}
    free = {"name": "F", "skills": [SKILL]}
    answer = await create(caller, {"name": "A", "sections": [timed, {**timed, "name": "U"}]})
    assert answer["assessment"]["duration"] == 40
    assert answer["assessment"]["sections"][0]["isTimed"] is True
    assert code(await create(caller, {"name": "B", "sections": [timed, free]})) == "E400"
    assert code(await create(caller, {"name": "C"})) == "E400"
    assert code(await create(caller, {"name": "D", "duration": 5})) == "SUCCESS"


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"duration": 0},
        {"duration": "45"},
        {"allowCopyPaste": "true"},
        {"instructions": 1},
        {"sections": {}},
        {"sections": [{"name": "A"}]},
        {"sections": [{"name": "A", "skills": []}, {"name": "A", "skills": []}]},
        {"sections": [{"name": "A", "skills": [{**SKILL, "level": "hard"}]}]},
        {"sections": [{"name": "A", "skills": [{**SKILL, "questionCount": 0}]}]},
        {"sections": [{"name": "A", "skills": [{**SKILL, "questionType": "QUIZ"}]}]},
        {"sections": [{"name": "A", "skills": [{**SKILL, "correctGrade": "2"}]}]},
    ],
)
async def test_a_wrong_new_assessment_is_e400(caller, sandbox, code, change):
    before = len(sandbox.assessments)
    assert code(await create(caller, {**NEW, **change})) == "E400"
    assert len(sandbox.assessments) == before


async def test_assessments_must_be_an_object(caller, code):
    assert code(await caller.post("/v2/assessments")) == "E400"
    assert code(await create(caller, [NEW])) == "E400"


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_settings_are_edited_in_part(either, sandbox, version):
    number = next(iter(sandbox.assessments))
    answer = await edit(either, number, '{"exitRedirectionURL":"https://x.org"}', version)
    settings = answer["assessment"]
    assert (settings["id"], settings["exitRedirectionURL"]) == (number, "https://x.org")
    assert settings.keys().isdisjoint({"sections", "registrationFields"})
    settings = (await edit(either, number, '{"onScreenCalculator":true}'))["assessment"]
    assert (settings["exitRedirectionURL"], settings["onScreenCalculator"]) == (
        "https://x.org",
        True,
    )
    assert sandbox.stats.calls[-1].operation == "assessments.edit_settings"


async def test_showing_the_report_has_another_name_in_the_edit(caller, sandbox):
    number = next(iter(sandbox.assessments))
    wrong = await edit(caller, number, '{"showReportToCandidateOnExit":true}')
    assert wrong["assessment"]["showReportToCandidateOnExit"] is False
    right = await edit(caller, number, '{"showReportToCandidate":true}')
    assert right["assessment"]["showReportToCandidateOnExit"] is True


@pytest.mark.parametrize("sent", ["", "[]", '{"allowCopyPaste":1}', '{"exitRedirectionURL":null}'])
async def test_wrong_settings_are_e400(caller, sandbox, code, sent):
    number = next(iter(sandbox.assessments))
    assert code(await edit(caller, number, sent)) == "E400"
    assert code(await edit(caller, 1, "{}")) == "E404"


async def test_assessments_are_sorted_as_asked(make_caller):
    import httpx  # noqa: PLC0415 - only this test needs a client of its own

    from mettl_async.sandbox import Sandbox  # noqa: PLC0415 - the same

    sandbox = Sandbox(clock=lambda: 1e9)
    for name in ("beta", "Alpha", "gamma"):
        sandbox.clock.advance(60)
        sandbox.add_assessment(name)
    async with httpx.AsyncClient(transport=sandbox.transport()) as client:
        caller = make_caller(client, "https://x.org", sandbox.credentials, sandbox.clock.now)

        async def names(**params):
            answer = await caller.get("/v2/assessments", params)
            return [one["name"] for one in answer["assessments"]]

        by_time = ["Aptitude Test", "Coding Test", "beta", "Alpha", "gamma"]
        assert await names() == by_time[::-1]
        assert await names(sort="createdAt", sort_order="asc") == by_time
        by_name = ["Alpha", "Aptitude Test", "beta", "Coding Test", "gamma"]
        assert await names(sort="name", sort_order="asc") == by_name
        detail = {"Email Address": "a@x.org", "First Name": "A"}
        await caller.register(sandbox.access_key, [detail])
        sandbox.candidates[sandbox.access_key, "a@x.org"].start()
        assert (await names(sort="testTaken"))[0] == "Aptitude Test"
