"""100 full results of JSON into models: ours against pydantic v2, msgspec and plain ``json.loads``.

Run ``python benchmarks/decode_results.py`` where mettl-async, orjson, pydantic and msgspec are installed;
half a minute. ``--quick`` for less, ``--json FILE`` for all figures. It exits with 1 when ours with orjson
takes longer than pydantic's ``TypeAdapter(list[...]).validate_json``, or without orjson 1.3 times as long.

All read the same bytes, in turns in the same process; ratios within a round, medians of rounds. Pydantic's
and msgspec's models have the same attributes and words, but are not as tolerant as ours: junk is an
error, an unknown word too; they keep dates as text and look for each in one place, none of which costs
them time.
"""

from __future__ import annotations

import json
import random
import time
from enum import StrEnum
from statistics import median
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import msgspec
import orjson
from harness import Bound, arguments, finish, print_table
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel

from mettl_async import codec, models
from mettl_async.codec import json_text

if TYPE_CHECKING:
    from collections.abc import Callable

CANDIDATES = 100
ROUNDS = 41
LEVELS = ("EASY", "MEDIUM", "DIFFICULT")
SKILLS = ("Quantitative Aptitude", "Logical Reasoning", "Verbal Ability", "Java", "SQL", "Agility")

# --- the answer, as the server makes it: counts as floats but in difficultyMarks


def marks(rng: random.Random, *, whole: bool = False) -> dict[str, Any]:
    number = int if whole else float
    total = rng.randint(2, 20)
    right = rng.randint(0, total)
    return {
        "totalMarks": right * 1.5,
        "maxMarks": total * 1.5,
        "timeTaken": number(rng.randint(20, 900)),
        "totalQuestion": number(total),
        "totalCorrectAnswers": number(right),
        "totalUnAnswered": number(rng.randint(0, total - right)),
    }


def difficulties(rng: random.Random) -> list[dict[str, Any]]:
    return [{"level": level, **marks(rng, whole=True)} for level in LEVELS]


def question(rng: random.Random, number: int) -> dict[str, Any]:
    kind = rng.choice(("MCQ", "MCQ", "MCQ", "MCA", "LONG_ANSWER"))
    response = {
        "MCQ": {"mcqTypeResponse": {"responseIndex": rng.randint(0, 3)}},
        "MCA": {"mcaTypeResponse": {"responses": [0, rng.randint(1, 3)]}},
        "LONG_ANSWER": {
            "longAnswerTypeResponse": {"candidateResponse": "Because. " * 12, "uploadedFiles": []}
        },
    }[kind]
    evaluators = (
        [
            {
                "name": "Reviewer",
                "email": "reviewer@example.org",
                "marksAwarded": 0.5,
                "evaluationComments": "Half of it is there; see the second paragraph.",
                "evaluationTime": "Fri, 16 Aug 2024 14:00:00 UTC",
                "evaluatorRole": "EVALUATOR",
            }
        ]
        if kind == "LONG_ANSWER"
        else []
    )
    return {
        "questionId": 4_000_000 + number,
        "apiQuestionType": kind,
        "version": 1,
        "questionResponse": response,
        "minMarks": -0.25,
        "maxMarks": 1.0,
        "marksScored": rng.choice((-0.25, 0.0, 1.0)),
        "isAttempted": True,
        "timeSpent": rng.uniform(3, 90),
        "skillName": rng.choice(SKILLS),
        "evaluatorData": evaluators,
    }


def section(rng: random.Random, number: int) -> dict[str, Any]:
    return {
        "sectionName": f"Section #{number}",
        **marks(rng),
        "skillMarks": [
            {"skillName": skill, **marks(rng), "difficultyMarks": difficulties(rng)}
            for skill in rng.sample(SKILLS, 2)
        ],
        "difficultyMarks": difficulties(rng),
        "questionWiseResponse": [question(rng, number * 100 + one) for one in range(2)],
    }


