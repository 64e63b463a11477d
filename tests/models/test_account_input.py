"""What users build for the account, assessments and lists."""

import pickle

import pytest

from mettl_async import codec, models
from mettl_async.errors import InvalidInputError
from mettl_async.models import (
    AssessmentSettings,
    CoverImage,
    Favicon,
    Level,
    Logo,
    NewAssessment,
    NewSection,
    NewSkill,
    ScheduleFilter,
    VisualProctoring,
    VisualProctoringMode,
    WebProctoring,
    WhiteLabel,
)
from mettl_async.models._wire import names_of

PNG = b"\x89PNG\r\n\x1a\n"
JPEG, ICO = b"\xff\xd8\xff\xe0", b"\x00\x00\x01\x00"


def skill(**changes):
    return NewSkill(**{"name": "Java", "level": Level.EASY, "question_count": 10} | changes)


def section(**changes):
    return NewSection(**{"name": "One", "skills": [skill()]} | changes)


def assessment(**changes):
    return NewAssessment(**{"name": "Test", "sections": [section()], "duration": 30} | changes)


def refused(make, field):
    with pytest.raises(InvalidInputError) as caught:
        make()
    assert caught.value.field == field
    assert caught.value.fix
    return caught.value


def test_a_whole_assessment_on_the_wire():
    one = assessment(
        sections=[
            section(
                duration=20,
                instructions="<b>Read</b>",
                all_questions_mandatory=True,
                randomize_questions=False,
                extra={"order": 1},
                skills=[
                    skill(
                        question_pooling=True,
                        question_type=models.QuestionType.MCQ,
                        correct_grade=1,
                        incorrect_grade=-0.25,
                        extra={"source": "Custom"},
                    )
                ],
            )
        ],
        duration=None,
        instructions="",
        allow_copy_paste=False,
        exit_redirection_url="https://x.org/done",
        show_report_to_candidate_on_exit=True,
        on_screen_calculator=True,
        extra={"fixedSectionOrder": True},
    )
    assert codec.dumps(codec.to_wire(one)) == (
        '{"name":"Test","sections":[{"name":"One","skills":[{"name":"Java","level":"EASY",'
        '"questionCount":10,"questionPooling":true,"questionType":"MCQ","correctGrade":1,'
        '"incorrectGrade":-0.25,"source":"Custom"}],"duration":20,"instructions":"<b>Read</b>",'
        '"allQuestionsMandatory":true,"randomizeQuestions":false,"order":1}],"instructions":"",'
        '"allowCopyPaste":false,"exitRedirectionURL":"https://x.org/done",'
        '"showReportToCandidateOnExit":true,"onScreenCalculator":true,"fixedSectionOrder":true}'
    )
    assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301 - our own bytes
    assert "x.org" not in repr(one)
    assert set(codec.to_wire(assessment())) == {"name", "sections", "duration"}


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: skill(name=" "), "skill.name"),
        (lambda: skill(level="EASY"), "skill.level"),
        (lambda: skill(level=Level("Hardest")), "skill.level"),
        (lambda: skill(question_count=0), "skill.question_count"),
        (lambda: skill(question_count=1.5), "skill.question_count"),
        (lambda: skill(question_pooling="yes"), "skill.question_pooling"),
        (lambda: skill(question_type="MCQ"), "skill.question_type"),
        (lambda: skill(correct_grade=float("nan")), "skill.correct_grade"),
        (lambda: skill(incorrect_grade=True), "skill.incorrect_grade"),
        (lambda: skill(extra={"QUESTIONCOUNT": 1}), "extra['QUESTIONCOUNT']"),
        (lambda: section(skills=[]), "section.skills"),
        (lambda: section(skills=["Java"]), "section.skills[0]"),
        (lambda: section(duration=0), "section.duration"),
        (lambda: section(name=""), "section.name"),
        (lambda: section(instructions=7), "section.instructions"),
        (lambda: section(randomize_questions=1), "section.randomize_questions"),
        (lambda: section(extra={"skills": 1}), "extra['skills']"),
        (lambda: assessment(name=None), "name"),
        (lambda: assessment(sections=()), "sections"),
        (lambda: assessment(sections=section()), "sections"),
        (lambda: assessment(sections=[section(), section(name="ONE")]), "sections[1].name"),
        (lambda: assessment(duration=None), "duration"),
        (
            lambda: assessment(
                duration=None, sections=[section(duration=5), section(name="Two")]
            ),
            "duration",
        ),
        (lambda: assessment(duration=True), "duration"),
        (lambda: assessment(duration=-1), "duration"),
        (lambda: assessment(exit_redirection_url="x.org"), "exit_redirection_url"),
        (lambda: assessment(allow_copy_paste="no"), "allow_copy_paste"),
        (lambda: assessment(extra={"exitRedirectionUrl": "x"}), "extra['exitRedirectionUrl']"),
        (AssessmentSettings, "assessment_settings"),
        (lambda: AssessmentSettings(instructions=7), "instructions"),
        (lambda: AssessmentSettings(exit_redirection_url="ftp://x"), "exit_redirection_url"),
        (lambda: AssessmentSettings(exit_redirection_url=()), "exit_redirection_url"),
        (lambda: AssessmentSettings(show_report_to_candidate=1), "show_report_to_candidate"),
        (WhiteLabel, "white_label"),
        (lambda: WhiteLabel(button_color="12345"), "white_label.button_color"),
        (lambda: WhiteLabel(button_color="##123456"), "white_label.button_color"),
        (lambda: WhiteLabel(button_color="12345g"), "white_label.button_color"),
        (lambda: WhiteLabel(header_font_color=0), "white_label.header_font_color"),
        (lambda: WhiteLabel(support_numbers="123"), "white_label.support_numbers"),
        (lambda: WhiteLabel(support_numbers=["1", "2", "3"]), "white_label.support_numbers"),
        (lambda: WhiteLabel(support_numbers=["1", ""]), "white_label.support_numbers[1]"),
        (lambda: WhiteLabel(extra={"buttoncolor": "x"}), "extra['buttoncolor']"),
        (ScheduleFilter, "filter"),
        (lambda: ScheduleFilter(web_proctoring=True), "filter.web_proctoring"),
        (lambda: ScheduleFilter(visual_proctoring="PHOTO"), "filter.visual_proctoring"),
        (lambda: ScheduleFilter(extra={"webProctoring": {}}), "extra['webProctoring']"),
        (lambda: Logo(content="x", filename="a.png"), "image.content"),
        (lambda: Logo(content=b"", filename="a.png"), "image.content"),
        (lambda: Logo(content=ICO, filename="a.ico"), "image.content"),
        (lambda: Logo(content=b"<svg/>", filename="a.svg"), "image.content"),
        (lambda: Logo(content=PNG, filename="a.jpg"), "image.filename"),
        (lambda: Logo(content=PNG, filename="png"), "image.filename"),
        (lambda: Logo(content=PNG, filename="../a.png"), "image.filename"),
        (lambda: Logo(content=PNG, filename='a".png'), "image.filename"),
        (lambda: Logo(content=PNG, filename="a\r\n.png"), "image.filename"),
        (lambda: Logo(content=PNG + bytes(100 * 1024), filename="a.png"), "image.content"),
        (lambda: Favicon(content=JPEG, filename="a.jpg"), "image.content"),
        (lambda: Favicon(content=ICO + bytes(10 * 1024), filename="a.ico"), "image.content"),
        (lambda: CoverImage(content=JPEG + bytes(2000 * 1024), filename="a.jpg"), "image.content"),
    ],
)  # fmt: skip
def test_broken_rules_name_the_field_and_the_fix(make, field):
    refused(make, field)


