"""The endpoints of assessments: API 6 to 9."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mettl_async.sandbox import assessment_rules, rules
from mettl_async.sandbox.blueprint import DEFAULT_SECTIONS, Section, max_marks
from mettl_async.sandbox.envelope import RefusalError
from mettl_async.sandbox.grading import CATEGORY_NAMES
from mettl_async.sandbox.life import gmt
from mettl_async.sandbox.rules import NEVER_SKIPPED
from mettl_async.sandbox.state import RegistrationField

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mettl_async.sandbox.asked import Asked, Payload
    from mettl_async.sandbox.state import Assessment


def list_assessments(asked: Asked) -> Payload:
    """API 6: the assessments of the account, paged."""
    sort, descending = asked.order("createdAt", "testTaken", "name")
    page = asked.page()
    keys = {
        "createdAt": lambda one: (one.created_at, one.id),
        "testTaken": lambda one: (one.tests_taken, one.id),  # its meaning is [assumed]
        "name": lambda one: (one.name.lower(), one.id),
    }
    found = sorted(asked.account.assessments.values(), key=keys[sort], reverse=descending)
    return {
        "status": "SUCCESS",
        "assessments": [describe_assessment(one) for one in page.of(found)],
        "paging": asked.paging(page, len(found)),
    }


def get_assessment(asked: Asked) -> Payload:
    """API 7: one assessment as a whole."""
    return {"status": "SUCCESS", "assessment": describe_assessment(asked.assessment())}


def create_assessment(asked: Asked) -> Payload:
    """API 8: create an assessment; its name must be unique in the account."""
    sent = rules.json_parameter(asked.parameters, "assessments")
    assessment_rules.check_new_assessment(sent)
    if any(one.name == sent["name"] for one in asked.account.assessments.values()):
        # The code is [assumed] from the one of schedules, and so are the words.
        raise RefusalError("E000", "Please use unique title for Assessment")
    sections = assessment_rules.read_sections(sent) or DEFAULT_SECTIONS
    assessment = asked.state.add_assessment(
        asked.account, sent["name"], (), now=asked.now, sections=sections
    )
    assessment.duration = sent.get("duration") or sum(part.duration for part in sections)
    _apply(assessment, sent)
    assessment.show_report_on_exit = sent.get("showReportToCandidateOnExit", False)
    return {
        "status": "SUCCESS",
        "assessmentId": assessment.id,  # [seen]
        "assessment": describe_assessment(assessment),  # [assumed]
    }


def edit_settings(asked: Asked) -> Payload:
    """API 9: change some settings; answers the assessment without sections and fields [seen]."""
    assessment = asked.assessment()
    sent = rules.json_parameter(asked.parameters, "as")
    assessment_rules.check_settings(sent)
    _apply(assessment, sent)
    # It has another name here than in API 7 and 8 [doc].
    assessment.show_report_on_exit = sent.get(
        "showReportToCandidate", assessment.show_report_on_exit
    )
    return {"status": "SUCCESS", "assessment": describe_settings(assessment)}


def _apply(assessment: Assessment, sent: Payload) -> None:
    assessment.instructions = sent.get("instructions", assessment.instructions)
    assessment.allow_copy_paste = sent.get("allowCopyPaste", assessment.allow_copy_paste)
    assessment.exit_redirection_url = sent.get(
        "exitRedirectionURL", assessment.exit_redirection_url
    )
    assessment.on_screen_calculator = sent.get(
        "onScreenCalculator", assessment.on_screen_calculator
    )


def describe_settings(assessment: Assessment) -> Payload:
    """Make the assessment object of API 9."""
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
    """Make the assessment object of API 7."""
    return {
        **describe_settings(assessment),
        "sections": [
            _section(part, order) for order, part in enumerate(assessment.sections, start=1)
        ],
        "registrationFields": describe_fields(assessment.registration_fields),
        "assessmentPerformanceCategory": {
            "version": 1,
            "performanceCategories": list(CATEGORY_NAMES),
        },
    }


def _section(part: Section, order: int) -> dict[str, Any]:
    return {
        "name": part.name,
        "instructions": part.instructions,
        "duration": part.duration,
        "isTimed": part.duration > 0,
        "order": order,
        "randomizeQuestions": part.randomize_questions,
        "randomizeOptions": False,
        "allQuestionsMandatory": part.all_questions_mandatory,
        "skills": [
            {
                "name": skill.name,
                "level": skill.level,
                "questionCount": skill.question_count,
                "source": "Mettl",
                "questionType": skill.question_type,
                "duration": part.duration,
                "correctGrade": skill.correct_grade,
                "incorrectGrade": skill.incorrect_grade,
                "questionPooling": skill.question_pooling,
            }
            for skill in part.skills
        ],
    }


def describe_fields(fields: Iterable[RegistrationField]) -> list[dict[str, Any]]:
    """Make ``registrationFields``: those that nobody can skip, then the others."""
    always = [RegistrationField(name, required=True) for name in NEVER_SKIPPED]
    described = []
    for one in (*always, *fields):
        item: dict[str, Any] = {
            "name": one.name,
            "type": "SelectBox" if one.values else one.type,
            "required": one.required,
            "validate": False,
        }
        # [seen]: values may be absent; that those of a TextBox are is [assumed]
        if one.values:
            item["values"] = list(one.values)
        described.append(item)
    return described