def candidate(rng: random.Random, number: int) -> dict[str, Any]:
    key = f"{rng.getrandbits(256):x}"
    return {
        "email": f"candidate{number}@example.org",
        "registration": {
            "Email Address": f"candidate{number}@example.org",
            "First Name": "Asha",
            "Last Name": "Rao",
            "Mobile": "+91 98765 43210",
            "College": "Institute of Technology, Chennai",
        },
        "testStatus": {
            "start_time_GMT": "Fri, 16 Aug 2024 13:14:13 UTC",
            "end_time_GMT": "Fri, 16 Aug 2024 14:14:21 UTC",
            "status": "Completed",
            "compensatoryTime": "false",
            "overallStatus": "Completed",
            "detailedStatus": "Test-taker Completed",
            "startTime": "Fri, 16 Aug 2024 18:44:13 IST",
            "endTime": "Fri, 16 Aug 2024 19:44:21 IST",
            "completionMode": "Completed",
            "result": {
                **{name: value for name, value in marks(rng).items() if name != "timeTaken"},
                "percentile": rng.uniform(0, 100),
                "attemptTime": rng.uniform(300, 3600),
                "candidateCredibilityIndex": "Not Applicable",
                "codePlagiarism": "NA",
                "sectionMarks": [section(rng, one) for one in range(1, 4)],
                "performanceCategory": "Poor",
                "performanceCategoryVersion": 1,
                "difficultyMarks": difficulties(rng),
                "analysis": {
                    "responseStyles": [{"title": "Genuine", "description": "Varied answers."}],
                    "recommendation": [{"type": "Performance Category", "value": "Poor"}],
                },
            },
            "pdfReport": f"https://mettl.com/analytics/download-candidate-report?url={key}",
            "htmlReport": f"https://mettl.com/analytics/share-report?key={key}",
        },
    }


def results(count: int) -> bytes:
    """JSON of so many full results, compact, the same each time."""
    rng = random.Random(3)
    people = [candidate(rng, number) for number in range(count)]
    return json.dumps(people, separators=(",", ":")).encode()


# --- the same models for the others: all optional but the email, a list empty when absent

WORDS = {
    enum.__name__: StrEnum(enum.__name__, {one.name: one.value for one in enum})
    for enum in (
        models.Level,
        models.QuestionType,
        models.TestState,
        models.OverallStatus,
        models.DetailedStatus,
        models.CompletionMode,
        models.CredibilityIndex,
    )
}
LIST: Any = list  # its items' type is a value here, which type checkers do not follow
PLAIN = {"str": str, "int": int, "float": float, "bool": bool, "any": Any}
COUNTS = "total_question:int total_correct_answers:int total_un_answered:int "
MARKS = "total_marks:float max_marks:float " + COUNTS
TIMED = MARKS + "time_taken:float "
TREE = {
    "Difficulty": TIMED + "level:Level",
    "Skill": TIMED + "skill_name:str difficulty_marks:[Difficulty]",
    "Mcq": "response_index:int",
    "Mca": "responses:[any]",
    "Text": "candidate_response:str uploaded_files:[any]",
    "Response": "mcq_type_response:Mcq mca_type_response:Mca long_answer_type_response:Text "
    "short_answer_type_response:Text diagram_type_response:any",
    "Evaluator": "name:str email:str marks_awarded:float evaluation_comments:str "
    "evaluation_time:str evaluator_role:str",
    "Question": "question_id:int api_question_type:QuestionType version:int "
    "question_response:Response min_marks:float max_marks:float marks_scored:float "
    "is_attempted:bool time_spent:float skill_name:str evaluator_data:[Evaluator]",
    "Section": TIMED + "section_name:str skill_marks:[Skill] difficulty_marks:[Difficulty] "
    "question_wise_response:[Question]",
    "Style": "title:str description:str",
    "Advice": "type:str value:str",
    "Analysis": "response_styles:[Style] recommendation:[Advice]",
    "Result": MARKS + "percentile:float attempt_time:float "
    "candidate_credibility_index:CredibilityIndex code_plagiarism:str section_marks:[Section] "
    "performance_category:str performance_category_version:int "
    "difficulty_marks:[Difficulty] analysis:Analysis",
    "Status": "start_time_GMT:str end_time_GMT:str status:TestState compensatory_time:str "
    "overall_status:OverallStatus detailed_status:DetailedStatus start_time:str end_time:str "
    "last_response_time:str completion_mode:CompletionMode result:Result pdf_report:str "
    "html_report:str",
    "Candidate": "test_status:Status",
}


def shapes(model: Callable[[str, dict[str, Any]], Any], kinds: dict[str, Any]) -> Any:
    """Build the tree with one library, from the leaves up; gives its root."""
    kinds = {**kinds, **WORDS}
    for name, text in TREE.items():
        fields: dict[str, Any] = {}
        for field, kind in (part.split(":") for part in text.split()):
            inner = kinds[kind.strip("[]")]
            fields[field] = LIST[inner] if kind[0] == "[" else inner | None
        if name == "Candidate":
            fields = {"email": str, "registration": dict[str, str], **fields}
        kinds[name] = model(name, fields)
    return kinds["Candidate"]


