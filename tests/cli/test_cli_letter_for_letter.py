"""Any table of text, written as CSV by any of its writers, is registered letter for letter, or refused."""

import csv
import io
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.characters import clean_name
from mettl_async.cli.reading.checking import check_file
from mettl_async.cli.reading.options import ReadOptions
from mettl_async.cli.reading.source import Source

COLUMNS = ["Email Address", "First Name", "Last Name", "ID, or so", "context_data"]
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
spiked = st.text(st.sampled_from("aé' \"\n\r,;\t|\\=#+E1@.\u200b\ufffd\0\x1a"), max_size=8)
odd = st.sampled_from(
    [' "x"', '"x"', '""', '"', "'00123", " x ", "x\n", "\nb@x.org,B", "sep=;", "\x1a", '="1"', "1E+12",
     'a,"b', 'b",c', "\ufeffx", "a@x.org", "NaN", "NA", "x\\", "\\N", "#N/A", "e\u0301"]
)  # fmt: skip
plain = st.text(st.characters(categories=["L", "Zs"]), min_size=1, max_size=8)
texts = plain | plain | plain | anything | spiked | odd
people = st.lists(st.tuples(*[texts] * 4), min_size=1, max_size=6)


def rows_of(people):
    return [[f"p{n}@example.org", *cells] for n, cells in enumerate(people)]


def breaks_rows(people, ending):
    """Tell whether csv writes a line break of a cell without quotes, as if a row ended there."""
    others = set("\r\n") - set(ending)
    return any(others & set(cell) for cells in people for cell in cells)


def check(content, rows, columns=COLUMNS, **options):
    """Compare what would be sent with what was written; who is not sent must be told."""
    Path("p.csv").write_bytes(content)
    with closing(Source(Path("p.csv"), ReadOptions(**options))) as source:
        try:
            checked = check_file(source)
        except CommandError:
            return 0
        meant = {row[0]: dict(zip(map(clean_name, columns), row, strict=True)) for row in rows}
        for row in source.rows():
            written = meant.pop(row.candidate.email)
            person = row.candidate
            sent = {
                **person.fields,
                "Email Address": person.email,
                "First Name": person.first_name,
                "context_data": person.context_data or "",
            }
            for name, cell in written.items():
                assert sent.get(name, "") == (cell if cell.strip() else ""), (name, cell)
            assert sent.keys() <= written.keys()
        assert bool(meant) <= bool(checked.bad_total)
        return checked.good_total


@given(
    people,
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC, csv.QUOTE_NONE]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from([{}, {"escapechar": "\\"}, {"escapechar": "\\", "doublequote": False}]),
)
def test_all_dialects_of_csv(people, delimiter, quoting, ending, encoding, escape):
    if breaks_rows(people, ending):
        return
    rows, text = rows_of(people), io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=ending, **escape)
    try:
        writer.writerows([COLUMNS, *rows])
    except csv.Error:
        return  # it cannot be written in this dialect
    check(text.getvalue().encode(encoding), rows)


@given(people, st.sampled_from(["excel", "excel-tab", "unix"]))
def test_the_named_dialects_of_csv(people, dialect):
    rows, text = rows_of(people), io.StringIO(newline="")
    csv.writer(text, dialect=dialect).writerows([COLUMNS, *rows])
    check(text.getvalue().encode(), rows)


@given(
    people,
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from([{}, {"escapechar": "\\", "doublequote": False}]),
    st.booleans(),
)
def test_pandas(people, delimiter, quoting, escape, index):
    if breaks_rows(people, "\n"):
        return
    rows = rows_of(people)
    frame = pd.DataFrame(rows, columns=COLUMNS, dtype=object)
    text = frame.to_csv(sep=delimiter, quoting=quoting, index=index, **escape)
    check(text.encode(), rows)


def as_libreoffice(rows, delimiter, ending, *, all_quoted):
    """Write as LibreOffice's filter does: quotes where the delimiter, a quote or a line break is."""
    lines = []
    for row in rows:
        cells = [
            '"' + cell.replace('"', '""') + '"'
            if (all_quoted and cell) or set(cell) & {delimiter, '"', "\n", "\r"}
            else cell
            for cell in row
        ]
        lines.append(delimiter.join(cells) + ending)
    return "".join(lines)


@given(people, st.sampled_from([",", ";", "\t"]), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_libreoffice(people, delimiter, ending, all_quoted):
    rows = rows_of(people)
    text = as_libreoffice([COLUMNS, *rows], delimiter, ending, all_quoted=all_quoted)
    check(text.encode(), rows)


@given(people)
def test_single_quotes_as_quotes_are_read_right_or_refused(people):
    rows, text = rows_of(people), io.StringIO(newline="")
    csv.writer(text, quotechar="'").writerows([COLUMNS, *rows])
    check(text.getvalue().encode(), rows)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_plain_people_are_all_sent(delimiter):
    people = [
        ("Asha", "Rao", "7", ""),
        ("Zoë", "O'Neill", "+91 9", "a,b"),
        ("राव", "李", "x\ny", " "),
    ]
    rows, text = rows_of(people), io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([COLUMNS, *rows])
    assert check(text.getvalue().encode(), rows) == 3
