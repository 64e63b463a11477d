import json
from urllib.parse import quote

import httpx
import pytest

from mettl_async.sandbox import Sandbox

START = 1723814053.0  # Fri, 16 Aug 2024 13:14:13 UTC
ALL = {"ir": '{"recommendation":true}', "rs": "true", "qr": "true", "cr": "true", "em": "true"}


@pytest.fixture
def key(sandbox):
    return sandbox.access_key


@pytest.fixture
async def finished(caller, sandbox, key, asha):
    extra = {"email": asha["Email Address"], "context_data": "{}", "compensatory_time": "20"}
    await caller.register(key, [{**asha, "Last Name": "Ré"}], optional=[extra])
    sandbox.candidates[key, asha["Email Address"]].start()
    sandbox.clock.advance(600.5)
    sandbox.candidates[key, asha["Email Address"]].finish()
    return f"/v2/schedules/{key}/candidates/asha@example.com"


async def candidate(caller, path, **params):
    return (await caller.get(path, params))["candidate"]


async def test_a_result_has_the_form_of_2024(caller, sandbox, finished):
    found = await candidate(caller, finished)
    assert found["registration"]["Last Name"] == "Ré"
    assert found["context_data"] == "{}"
    status = found["testStatus"]
    assert status["status"] == "Completed"
    assert (status["overallStatus"], status["detailedStatus"]) == (
        "Completed",
        "Test-taker Completed",
    )
    assert status["completionMode"] == "Completed"
    assert status["compensatoryTime"] == "20"
    assert status["start_time_GMT"] == "Fri, 16 Aug 2024 13:14:13 UTC"
    assert status["startTime"] == "Fri, 16 Aug 2024 18:44:13 IST"
    assert status["end_time_GMT"] == "Fri, 16 Aug 2024 13:24:13 UTC"
    assert status["endTime"] == "Fri, 16 Aug 2024 18:54:13 IST"
    result = status["result"]
    assert result["attemptTime"] == 600.5
    assert (result["maxMarks"], result["codePlagiarism"]) == (29.0, "NA")
    assert result["candidateCredibilityIndex"] == "Not Applicable"
    assert result["analysis"] == {"responseStyles": [], "recommendation": []}
    assert [s["questionWiseResponse"] for s in result["sectionMarks"]] == [None, None]
    assert sandbox.stats.calls[-1].operation == "results.get"


async def test_counts_are_floats_but_integers_by_difficulty(caller, finished):
    response = await caller.read(finished)
    result = json.loads(response.content)["candidate"]["testStatus"]["result"]
    sections = result["sectionMarks"]
    skills = [skill for section in sections for skill in section["skillMarks"]]
    levels = [level for skill in skills for level in skill["difficultyMarks"]]
    names = ("totalQuestion", "totalCorrectAnswers", "totalUnAnswered")
    for place in (result, *sections, *skills):
        assert {type(place[name]) for name in (*names, "totalMarks", "maxMarks")} == {float}
    for level in levels:
        assert {type(level[name]) for name in (*names, "timeTaken")} == {int}
        assert type(level["totalMarks"]) is float
    by_section = [level for section in sections for level in section["difficultyMarks"]]
    for name in (*names, "maxMarks", "totalMarks"):
        for places in (sections, skills, levels, by_section, result["difficultyMarks"]):
            assert sum(place[name] for place in places) == pytest.approx(result[name])
    assert [level["level"] for level in skills[0]["difficultyMarks"]] == ["EASY", "MEDIUM"]
    whole = [level["level"] for level in result["difficultyMarks"]]
    assert len(whole) == len(set(whole)) > 1


async def test_an_email_decides_the_marks(caller, sandbox, key, finished):
    marks = {}
    for number in range(20):
        email = f"p{number}@example.com"
        await caller.register(key, [{"Email Address": email, "First Name": "P"}])
        sandbox.candidates[key, email].finish()
        found = await candidate(caller, f"/v2/schedules/{key}/candidates/{email}")
        marks[email] = found["testStatus"]["result"]["totalMarks"]
    assert len(set(marks.values())) > 5
    again = Sandbox(clock=lambda: START, credentials=sandbox.credentials)
    async with httpx.AsyncClient(transport=again.transport()) as client:
        caller.client = client
        for email in reversed(marks):
            await caller.register(again.access_key, [{"Email Address": email, "First Name": "Q"}])
            again.candidates[again.access_key, email].finish()
            found = await candidate(caller, f"/v2/schedules/{again.access_key}/candidates/{email}")
            assert found["testStatus"]["result"]["totalMarks"] == marks[email]


