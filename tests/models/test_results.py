"""Results, as both generations of the server send them."""

import copy
import pickle
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async import codec, models
from mettl_async.errors import MettlDecodeError
from mettl_async.models import CompletionMode, DetailedStatus, FinishMode, OverallStatus, TestState

START, END = (datetime(2024, 8, 16, 13, 14, second, tzinfo=UTC) for second in (13, 21))
SECRET = "secret-person"  # stands wherever something personal or a link would

DIFFICULTY = {"level": "EASY", "totalQuestion": 1, "totalMarks": 0.0, "totalUnAnswered": 0, "maxMarks": 1.0, "timeTaken": 7, "totalCorrectAnswers": 0}  # fmt: skip
COUNTS = {"totalMarks": 0.0, "maxMarks": 1.0, "totalQuestion": 1.0, "totalCorrectAnswers": 0.0, "totalUnAnswered": 0.0}  # fmt: skip
EVALUATOR = {"name": SECRET, "email": SECRET, "marksAwarded": 0.5, "evaluationComments": SECRET, "evaluationTime": "x", "evaluatorRole": "r"}  # fmt: skip


def question(kind, response, **more):
    return {
        "questionId": 7,
        "apiQuestionType": kind,
        "version": 1,
        "questionResponse": response,
        "minMarks": -0.25,
        "maxMarks": 1.0,
        "marksScored": -0.25,
        "isAttempted": True,
        "timeSpent": 4.5,
        "skillName": "Agility",
        "evaluatorData": [],
    } | more


QUESTIONS = [
    question("MCQ", {"mcqTypeResponse": {"responseIndex": 2.0}}),
    question("MCA", {"mcaTypeResponse": {"responses": [0, 2]}}),
    question(
        "LONG_ANSWER",
        {"longAnswerTypeResponse": {"candidateResponse": SECRET, "uploadedFiles": [{"a": SECRET}]}},
        evaluatorData=[EVALUATOR],
    ),
    question("SHORT_ANSWER", {"shortAnswerTypeResponse": {"candidateResponse": SECRET}}),
    question("DIAGRAM", {"diagramTypeResponse": {"shapes": [SECRET]}}),
]
ANALYSIS = {
    "responseStyles": [{"title": "Genuine", "description": "If questions are answered."}],
    "recommendation": [{"type": "Performance Category", "value": "Poor"}],
}
CANDIDATE_2024 = {
    "email": f"{SECRET}@example.com",
    "registration": {"Email Address": f"{SECRET}@example.com", "First Name": SECRET},
    "testStatus": {
        "start_time_GMT": "Fri, 16 Aug 2024 13:14:13 UTC",
        "end_time_GMT": "Fri, 16 Aug 2024 13:14:21 UTC",
        "status": "Completed",
        "compensatoryTime": "false",
        "overallStatus": "Completed",
        "detailedStatus": "Test-taker Completed",
        "startTime": "Fri, 16 Aug 2024 18:44:13 IST",
        "endTime": "Fri, 16 Aug 2024 18:44:21 IST",
        "completionMode": "Completed",
        "result": {
            **COUNTS,
            "percentile": 90.9090909090909,
            "attemptTime": 7.752,
            "candidateCredibilityIndex": "Not Applicable",
            "codePlagiarism": "NA",
            "sectionMarks": [
                {
                    "sectionName": "Section #1",
                    **COUNTS,
                    "timeTaken": 0.0,
                    "skillMarks": [
                        {
                            "skillName": "Agility",
                            **COUNTS,
                            "timeTaken": 7.0,
                            "difficultyMarks": [DIFFICULTY],
                        }
                    ],
                    "difficultyMarks": [],
                    "questionWiseResponse": QUESTIONS,
                }
            ],
            "performanceCategory": "Poor",
            "performanceCategoryVersion": 1,
            "difficultyMarks": [DIFFICULTY],
            "analysis": ANALYSIS,
        },
        "pdfReport": f"https://mettl.com/analytics/download?{SECRET}",
        "htmlReport": f"https://mettl.com/analytics/share-report?key={SECRET}",
    },
    "context_data": SECRET,
}
CANDIDATE_2016 = {
    "email": f"{SECRET}@example.com",
    "registration": {"Email Address": f"{SECRET}@example.com", "Date of birth": 1990},
    "testStatus": {
        "status": "Completed",
        "startTime": "Fri, 15 Jan 2016 07:14:51 GMT",
        "endTime": "Fri, 15 Jan 2016 07:18:17 GMT",
        "completionMode": "Expired",
        "result": {**COUNTS, "attemptTime": 206.0, "analysis": None},
        "pdfReport": f"https://mettl.com/corporate/analytics/downloadPdfReport?key={SECRET}",
    },
}


