"""The options that commands share, with their help: the fields of a value, or one option each.

A field that has no help here makes the command fail at its start; see `option_fields.command`.
"""

from pathlib import Path
from typing import Annotated, Final

import typer

from mettl_async.cli.option_fields import SECTION, Target
from mettl_async.cli.reading.options import ReadOptions
from mettl_async.models import RegistrationOptions, ResultDetail


def _profile_names(incomplete: str) -> list[str]:
    from mettl_async.cli.profiles import names_completed

    return names_completed(incomplete)


PROFILE_OPTION: Final = typer.Option(
    help="Profile of the account, of mettl profile; by default METTL_PROFILE, else the variables of "
    "the environment, which a profile takes the place of.",
    metavar="NAME",
    autocompletion=_profile_names,
)
ProfileName = Annotated[
    str, typer.Argument(help="Name of the profile.", metavar="NAME", autocompletion=_profile_names)
]
TargetOptions = Annotated[
    Target,
    {
        SECTION: "Account",
        "profile": PROFILE_OPTION,
        "region": "Region of the account; by default METTL_REGION, else india.",
        "base_url": typer.Option(
            help="Address of the API, instead of a region; by default METTL_BASE_URL.",
            metavar="URL",
        ),
        "version": "Version of the API; by default that of the profile, else v2.",
    },
]
FileOptions = Annotated[
    ReadOptions,
    {
        SECTION: "How the file is read",
        "mapping": Annotated[
            list[str],
            typer.Option(
                "--map",
                help='Rename a column, as in "E-mail=Email Address"; can be repeated.',
                metavar="YOURS=OURS",
                show_default=False,
            ),
        ],
        "drop": Annotated[
            list[str],
            typer.Option(
                help="Leave out a column of the file; can be repeated.",
                metavar="NAME",
                show_default=False,
            ),
        ],
        "only": Annotated[
            list[str],
            typer.Option(
                help="Take only the row of this person; can be repeated. The file of links has only "
                "these.",
                metavar="EMAIL",
                show_default=False,
            ),
        ],
        "format": "Format of the input; detected by default.",
        "encoding": typer.Option(
            help="Encoding of the input, such as cp1250; detected by default.", metavar="NAME"
        ),
        "delimiter": typer.Option(
            help="Delimiter of CSV, a character or tab; detected by default.", metavar="CHARACTER"
        ),
        "sheet": typer.Option(
            help="Sheet of a workbook; by default the only one with a table.",
            metavar="NAME",
            show_default=False,
        ),
        "header_row": typer.Option(
            help="Row of the input that names the columns; by default the first one with content.",
            min=1,
            max=1_048_576,
            metavar="N",
            show_default=False,
        ),
        "hidden_rows": "What becomes of rows that the sheet hides; asked for by default.",
        "merged_cells": "Let merged cells count for each of their rows; refused by default.",
        "numbers": "Which to send where the sheet shows less than is stored; asked for by default.",
    },
]
RegisterOptions = Annotated[
    RegistrationOptions,
    {
        SECTION: "Links",
        "allow_missing_mandatory_registration_fields": (
            "Let candidates fill in missing fields, except email and first name."
        ),
        "time_limit_in_sec": typer.Option(
            help="Seconds after which links expire.", min=1, metavar="N"
        ),
        "show_custom_instructions": "Show the assessment's own instructions before the test.",
    },
]
DetailOptions = Annotated[
    ResultDetail,
    {
        SECTION: "More columns",
        "recommendation": "Include recommendations of the reports.",
        "response_style": "Include response styles of the reports.",
        "essay_answers": "Include answers to essay questions.",
        "question_responses": "Include all answers, question by question.",
        "evaluation": "Include evaluators' marks, question by question.",
    },
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]
Limit = Annotated[
    int | None,
    typer.Option(
        help="Number of rows at most; by default all.", min=1, metavar="N", show_default=False
    ),
]
Key = Annotated[str, typer.Argument(help="Access key of the schedule.", metavar="KEY")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the file of --out if there is one.")
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Only show how the file is read and what would be sent; needs no keys, --schedule, --out.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: send without a preview.")]
SkipBad = Annotated[
    Path | None,
    typer.Option(
        help="Send the others where rows cannot be sent, and write all of those there, with the reasons; "
        "by default nothing is sent. Corrected, the file can be registered like any other.",
        metavar="FILE",
    ),
]
Bom = Annotated[
    bool | None,
    typer.Option(
        "--bom/--no-bom",
        help="Begin CSV with a byte order mark; by default where Excel needs it to read the file right, "
        "and never on stdout.",
        show_default=False,
    ),
]
JobsDb = Annotated[
    str | None,
    typer.Option(
        "--db",
        help="URL of the database: sqlite:///jobs.db, or postgresql://user@host/name; with a password it "
        "is better kept in the environment.",
        envvar="METTL_JOBS_DB",
        show_envvar=True,
        metavar="URL",
    ),
]
JobId = Annotated[str, typer.Argument(help="Id of the job.", metavar="ID")]