def test_a_missing_duration_says_where_to_give_it():
    assert str(refused(lambda: assessment(duration=None), "duration")) == (
        "duration: is missing; give minutes, here or in every section"
    )


def test_settings_on_the_wire():
    assert codec.to_wire(AssessmentSettings(exit_redirection_url="")) == {"exitRedirectionURL": ""}
    assert codec.to_wire(
        AssessmentSettings(show_report_to_candidate=False, allow_copy_paste=True, instructions="")
    ) == {"instructions": "", "allowCopyPaste": True, "showReportToCandidate": False}
    assert "token" not in repr(AssessmentSettings(exit_redirection_url="https://x.org/?token"))


def test_a_white_label_on_the_wire():
    look = WhiteLabel(
        header_background_color="#1a2B3c",
        button_font_color="ffffff",
        support_numbers=["+1-650-924-9221", "+91-82878-0340"],
        extra={"customUrl": "x"},
    )
    assert codec.to_wire(look) == {
        "headerBackgroundColor": "1a2B3c",
        "buttonFontColor": "ffffff",
        "customUrl": "x",
    }
    assert look.support_numbers == ("+1-650-924-9221", "+91-82878-0340")
    assert codec.to_wire(WhiteLabel(support_numbers=["1"])) == {}


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (Logo(content=PNG, filename="a.PNG"), "image/png"),
        (Logo(content=JPEG, filename="logo.final.jpeg"), "image/jpeg"),
        (Logo(content=b"GIF89a", filename="a.gif"), "image/gif"),
        (Favicon(content=ICO, filename="favicon.ico"), "image/x-icon"),
        (CoverImage(content=JPEG + bytes(2000 * 1024 - len(JPEG)), filename="a.jpg"), "image/jpeg"),
    ],
)
def test_pictures_know_what_they_are(image, kind):
    assert image.content_type == kind
    assert len(repr(image)) < 80


def test_a_filter_on_the_wire():
    chosen = ScheduleFilter(
        visual_proctoring=VisualProctoring(
            mode=VisualProctoringMode.PHOTO, candidate_screen_capture=True
        ),
        web_proctoring=WebProctoring(count=3),
        extra={"sourceApp": "x"},
    )
    assert codec.to_wire(chosen) == {
        "visualProctoring": {"mode": "PHOTO", "options": {"candidateScreenCapture": True}},
        "webProctoring": {"enabled": True, "count": 3},
        "sourceApp": "x",
    }


@pytest.mark.parametrize("cls", [NewAssessment, NewSection, NewSkill, WhiteLabel, ScheduleFilter])
def test_extra_refuses_every_name_that_has_an_attribute(cls):
    wire = names_of(cls) - {"extra"}
    assert len(wire) >= len(cls.__annotations__) - 1
    good = {
        NewAssessment: assessment,
        NewSection: section,
        NewSkill: skill,
        WhiteLabel: WhiteLabel,
        ScheduleFilter: ScheduleFilter,
    }[cls]
    for name in wire:
        with pytest.raises(InvalidInputError, match="has its own attribute"):
            good(extra={name: 1})


def test_orders_have_the_wire_s_words():
    assert [*models.AssessmentSort] == ["createdAt", "testTaken", "name"]
    assert [*models.ResultSort] == ["testStartTime", "name"]
    assert [*models.SortOrder] == ["asc", "desc"]