def read(wire, cls=models.CandidateResult):
    return codec.from_wire(cls, wire, where="$")


def status(**wire):
    return read(wire, models.TestStatus)


def test_a_result_of_2024_is_typed_to_the_leaf():
    one = read(CANDIDATE_2024)
    assert (one.email, one.context_data) == (f"{SECRET}@example.com", SECRET)
    assert one.registration["First Name"] == SECRET
    test = one.test_status
    assert (test.start_time, test.end_time) == (START, END)
    assert (test.status, test.overall_status) == (TestState.COMPLETED, OverallStatus.COMPLETED)
    assert test.detailed_status is DetailedStatus.TEST_TAKER_COMPLETED
    assert test.completion_mode is CompletionMode.COMPLETED
    assert (test.compensatory_time, test.last_response_time) == (None, None)
    result = test.result
    assert (result.attempt_time, result.max_marks) == (7.752, 1.0)
    assert result.candidate_credibility_index is models.CredibilityIndex.NOT_APPLICABLE
    assert (result.code_plagiarism, result.performance_category) == ("NA", "Poor")
    (section,) = result.section_marks
    (skill,) = section.skill_marks
    for counted in (result, section, skill, *skill.difficulty_marks):
        assert (counted.total_question, counted.total_un_answered) == (1, 0)
        assert type(counted.total_question) is int
    assert result.difficulty_marks == skill.difficulty_marks
    (hard,) = skill.difficulty_marks
    assert (hard.level, hard.time_taken, type(hard.time_taken)) == (models.Level.EASY, 7.0, float)


def test_a_result_of_2016_lacks_most_of_it():
    one = read(CANDIDATE_2016)
    test = one.test_status
    assert test.start_time == datetime(2016, 1, 15, 7, 14, 51, tzinfo=UTC)
    assert (test.overall_status, test.detailed_status, test.analysis) == (None, None, None)
    assert (test.is_finished, test.can_be_resumed, test.needs_attention) == (True, True, True)
    assert one.registration["Date of birth"] == "1990"


def test_answers_to_questions_have_one_form():
    (section,) = read(CANDIDATE_2024).test_status.result.section_marks
    mcq, mca, long, short, diagram = section.question_responses
    assert (mcq.api_question_type, mcq.response.response_index) == (models.QuestionType.MCQ, 2)
    assert (mcq.marks_scored, mcq.time_spent, mcq.is_attempted) == (-0.25, 4.5, True)
    assert mca.response.responses == (0, 2)
    assert (long.response.text, short.response.text) == (SECRET, SECRET)
    assert long.response.uploaded_files == ({"a": SECRET},)
    assert long.evaluator_data[0].marks_awarded == 0.5
    assert diagram.response.extra == {"diagramTypeResponse": {"shapes": (SECRET,)}}
    assert not diagram.api_question_type.is_known
    assert mcq.response.extra == {}


def test_analysis_is_found_within_the_result_and_beside_it():
    beside = copy.deepcopy(CANDIDATE_2024)
    beside["testStatus"]["analysis"] = beside["testStatus"]["result"].pop("analysis")
    null_inside = copy.deepcopy(beside)
    null_inside["testStatus"]["result"]["analysis"] = None
    without_result = copy.deepcopy(beside)
    without_result["testStatus"]["result"] = None
    for wire in (CANDIDATE_2024, beside, null_inside, without_result):
        analysis = read(wire).test_status.analysis
        assert [one.value for one in analysis.recommendations] == ["Poor"]
        assert [one.title for one in analysis.response_styles] == ["Genuine"]


GMT, IST = "Fri, 16 Aug 2024 13:14:13 UTC", "Fri, 16 Aug 2024 18:44:13 IST"
WRONG = "Fri, 16 Aug 2024 01:01:01 IST"