def is_list(kind: Any) -> bool:
    return getattr(kind, "__origin__", None) is list


def alias(name: str) -> str:
    return name if name.endswith("_GMT") else to_camel(name)


class Lenient(BaseModel):
    """What pydantic's models have in common."""

    model_config = ConfigDict(alias_generator=alias, frozen=True, extra="ignore")


def pydantic_model(name: str, kinds: dict[str, Any]) -> Any:
    # Not create_model: its type hints want literals.
    body: dict[str, Any] = {"__annotations__": kinds, "__module__": __name__}
    for field, kind in kinds.items():
        if name != "Candidate" or field == "test_status":
            body[field] = [] if is_list(kind) else None
    return type(name, (Lenient,), body)


def msgspec_struct(name: str, kinds: dict[str, Any]) -> Any:
    fields: list[Any] = [
        (field, kind)
        if name == "Candidate" and field != "test_status"
        else (field, kind, msgspec.field(default_factory=list) if is_list(kind) else None)
        for field, kind in kinds.items()
    ]
    return msgspec.defstruct(
        name,
        fields,
        rename={field: alias(field) for field in kinds},
        frozen=True,
    )


# --- what is measured


def ours(content: bytes) -> list[models.CandidateResult]:
    return codec.list_from_wire(models.CandidateResult, codec.loads(content), where="$.candidates")


def ours_without_orjson(content: bytes) -> list[models.CandidateResult]:
    with patch.object(json_text, "orjson", None):
        return ours(content)


def milliseconds(read: Callable[[bytes], object], content: bytes) -> float:
    """Time of one reading, with what it made let go within it."""
    began = time.perf_counter()
    read(content)
    return (time.perf_counter() - began) * 1e3


def main() -> None:
    given = arguments(__doc__)
    rounds = 3 if given.quick else ROUNDS
    content = results(CANDIDATES)
    # msgspec refuses 1.0 as an int.
    structs = LIST[shapes(msgspec_struct, {**PLAIN, "int": float})]
    sides: dict[str, Callable[[bytes], Any]] = {
        "pydantic validate_json": TypeAdapter(LIST[shapes(pydantic_model, PLAIN)]).validate_json,
        "ours, orjson": ours,
        "ours, json": ours_without_orjson,
        "msgspec into Structs": msgspec.json.Decoder(structs).decode,
        "json.loads alone": json.loads,
        "orjson.loads alone": orjson.loads,
    }
    check(sides, content)
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, read in sides.items():
            taken[name].append(milliseconds(read, content))
    base = taken["pydantic validate_json"]
    rows = [
        (name, median(times), median(a / b for a, b in zip(times, base, strict=True)))
        for name, times in taken.items()
    ]
    print_table(
        f"{CANDIDATES} full results, {len(content):,} bytes; medians of {rounds} rounds",
        ("read by", "ms", "ratio to pydantic"),
        rows,
    )
    ratio = {name: to_pydantic for name, _, to_pydantic in rows}
    bounds = [
        Bound(
            name="ours with orjson / pydantic", value=ratio["ours, orjson"], limit=1.0, at_most=True
        ),
        Bound(
            name="ours without orjson / pydantic",
            value=ratio["ours, json"],
            limit=1.3,
            at_most=True,
        ),
    ]
    columns = ("read_by", "ms", "ratio_to_pydantic")
    finish(
        given,
        bounds,
        {"bytes": len(content), "rows": [dict(zip(columns, row, strict=True)) for row in rows]},
    )


def check(sides: dict[str, Callable[[bytes], Any]], content: bytes) -> None:
    """All have read all of it, to the leaf."""
    first, *_ = json.loads(content)
    asked = first["testStatus"]["result"]["sectionMarks"][2]["questionWiseResponse"][1]
    for name in ("pydantic validate_json", "msgspec into Structs"):
        one = sides[name](content)[0]
        leaf = one.test_status.result.section_marks[2].question_wise_response[1]
        assert leaf.time_spent == asked["timeSpent"], name  # noqa: S101 - else no comparison
    mine = sides["ours, orjson"](content)
    assert mine == sides["ours, json"](content)  # noqa: S101 - else no comparison
    leaf = mine[0].test_status.result.section_marks[2].question_responses[1]
    assert leaf.time_spent == asked["timeSpent"]  # noqa: S101 - else no comparison


if __name__ == "__main__":
    main()
