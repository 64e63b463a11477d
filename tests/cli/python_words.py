"""What a recruiter cannot read: names and types of Python."""

import re

_PYTHON = re.compile(
    r"""\b(?:str|int|float|bool|bytes|tuple|dict|list)\ of\b
    | \bexpected\ (?:str|int|float|bool|a\ mapping)\b
    | \b(?:None|True|False|NoneType|Traceback)\b
    | \b(?:ClientOptions|RegistrationOptions|RetryPolicy|MettlClient|Credentials|with_options)\b
    | \b[A-Z]\w+(?:Error|Exception|Warning)\b
    | \[Errno
    | <class | \ object\ at\ 0x
    | \b(?:access_key|base_url|public_key|private_key|max_url_bytes|time_limit_in_sec)\ ?[:(=]
    | \b(?:account|assessments|schedules|candidates|results)\.[a-z_]+:
    """,
    re.VERBOSE,
)


def python_in(text):
    """Find what speaks Python in a text that was shown to a user."""
    # The settings of a profile have these names in its file; a log is for those who ask for one.
    text = re.sub(r"profiles\.toml: .*|^\d{4}-\d\d-\d\d .*", "", text, flags=re.MULTILINE)
    return [found[0] for found in _PYTHON.finditer(text)]