@pytest.mark.parametrize(
    "wire",
    [
        {"testStatus": {"startTime": IST}},
        {"testStatus": {"startTime": "Fri, 16 Aug 2024 13:14:13 GMT"}},
        {"testStatus": {"startTime": WRONG, "start_time_GMT": GMT}},
        {"testStatus": {"startTime": IST, "start_time_GMT": "soon"}},
        {"testStatus": {"startTime": IST, "start_time_GMT": None}},
        {"testStatus": {"startTime": WRONG}, "start_time_GMT": GMT},
        {"testStatus": {"startTime": WRONG, "start_time_GMT": 7}, "start_time_GMT": GMT},
        {"testStatus": {"startTime": WRONG, "start_time_GMT": GMT}, "start_time_GMT": WRONG},
        {"testStatus": {"startTime": IST}, "start_time_GMT": ["x"]},
    ],
)
def test_the_time_in_gmt_counts_wherever_it_stands(wire):
    assert read({"email": "a@x.org", **wire}).test_status.start_time == START


@pytest.mark.parametrize(
    ("wire", "value"),
    [("false", None), (None, None), (False, None), ("x", None), (-5, None), (1e300, None),
     (20, timedelta(minutes=20)), ("20", timedelta(minutes=20)), (0.0, timedelta(0))],
)  # fmt: skip
def test_extra_time_is_a_duration_or_none(wire, value):
    assert status(compensatoryTime=wire).compensatory_time == value


@pytest.mark.parametrize("wire", [None, [], "x", 7])
def test_a_missing_status_is_none(wire):
    assert read({"email": "a@x.org", "testStatus": wire}).test_status is None
    with pytest.raises(MettlDecodeError, match=r"^\$\.email: expected str, got null"):
        read({"testStatus": {}})


def test_registration_values_become_text():
    values = {"a": "x", "b": 7, "c": True, "d": None, "e": ["x", 1], "f": 1.5}
    assert read({"email": "a@x.org", "registration": values}).registration == {
        "a": "x",
        "b": "7",
        "c": "true",
        "e": '["x",1]',
        "f": "1.5",
    }


# --- the tables of statuses, as the vendor prints them

TABLE = """\
Yet to Start|Mapped|startable
Yet to Start|Invited|startable
Yet to Start|Registered|startable
Not Started|Access Expired|
In-progress|In-progress|in_progress
In-progress|Awaiting Resume Permission|in_progress attention
Completed|Test-taker completed|finished
Completed|Time Over|finished
Test Stopped|Mic Mute Limit exceeded|finished attention
Test Stopped|Browsing Tolerance Limit Exceeded|finished attention
Test Stopped|Proctor Stopped |finished attention
Test Stopped|Suspicious Software Detected|finished attention
Test Stopped|Multiple Screen Detected|finished attention
Test Stopped|Prohibited Apps Running|finished attention
Test Stopped|Screen Capture/Recording Detected|finished attention
Test Stopped|Screen Sharing/Remote Access Detected |finished attention
Blocked|Authorizer Blocked|finished attention
Disconnected|Disconnected from Server|finished attention
Disconnected|Test Window Closed|finished attention
Disconnected|Awaiting Test-taker Resume|in_progress"""
ROWS = [tuple(line.split("|")) for line in TABLE.splitlines()]


def said(test):
    return {
        name
        for name in ("startable", "in_progress", "finished", "attention")
        if getattr(test, "needs_attention" if name == "attention" else f"is_{name}")
    }


@pytest.mark.parametrize("change", [str, str.upper, str.lower, lambda text: f" {text} "])
@pytest.mark.parametrize(("overall", "detailed", "expected"), ROWS)
def test_helpers_follow_the_table_without_case_and_spaces(overall, detailed, expected, change):
    test = status(overallStatus=change(overall), detailedStatus=change(detailed))
    assert test.overall_status.is_known
    assert test.detailed_status.is_known
    assert test.detailed_status.overall is test.overall_status
    assert said(test) == set(expected.split())
    assert said(status(detailedStatus=detailed)) == set(expected.split())


