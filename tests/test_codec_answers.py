"""Junk in every place of every answer; what answers of unknown form keep."""

import json
import pickle
from datetime import UTC, datetime
from functools import partial

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async import codec, models
from mettl_async.api.endpoints import LIST_ASSESSMENTS
from mettl_async.codec import json_text
from mettl_async.core.pipeline import ApiResponse
from mettl_async.errors import MettlDecodeError
from mettl_async.models._server_value import ServerValue
from mettl_async.models._wire import MERGED, WHOLE, places_of

EMAIL = "name@email.com"
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
MARKS = {"totalMarks": 1.0, "maxMarks": 2, "timeTaken": 7, "totalQuestion": 1.0}
RESULT = {
    "email": EMAIL,
    "registration": {"First Name": "A"},
    "end_time_GMT": "Fri, 16 Aug 2024 13:14:21 UTC",
    "testStatus": {
        "start_time_GMT": "Fri, 16 Aug 2024 13:14:13 UTC",
        "startTime": "Fri, 16 Aug 2024 18:44:13 IST",
        "status": "Completed",
        "compensatoryTime": "false",
        "overallStatus": "Completed",
        "detailedStatus": "Test-taker Completed",
        "completionMode": "Completed",
        "analysis": {"responseStyles": [{"title": "t"}], "recommendation": [{"type": "t"}]},
        "result": {
            **MARKS,
            "analysis": {"recommendation": [{"value": "v"}]},
            "difficultyMarks": [{"level": "EASY", **MARKS}],
            "sectionMarks": [
                {
                    **MARKS,
                    "skillMarks": [{**MARKS, "difficultyMarks": [{"level": "EASY"}]}],
                    "questionWiseResponse": [
                        {
                            "questionId": 7,
                            "questionResponse": {
                                "mcqTypeResponse": {"responseIndex": 1},
                                "longAnswerTypeResponse": {"candidateResponse": "x"},
                                "mcaTypeResponse": {"responses": [1]},
                            },
                            "evaluatorData": [{"email": EMAIL}],
                        }
                    ],
                }
            ],
        },
    },
}
ASSESSMENT = json.loads(
    '{"id":4107,"duration":50,"testsTaken":0,"name":"Aptitude Test","instructions":"","defaultInstructions":"<h2>…</h2>","allowCopyPaste":false,"exitRedirectionURL":null,"customAssessmentName":"{assessment-name} for {schedule-name}","showReportToCandidateOnExit":false,"onScreenCalculator":false,"fixedSectionOrder":true,"createdAt":"Thu, 14 Jun 2012 12:43:56 GMT","maxMarks":125.0,"markingScheme":"FIXED","assessmentType":"REGULAR","enableQRUpload":false,"sections":[{"name":"Section #1","instructions":"","duration":0,"isTimed":false,"order":1,"randomizeQuestions":false,"randomizeOptions":false,"allQuestionsMandatory":false,"skills":[{"name":"Quantitative Aptitude","level":"EASY","questionCount":10,"source":"Mettl","questionType":"MCQ","duration":15,"correctGrade":1.0,"incorrectGrade":-0.0,"questionPooling":true}]}],"registrationFields":[{"name":"Email Address","type":"TextBox","required":true,"validate":false,"values":[]},{"name":"Gender","type":"SelectBox","required":false,"validate":false,"values":["Male","Female"]}],"assessmentPerformanceCategory":{"version":1,"performanceCategories":["Pass","Fail"]}}'
)
ACCOUNT = {"email": EMAIL, "firstName": "A", "lastName": "B", "accountType": "T", "logo": {"u": [EMAIL]}}  # fmt: skip
ANSWERS = [
    (models.CandidateResult, RESULT),
    (models.TestInstance, {"accessKey": "k", "testStatus": RESULT["testStatus"], "x": [EMAIL]}),
    (models.Assessment, ASSESSMENT),
    (models.AccountInfo, ACCOUNT),
    (models.Pbt, {"pbtId": 7, "pbtName": "n", "x": {"y": 1}}),
    (models.CreatedAssessment, {"assessmentId": 7}),
]
NEEDED = {
    models.CandidateResult: {("email",)},
    models.Assessment: {("id",)},
    models.Pbt: {("pbtId",)},
    models.CreatedAssessment: {("assessmentId",)},
}


