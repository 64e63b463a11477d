"""The endpoints of assessments, and what they accept.

A property that the vendor's pages don't have is let through and not looked at. The shape of sections is
[seen] in one client, their rules are [assumed].
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mettl_async.sandbox import shapes
from mettl_async.sandbox.clock import gmt
from mettl_async.sandbox.envelope import RefusalError, bad_request
from mettl_async.sandbox.grading import CATEGORY_NAMES
from mettl_async.sandbox.request import ApiRequest, Payload, endpoint
from mettl_async.sandbox.state import DEFAULT_SECTIONS, Assessment, RegistrationField, max_marks

LEVELS: Final = ("EASY", "MEDIUM", "DIFFICULT")  # the last two are [seen] in a comment only
QUESTION_TYPES: Final = (
    "AllType", "MCQ", "CODE", "FITB", "LONG_ANSWER", "MCA", "SQL", "SHORT_ANSWER", "CS", "CP",
    "FES", "TS", "FU",
)  # fmt: skip
NEVER_SKIPPED: Final = ("Email Address", "First Name")  # [doc]

_GRADES: Final = ("correctGrade", "incorrectGrade")
_SKILL: Final = {
    "name": shapes.WORDS,  # must exist in the question bank; the sandbox's has every skill
    "level": shapes.must(
        " or ".join(LEVELS), lambda value: isinstance(value, str) and value.upper() in LEVELS
    ),
    "questionCount": shapes.POSITIVE,
    "questionPooling": shapes.BOOL,
    "questionType": shapes.one_of(*QUESTION_TYPES),
    **dict.fromkeys(_GRADES, shapes.NUMBER),
}
_SECTION: Final = {
    "name": shapes.WORDS,
    "duration": shapes.COUNT,
    "instructions": shapes.TEXT,
    "allQuestionsMandatory": shapes.BOOL,
    "randomizeQuestions": shapes.BOOL,
    "skills": shapes.each(shapes.shape(_SKILL, ("name", "level", "questionCount"))),
}
_COMMON: Final = {
    "instructions": shapes.TEXT,
    "allowCopyPaste": shapes.BOOL,
    "exitRedirectionURL": shapes.TEXT,
    "onScreenCalculator": shapes.BOOL,
}
_CREATE: Final = shapes.shape(
    {
        **_COMMON,
        "name": shapes.WORDS,
        "duration": shapes.POSITIVE,
        "showReportToCandidateOnExit": shapes.BOOL,
        "sections": shapes.each(shapes.shape(_SECTION, ("name", "skills"))),
    },
    ("name",),
)
# ``showReportToCandidateOnExit`` is not a name here [doc], so it changes nothing [assumed].
_SETTINGS: Final = shapes.shape({**_COMMON, "showReportToCandidate": shapes.BOOL})


@endpoint("GET", "/assessments", "assessments.list")
def list_assessments(request: ApiRequest) -> Payload:
    """List the assessments of the account, paged."""
    found = request.sort(
        request.account.assessments.values(),
        createdAt=lambda one: one.created_at,
        testTaken=lambda one: one.tests_taken,  # its meaning is [assumed]
        name=lambda one: one.name.lower(),
    )
    shown, paging = request.paginate(found)
    return {"assessments": [describe_assessment(one) for one in shown], "paging": paging}


@endpoint("GET", "/assessments/{assessment_id}", "assessments.get")
def get_assessment(request: ApiRequest) -> Payload:
    """Describe one assessment as a whole."""
    return {"assessment": describe_assessment(request.assessment())}


@endpoint("POST", "/assessments", "assessments.create")
def create_assessment(request: ApiRequest) -> Payload:
    """Create an assessment; its name must be unique in the account."""
    sent = request.json("assessments")
    _CREATE(sent, "assessments")
    sections = sent.get("sections", [])
    if len({part["name"] for part in sections}) < len(sections):
        raise bad_request("assessments.sections must have unique names")
    timed = bool(sections) and all(part.get("duration") for part in sections)
    if "duration" not in sent and not timed:  # [doc]
        raise bad_request("assessments.duration is required unless every section has its own")
    if any(one.name == sent["name"] for one in request.account.assessments.values()):
        # The code is [assumed] from the one of schedules, and so are the words.
        raise RefusalError("E000", "Please use unique title for Assessment")
    assessment = request.simulation.add_assessment(
        sent["name"],
        account=request.account,
        sections=[_read_section(part) for part in sections] or DEFAULT_SECTIONS,
    )
    durations = [part["duration"] for part in assessment.sections]
    assessment.duration = sent.get("duration") or sum(durations)
    _apply(assessment, sent, "showReportToCandidateOnExit")
    return {
        "assessmentId": assessment.id,  # [seen]
        "assessment": describe_assessment(assessment),  # [assumed]
    }


@endpoint("POST", "/assessments/{assessment_id}/settings/edit", "assessments.edit_settings")
def edit_settings(request: ApiRequest) -> Payload:
    """Change some settings; answers the assessment without sections and fields [seen]."""
    assessment = request.assessment()
    sent = request.json("as")
    _SETTINGS(sent, "as")
    _apply(assessment, sent, "showReportToCandidate")  # not the name that it has elsewhere [doc]
    return {"assessment": _describe_settings(assessment)}


def _apply(assessment: Assessment, sent: Payload, show_report: str) -> None:
    attributes = {
        "instructions": "instructions",
        "allowCopyPaste": "allow_copy_paste",
        "exitRedirectionURL": "exit_redirection_url",
        "onScreenCalculator": "on_screen_calculator",
        show_report: "show_report_on_exit",
    }
    for name in attributes.keys() & sent.keys():
        setattr(assessment, attributes[name], sent[name])


def _read_section(sent: Mapping[str, Any]) -> Payload:
    """Make grades numbers with a fraction, and levels upper case."""
    skills = []
    for skill in sent["skills"]:
        grades = {name: float(skill[name]) for name in _GRADES if name in skill}
        skills.append({**skill, "level": skill["level"].upper(), **grades})
    return {**sent, "skills": skills}


def _describe_settings(assessment: Assessment) -> Payload:
    """Make the assessment object of Edit Assessment Settings."""
    return {
        "id": assessment.id,
        "duration": assessment.duration,
        "testsTaken": assessment.tests_taken,
        "name": assessment.name,
        "instructions": assessment.instructions,
        "defaultInstructions": "<h2>Instructions</h2><ol><li>Do not close this window.</li></ol>",
        "allowCopyPaste": assessment.allow_copy_paste,
        "exitRedirectionURL": assessment.exit_redirection_url,
        "customAssessmentName": "{assessment-name} for {schedule-name}",
        "showReportToCandidateOnExit": assessment.show_report_on_exit,
        "onScreenCalculator": assessment.on_screen_calculator,
        "fixedSectionOrder": True,
        "createdAt": gmt(assessment.created_at),
        "maxMarks": max_marks(assessment.sections),
        "markingScheme": "FIXED",
        "assessmentType": "REGULAR",
        "enableQRUpload": False,
    }


def describe_assessment(assessment: Assessment) -> Payload:
    """Make the assessment object of Get Assessment."""
    return {
        **_describe_settings(assessment),
        "sections": [
            _describe_section(part, order) for order, part in enumerate(assessment.sections, 1)
        ],
        "registrationFields": describe_fields(assessment.registration_fields),
        "assessmentPerformanceCategory": {
            "version": 1,
            "performanceCategories": list(CATEGORY_NAMES),
        },
    }


def _describe_section(part: Mapping[str, Any], order: int) -> Payload:
    more = {"source": "Mettl", "duration": part["duration"]}
    return {
        **part,
        "isTimed": part["duration"] > 0,
        "order": order,
        "randomizeOptions": False,
        "skills": [{**skill, **more} for skill in part["skills"]],
    }


def describe_fields(registration_fields: Iterable[RegistrationField]) -> list[Payload]:
    """Make ``registrationFields``: those that nobody can skip, then the others."""
    always = [RegistrationField(name, required=True) for name in NEVER_SKIPPED]
    return [
        {
            "name": one.name,
            "type": "SelectBox" if one.values else one.type,
            "required": one.required,
            "validate": False,
            # [seen]: values may be absent; that those of a TextBox are is [assumed]
            **({"values": list(one.values)} if one.values else {}),
        }
        for one in (*always, *registration_fields)
    ]