def test_the_table_has_every_word():
    assert {DetailedStatus(row[1]) for row in ROWS} == set(DetailedStatus)
    assert {OverallStatus(row[0]) for row in ROWS} == set(OverallStatus)


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        ({}, ""),
        ({"status": "ToBeTaken"}, "startable"),
        ({"status": "InProgress", "lastResponseTime": "x"}, "in_progress"),
        ({"status": "Completed", "completionMode": "Completed"}, "finished"),
        ({"status": "Completed", "completionMode": "Expired"}, "finished attention"),
        ({"status": "Completed", "completionMode": "ProctoredFinish"}, "finished attention"),
        ({"status": "Completed", "completionMode": "ResumeEnabled"}, "in_progress"),
        ({"overallStatus": "Disconnected", "completionMode": "ResumeEnabled"}, "in_progress"),
        ({"status": "Archive"}, ""),
        ({"status": "AccessRevoked", "overallStatus": "Yet to Start"}, ""),
        ({"status": "InValid"}, ""),
        ({"status": "Later", "overallStatus": "Later", "detailedStatus": "Later"}, ""),
        ({"status": "Completed", "overallStatus": "Later", "detailedStatus": "Later"}, "finished"),
        ({"overallStatus": "Test Stopped", "detailedStatus": "Later"}, "finished attention"),
        ({"status": "ToBeTaken", "overallStatus": "Not Started"}, ""),
    ],
)
def test_helpers_without_a_row_of_the_table(wire, expected):
    assert said(status(**wire)) == set(expected.split())


def words(enum):
    return st.none() | st.sampled_from(enum)


@given(
    words(TestState), words(OverallStatus), words(DetailedStatus), words(CompletionMode)
)  # fmt: skip
def test_a_test_is_at_most_one_of_startable_in_progress_finished(state, overall, detailed, mode):
    test = models.TestStatus(
        status=state, overall_status=overall, detailed_status=detailed, completion_mode=mode
    )
    assert len(said(test) - {"attention"}) <= 1
    assert test.can_be_resumed is (mode is CompletionMode.EXPIRED)


MODES = """\
TimeExpired|AutoCompleted|Auto Submit
Blocked|NA|Blocked
BrowsingToleranceExceeded|BrowsingToleranceExceeded|Browsing Tolerance Exceeded
TestExpired|Expired|Expired
NormalSubmission|Completed|Normal
ParentFinish|ParentFinished|Normal
ProctoredFinish|ProctoredFinish|Proctored Finish
NA|ResumeEnabled|Resume Enabled
SuspiciousSoftwareFinish|SuspiciousSoftwareFinish|Suspicious Software Finish
CandidateClosed|CandidateClosed|Test Window Closed"""


@pytest.mark.parametrize("line", MODES.splitlines())
def test_finish_and_completion_modes_map_as_the_table_says(line):
    finish, completion, text = line.split("|")
    mode = CompletionMode(completion) if completion != "NA" else None
    if finish != "NA":
        assert FinishMode(finish).is_known
        assert FinishMode(finish).completion_mode is mode
        assert FinishMode(finish).report_text == text
    if mode is not None:
        assert mode.is_known
        assert mode.report_text == text
        assert mode.finish_mode is (FinishMode(finish) if finish != "NA" else None)
    unknown = FinishMode("Later"), CompletionMode("Later")
    assert [(unknown[0].completion_mode, unknown[1].finish_mode)] == [(None, None)]
    assert [one.report_text for one in unknown] == [None, None]


def test_every_mode_is_in_the_table():
    rows = [line.split("|") for line in MODES.splitlines()]
    assert {row[0] for row in rows} - {"NA"} == set(FinishMode)
    assert {row[1] for row in rows} - {"NA"} == set(CompletionMode)


# --- values


@pytest.mark.parametrize("wire", [CANDIDATE_2024, CANDIDATE_2016])
def test_a_decoded_result_is_like_a_built_one(wire):
    one = read(wire)
    shown = repr(one)
    assert SECRET not in shown
    again = pickle.loads(pickle.dumps(one))  # noqa: S301 - our own bytes
    assert again == one == copy.deepcopy(one)
    assert SECRET not in repr(again)
    assert hash(again) == hash(one)

    def rebuilt(value):
        if isinstance(value, tuple):
            return tuple(map(rebuilt, value))
        if not attrs.has(type(value)):
            return value
        parts = {a.name: rebuilt(getattr(value, a.name)) for a in attrs.fields(type(value))}
        made = type(value)(**parts)
        assert type(made) is type(value)
        assert made == value
        assert hash(made) == hash(value)
        assert repr(made) == repr(value)
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            value.email = "x"
        return made

    assert rebuilt(one) == one
    assert attrs.evolve(one, email="b@x.org").test_status is one.test_status