async def test_extras_come_only_when_they_are_asked_for(caller, finished):
    async def result(**params):
        return (await candidate(caller, finished, **params))["testStatus"]["result"]

    def responses(result):
        given = [section["questionWiseResponse"] for section in result["sectionMarks"]]
        return None if given[0] is None else [one for part in given for one in part]

    recommended = (await result(ir='{"recommendation":true}'))["analysis"]["recommendation"]
    assert recommended[0]["type"] == "Performance Category"
    styles = (await result(rs="true"))["analysis"]["responseStyles"]
    assert [set(one) for one in styles] == [{"title", "description"}]
    assert responses(await result(em="true", rs="true")) is None
    essays = responses(await result(qr="true"))
    assert {one["apiQuestionType"] for one in essays} == {"SHORT_ANSWER", "LONG_ANSWER"}
    every = responses(await result(cr="true"))
    assert len(every) == 16
    assert {one["evaluatorData"] for one in every} == {None}
    evaluated = responses(await result(cr="true", em="true"))
    assert all(isinstance(one["evaluatorData"], list) for one in evaluated)
    whole = await result(**ALL)
    assert sum(one["marksScored"] for one in responses(whole)) == whole["totalMarks"]
    assert (await result())["analysis"]["recommendation"] == []


async def test_every_kind_of_answer_and_an_evaluator_are_there(caller, sandbox, key):
    people = [{"Email Address": f"p{n}@example.com", "First Name": "P"} for n in range(20)]
    await caller.register(key, people)
    for person in people:
        sandbox.candidates[key, person["Email Address"]].finish()
    answer = await caller.get(f"/v2/schedules/{key}/candidates", ALL)
    given = [
        one
        for person in answer["candidates"]
        for section in person["testStatus"]["result"]["sectionMarks"]
        for one in section["questionWiseResponse"]
    ]
    assert {next(iter(one["questionResponse"])) for one in given if one["isAttempted"]} == {
        *("mcqTypeResponse", "mcaTypeResponse", "shortAnswerTypeResponse", "longAnswerTypeResponse")
    }
    assert any(one["questionResponse"] is None for one in given)
    assert any(one["evaluatorData"] for one in given)
    assert any(one["marksScored"] < 0 for one in given)


@pytest.mark.parametrize(
    "params", [{"rs": "yes"}, {"cr": "1"}, {"ir": "true"}, {"ir": '{"recommendation":"true"}'}]
)
async def test_wrong_flags_are_e400(caller, code, key, finished, params):
    for path in (finished, f"/v2/schedules/{key}/candidates", "/v1/candidates/asha@example.com"):
        assert code(await caller.get(path, params)) == "E400"


async def test_a_limit_for_one_result_is_tolerated(caller, code, finished):
    assert code(await caller.get(finished, {"limit": "500"})) == "SUCCESS"


async def test_before_the_end_there_is_no_result(caller, sandbox, key, asha):
    path = f"/v2/schedules/{key}/candidates/asha@example.com"
    await caller.register(key, [asha], timeLimitInSec="60")
    assert (await candidate(caller, path))["testStatus"] == {
        "status": "ToBeTaken",
        "compensatoryTime": "false",
        "overallStatus": "Yet to Start",
        "detailedStatus": "Registered",
    }
    sandbox.clock.advance(60)
    assert (await candidate(caller, path))["testStatus"]["detailedStatus"] == "Access Expired"
    await caller.register(key, [asha])
    sandbox.candidates[key, "asha@example.com"].start()
    status = (await candidate(caller, path))["testStatus"]
    assert (status["status"], status["overallStatus"]) == ("InProgress", "In-progress")
    assert (status["result"], status["endTime"], status["completionMode"]) == (None, None, None)
    assert (status["pdfReport"], status["htmlReport"]) == (None, None)
    assert status["lastResponseTime"] == status["startTime"]