def places(data, path=()):
    yield path
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()  # fmt: skip
    for name, item in items:
        yield from places(item, (*path, name))


def graft(data, path, junk):
    if not path:
        return junk
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = graft(data[path[0]], path[1:], junk)
    return copy


@pytest.mark.parametrize(("cls", "answer"), ANSWERS, ids=lambda value: getattr(value, "__name__", ""))  # fmt: skip
@given(data=st.data())
def test_junk_anywhere_raises_only_where_it_must(cls, answer, data):
    path = data.draw(st.sampled_from(list(places(answer))))
    junk = data.draw(JSON | st.text("0123456789:,. +-GMTUCISFriAug", max_size=30))
    grafted = graft(answer, path, junk)
    readable = True
    try:
        model = codec.from_wire(cls, grafted, where="$")
    except MettlDecodeError as error:
        assert not path or path in NEEDED.get(cls, ())
        assert error.__context__ is None
        assert EMAIL not in str(error)
        readable = False
    else:
        assert type(model) is cls
        assert pickle.loads(pickle.dumps(model)) == model  # noqa: S301 - our own bytes
        assert hash(model) == hash(model)
        assert EMAIL not in repr(model)
        codec.dumps(codec.to_wire(model))
    assert len(codec.list_from_wire(cls, [answer, grafted, answer], where="$")) == 2 + readable


def test_a_good_item_survives_its_bad_neighbours():
    marks = [{"sectionName": "a"}, None, 7, "x", [], {"sectionName": "b", "skillMarks": [3, {}]}]
    wire = graft(RESULT, ("testStatus", "result", "sectionMarks"), marks)
    sections = codec.from_wire(
        models.CandidateResult, wire, where="$"
    ).test_status.result.section_marks
    assert [one.section_name for one in sections] == ["a", "b"]
    assert len(sections[1].skill_marks) == 1


def test_an_assessment_is_typed_to_the_leaf():
    one = codec.from_wire(models.Assessment, ASSESSMENT, where="$")
    assert one.created_at == datetime(2012, 6, 14, 12, 43, 56, tzinfo=UTC)
    assert (one.default_instructions, one.exit_redirection_url) == ("<h2>…</h2>", None)
    assert (one.enable_qr_upload, one.marking_scheme) == (False, models.MarkingScheme.FIXED)
    (skill,) = one.sections[0].skills
    assert (skill.level, skill.source) == (models.Level.EASY, models.QuestionSource.METTL)
    assert (skill.question_type, skill.question_count) == (models.QuestionType.MCQ, 10)
    email, gender = one.registration_fields
    assert (email.required, gender.values) == (True, ("Male", "Female"))
    assert gender.type is models.RegistrationFieldType.SELECT_BOX
    assert one.assessment_performance_category.performance_categories == ("Pass", "Fail")
    # Every property has its place.
    wire = codec.to_wire(one)
    assert set(wire) == set(ASSESSMENT) - {"exitRedirectionURL"}
    assert wire["sections"] == ASSESSMENT["sections"]


def test_what_has_no_attribute_is_kept_where_the_form_is_not_known():
    account = codec.from_wire(models.AccountInfo, ACCOUNT, where="$")
    assert (account.first_name, account.account_type) == ("A", "T")
    assert account.extra == {"logo": {"u": (EMAIL,)}}
    pbt = codec.from_wire(models.Pbt, {"id": "7", "name": "n", "z": 1}, where="$")
    assert (pbt.pbt_id, pbt.pbt_name, pbt.extra) == (7, "n", {"z": 1})
    assert pbt == models.Pbt(pbt_id=7, pbt_name="n")
    with pytest.raises(MettlDecodeError, match=r"^\$\.pbtId: expected int, got str"):
        codec.from_wire(models.Pbt, {"pbtId": "x", "id": []}, where="$")
    deep = json.loads("[" * 500 + "]" * 500)
    hash(codec.from_wire(models.AccountInfo, {"deep": deep}, where="$"))


def server_values(cls=ServerValue):
    subclasses = [one for one in cls.__subclasses__() if one.__name__ != "Twin"]
    return {*subclasses}.union(*map(server_values, subclasses))


NEEDED_BY_ANY = {
    "invitation_key": "key",
    "email": "a@x.org",
    "accessKey": "key",
    "name": "n",
    "id": 7,
}
NEEDED_BY_ANY |= {"pbtId": 7, "added": True, "assessmentId": 7}


