"""The endpoints of assessments, and what they accept.

A property that the vendor's pages don't have is let through and not looked at. The shape of sections is
[seen] in one client, their rules are [assumed].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import fields

from mettl_async.sandbox.clock import gmt
from mettl_async.sandbox.envelope import RefusalError, bad_request
from mettl_async.sandbox.grading import CATEGORY_NAMES
from mettl_async.sandbox.request import ApiRequest, Payload, endpoint
from mettl_async.sandbox.shapes import (
    BOOL,
    COUNT,
    NUMBER,
    POSITIVE,
    TEXT,
    WORDS,
    each,
    must,
    one_of,
    shape,
)
from mettl_async.sandbox.state import (
    DEFAULT_SECTIONS,
    LEVELS,
    QUESTION_TYPES,
    RegistrationField,
    Section,
    Skill,
    max_marks,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mettl_async.sandbox.state import Assessment

NEVER_SKIPPED: Final = ("Email Address", "First Name")  # [doc]

_SKILL: Final = shape(
    {
        "name": WORDS,  # must exist in the question bank; the sandbox's has every skill
        "level": must(
            " or ".join(LEVELS), lambda value: isinstance(value, str) and value.upper() in LEVELS
        ),
        "questionCount": POSITIVE,
        "questionPooling": BOOL,
        "questionType": one_of(*QUESTION_TYPES),
        "correctGrade": NUMBER,
        "incorrectGrade": NUMBER,
    },
    ("name", "level", "questionCount"),
)
_SECTION: Final = shape(
    {
        "name": WORDS,
        "duration": COUNT,
        "instructions": TEXT,
        "allQuestionsMandatory": BOOL,
        "randomizeQuestions": BOOL,
        "skills": each(_SKILL),
    },
    ("name", "skills"),
)
_COMMON: Final = {
    "instructions": TEXT,
    "allowCopyPaste": BOOL,
    "exitRedirectionURL": TEXT,
    "onScreenCalculator": BOOL,
}
_CREATE: Final = shape(
    {
        **_COMMON,
        "name": WORDS,
        "duration": POSITIVE,
        "showReportToCandidateOnExit": BOOL,
        "sections": each(_SECTION),
    },
    ("name",),
)
# ``showReportToCandidateOnExit`` is not a name here [doc], so it changes nothing [assumed].
_SETTINGS: Final = shape({**_COMMON, "showReportToCandidate": BOOL})


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
    made = [_read_section(part) for part in sections] or DEFAULT_SECTIONS
    assessment = request.simulation.add_assessment(
        sent["name"], account=request.account, sections=made
    )
    assessment.duration = sent.get("duration") or sum(part.duration for part in made)
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


def _wire_names(kind: type[Any]) -> dict[str, str]:
    """Map the attributes of a section or skill to their names on the wire."""
    names = (one.name for one in fields(kind))
    return {name: name[0] + name.title().replace("_", "")[1:] for name in names}


def _read(kind: type[Any], sent: Mapping[str, Any], **values: Any) -> Any:
    given = {name: sent[wire] for name, wire in _wire_names(kind).items() if wire in sent}
    return kind(**given | values)


def _read_section(sent: Mapping[str, Any]) -> Section:
    skills = tuple(
        _read(
            Skill,
            {"questionType": "AllType", "questionPooling": False, **skill},
            level=skill["level"].upper(),
            correct_grade=float(skill.get("correctGrade", 1)),
            incorrect_grade=float(skill.get("incorrectGrade", 0)),
        )
        for skill in sent["skills"]
    )
    section: Section = _read(Section, sent, skills=skills)
    return section


def _describe(value: Section | Skill) -> Payload:
    return {wire: getattr(value, name) for name, wire in _wire_names(type(value)).items()}


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


def _describe_section(part: Section, order: int) -> Payload:
    return {
        **_describe(part),
        "isTimed": part.duration > 0,
        "order": order,
        "randomizeOptions": False,
        "skills": [
            {**_describe(skill), "source": "Mettl", "duration": part.duration}
            for skill in part.skills
        ],
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