async def test_v1_has_the_form_of_2016(caller, finished):
    older = finished.replace("v2", "v1")
    status = (await candidate(caller, older))["testStatus"]
    assert status["startTime"] == "Fri, 16 Aug 2024 13:14:13 GMT"
    assert status["endTime"] == "Fri, 16 Aug 2024 13:24:13 GMT"
    assert status.keys() == {
        *("status", "startTime", "endTime", "completionMode", "result", "pdfReport", "htmlReport"),
    }
    counts = {"totalMarks", "maxMarks", "totalQuestion", "totalCorrectAnswers", "totalUnAnswered"}
    result = status["result"]
    assert result.keys() == {*counts, "percentile", "attemptTime", "sectionMarks", "analysis"}
    assert result["analysis"] is None
    for section in result["sectionMarks"]:
        assert section.keys() == {*counts, "sectionName", "timeTaken", "skillMarks"}
        for skill in section["skillMarks"]:
            assert skill.keys() == {*counts, "skillName", "timeTaken", "questions"}
            assert skill["questions"] is None
    asked = (await candidate(caller, older, rs="true", cr="true"))["testStatus"]["result"]
    assert asked["analysis"]["responseStyles"] != []
    assert all(section["questionWiseResponse"] for section in asked["sectionMarks"])


ODD = [
    "a+b@example.com",
    "what?@example.com",
    "a#b@example.com",
    "100%@example.com",
    "%41@example.com",
    "a/b@example.com",
    "zoë@exämple.com",
    "a&b=c@example.com",
    "a;b,c@example.com",
    "o'neil@example.com",
]


@pytest.mark.parametrize("email", ODD)
async def test_an_escaped_email_is_signed_as_sent(either, sandbox, code, email):
    either.clock = sandbox.clock.now
    key = sandbox.access_key
    await either.register(key, [{"Email Address": email, "First Name": "A"}])
    for safe in ("@+", ""):
        path = f"/v2/schedules/{key}/candidates/{quote(email, safe=safe)}"
        assert (await either.get(path))["candidate"]["email"] == email
        account = await either.get(f"/v3/candidates/{quote(email, safe=safe)}")
        assert [item["email"] for item in account["testInstances"]] == [email]
        assert code(await either.delete(path)) == "E000"
    sandbox.candidates[key, email].finish()
    assert code(await either.delete(path)) == "SUCCESS"
    assert code(await either.get(path)) == "E404"


async def test_an_email_signed_decoded_is_e401(caller, code, key, finished):
    signed = caller.parameters(finished, method="GET")
    path = finished.replace("@", "%40")
    assert code((await caller.send(path, signed, form=False, method="GET")).json()) == "E401"


async def test_case_and_spaces_around_an_email_do_not_matter(caller, finished):
    path = finished.replace("asha@example.com", "%20ASHA@Example.com%20")
    assert (await candidate(caller, path))["email"] == "asha@example.com"


async def test_someone_never_registered_is_an_error(caller, code, key):
    path = f"/v2/schedules/{key}/candidates/nobody@example.com"
    answer = await caller.get(path)
    assert (answer["status"], code(answer)) == ("ERROR", "E404")
    assert "nobody" not in json.dumps(answer)
    assert (await caller.get("/v2/candidates/nobody@example.com"))["testInstances"] == []


async def test_someone_removed_is_revoked(caller, sandbox, asha):
    private = sandbox.add_schedule("P", access_type="ByInvitation", invited=["asha@example.com"])
    await caller.register(private.access_key, [asha])
    change = {"type": "ByInvitation", "candidates": {"remove": ["asha@example.com"]}}
    await caller.edit(private.access_key, {"access": change})
    path = f"/v2/schedules/{private.access_key}/candidates/asha@example.com"
    assert (await candidate(caller, path))["testStatus"]["status"] == "AccessRevoked"


async def test_results_are_sorted_by_start_or_name(caller, sandbox, key):
    people = [{"Email Address": f"{n}@x.org", "First Name": n} for n in ("b", "C", "a", "d")]
    await caller.register(key, people)
    for email in ("a@x.org", "b@x.org"):
        sandbox.clock.advance(60)
        sandbox.candidates[key, email].start()

    async def names(**params):
        answer = await caller.get(f"/v2/schedules/{key}/candidates", params)
        return "".join(one["registration"]["First Name"] for one in answer["candidates"])

    assert await names() == "badC"
    assert await names(sort="testStartTime", sort_order="asc") == "Cdab"
    assert await names(sort="name", sort_order="asc") == "abCd"
    assert await names(sort="name") == "dCba"
    assert sandbox.stats.calls[-1].operation == "results.list"


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
async def test_a_candidate_has_all_results_of_the_account(caller, sandbox, finished, asha, version):
    other = sandbox.add_schedule("Second", assessment=list(sandbox.assessments.values())[1])
    await caller.register(other.access_key, [asha])
    foreign = sandbox.add_account()
    foreign_home = sandbox.add_assessment("Foreign", account=foreign)
    sandbox.add_schedule("Foreign", assessment=foreign_home)
    answer = await caller.get(f"/{version}/candidates/asha@example.com")
    items = answer["testInstances"]
    assert [item["testStatus"]["status"] for item in items] == ["Completed", "ToBeTaken"]
    assert items[1]["accessKey"] == other.access_key
    assert items[1]["assessmentName"] == "Coding Test"
    assert ("paging" in answer) == (version == "v3")
    assert sandbox.stats.calls[-1].operation == "results.list_for_candidate"
    assert sandbox.stats.calls[-1].version == version