@pytest.mark.parametrize("cls", sorted(server_values(), key=lambda cls: cls.__name__))
def test_what_no_attribute_reads_is_in_extra_and_nothing_else_is(cls):
    fields = [one for one in attrs.fields(cls) if one.name != "extra"]
    known = {place[0] for one in fields for place in places_of(cls, one)} | {*cls.also_read}
    wire = {name: NEEDED_BY_ANY.get(name) for name in known - {WHOLE, *MERGED}}
    bare = codec.from_wire(cls, wire, where="$")
    assert bare.extra == {}
    more = codec.from_wire(cls, wire | {"x": [1], "y": {}, "z": None}, where="$")
    assert more.extra == {"x": (1,), "y": {}, "z": None}
    few = {name: item for name, item in wire.items() if item is not None}
    assert codec.from_wire(cls, few | {"x": 1}, where="$").extra == {"x": 1}
    if not hasattr(more, "raw"):
        assert more == bare


def test_an_object_that_is_read_in_part_is_in_extra_as_a_whole():
    read = partial(codec.from_wire, models.CandidateResponse, where="$")
    assert read({"mcqTypeResponse": {"responseIndex": 1}}).extra == {}
    assert read({"mcqTypeResponse": None}).extra == {}
    more = read({"mcqTypeResponse": {"responseIndex": 1, "confidence": 2}})
    assert (more.response_index, more.extra) == (
        1,
        {"mcqTypeResponse": {"responseIndex": 1, "confidence": 2}},
    )


def test_what_another_class_reads_is_no_extra():
    inside = codec.from_wire(models.CandidateResult, RESULT, where="$")
    assert inside.extra == inside.test_status.extra == {}
    assert inside.test_status.analysis is not None
    assert set(inside.test_status.result.extra) == {"timeTaken"}
    beside = {"email": EMAIL, "start_time_GMT": "Fri, 16 Aug 2024 13:14:13 UTC", "testStatus": {}}
    assert codec.from_wire(models.CandidateResult, beside, where="$").extra == {}


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        ({}, (None, None)),
        ({"next": None, "previous": "https://x", "totalRecords": 7.0}, (False, 7)),
        ({"next": "https://x", "totalRecords": "7"}, (True, 7)),
        ({"next": "", "totalRecords": -1}, (False, None)),
        ({"next": {}, "previous": 7, "totalRecords": [7]}, (None, None)),
    ],
)
def test_paging_keeps_no_address(wire, expected):
    payload = {"assessments": [], "paging": wire}
    page = LIST_ASSESSMENTS.returns.read(ApiResponse(payload, None))
    assert (page.has_next, page.total) == expected


def test_unknown_words_do_not_pile_up():
    for number in range(2000):
        wire = {"status": f"word {number}", "overallStatus": "w" * 1000 + str(number)}
        assert codec.from_wire(models.TestStatus, wire, where="$").status == f"word {number}"
    from mettl_async.codec.scalars import _word  # noqa: PLC0415 - the only look behind the curtain

    info = _word.cache_info()
    assert info.currsize <= info.maxsize < 2000


# --- numbers that are too large, without orjson


@pytest.mark.parametrize(
    "text",
    ["1e999", "1E+999", "-1e0400", "1.5e308000", "[1,1e999]", '{"a": -1.0E+999}', "9" * 400 + ".0",
     "[0e0000,1e999]"],
)  # fmt: skip
def test_a_number_beyond_all_bounds_is_refused(text, monkeypatch):
    monkeypatch.setattr(json_text, "orjson", None)
    with pytest.raises(ValueError, match="not JSON"):
        codec.loads(text.encode())


@given(
    st.floats(allow_nan=False, allow_infinity=False)
    | st.text('0123456789eE+-.":, ', max_size=40)
    | st.builds("{}e{}{}".format, st.integers(), st.sampled_from(["", "+", "-"]), st.integers(0, 999))
)  # fmt: skip
def test_no_number_is_infinite_and_no_text_is_mistaken(value):
    content = (json.dumps(value) if isinstance(value, float) else str(value)).encode()
    quoted = json.dumps({"key": content.decode(), "list": [content.decode()]}).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_text, "orjson", None)
        assert codec.loads(quoted)["key"] == content.decode()
        try:
            read = codec.loads(content)
        except ValueError:
            return
    json.dumps(read, allow_nan=False)