async def test_a_deleted_result_is_gone_and_the_candidate_may_come_again(
    caller, sandbox, code, finished, asha
):
    key = sandbox.access_key
    first = sandbox.candidates.of(key)[0].candidate.ecc
    report = (await candidate(caller, finished))["testStatus"]["pdfReport"]
    assert (await caller.delete(finished)) == {"status": "SUCCESS"}
    assert sandbox.stats.calls[-1].operation == "results.delete"
    assert code(await caller.delete(finished)) == "E404"
    assert code(await caller.get(finished)) == "E404"
    assert (await caller.client.get(report)).status_code == 404
    (item,) = (await caller.register(key, [asha]))["registrationStatus"]
    assert item["status"] == "ToBeTaken"
    assert first not in item["url"]
    assert sandbox.owner_of(item["url"]) == "asha@example.com"
    assert (await candidate(caller, finished))["testStatus"]["status"] == "ToBeTaken"
    assert next(iter(sandbox.assessments.values())).tests_taken == 0


async def test_only_what_is_completed_or_expired_is_deleted(caller, sandbox, code, key, asha):
    path = f"/v1/schedules/{key}/candidates/asha@example.com"
    await caller.register(key, [asha])
    assert code(await caller.delete(path)) == "E000"
    sandbox.candidates[key, "asha@example.com"].start()
    assert code(await caller.delete(path)) == "E000"
    sandbox.candidates[key, "asha@example.com"].finish("TestExpired")
    sandbox.candidates[key, "asha@example.com"].resume()
    assert code(await caller.delete(path)) == "E000"
    sandbox.candidates[key, "asha@example.com"].finish("TestExpired")
    assert code(await caller.delete(path)) == "SUCCESS"
    assert len(sandbox.candidates) == 0


@pytest.mark.parametrize("kind", ["reset_after", "empty", "server_error:504"])
async def test_a_delete_whose_answer_is_lost_was_done(caller, sandbox, code, finished, kind):
    sandbox.faults.script([kind])
    if kind == "reset_after":
        with pytest.raises(httpx.ReadError):
            await caller.delete(finished)
    else:
        await caller.read(finished, method="DELETE")
    assert code(await caller.delete(finished)) == "E404"


async def test_proctored_schedules_have_a_credibility_index(caller, sandbox, asha):
    schedule = sandbox.add_schedule("W", settings={"webProctoring": {"enabled": True}})
    await caller.register(schedule.access_key, [asha])
    path = f"/v2/schedules/{schedule.access_key}/candidates/asha@example.com"
    sandbox.candidates[schedule.access_key, "asha@example.com"].finish("BrowsingToleranceExceeded")
    assert (await candidate(caller, path))["testStatus"]["result"][
        "candidateCredibilityIndex"
    ] == "Low"
    await caller.delete(path)
    await caller.register(schedule.access_key, [asha])
    sandbox.candidates[schedule.access_key, "asha@example.com"].finish()
    found = (await candidate(caller, path))["testStatus"]["result"]
    assert found["candidateCredibilityIndex"] in ("High", "Medium", "Low")


async def test_an_assessment_without_questions_has_a_result_too(caller, sandbox, asha):
    empty = sandbox.add_assessment("Empty", sections=())
    key = sandbox.add_schedule("E", assessment=empty).access_key
    await caller.register(key, [asha])
    sandbox.candidates[key, "asha@example.com"].finish()
    found = await candidate(caller, f"/v2/schedules/{key}/candidates/asha@example.com", **ALL)
    assert found["testStatus"]["result"]["maxMarks"] == 0.0
