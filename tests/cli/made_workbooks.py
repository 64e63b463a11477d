"""Workbooks that tests make, and what is read of them: always the file ``p.xlsx``."""

from contextlib import closing
from pathlib import Path
from zipfile import ZipFile

import pytest
import xlsxwriter
from openpyxl import Workbook

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.doubts import DoubtError
from mettl_async.cli.reading.rows import BadRow
from mettl_async.cli.reading.source import ReadOptions, Source

HEADER = ("Email Address", "First Name", "Note")
PERSON = ("a@x.org", "Asha", "n")
NAME = "p.xlsx"
SHEET = "xl/worksheets/sheet1.xml"


def book(*rows, change=None):
    made = Workbook()
    for row in rows:
        made.active.append(row)
    if change is not None:
        change(made.active)
    made.save(NAME)


def written(*rows, change=None):
    with xlsxwriter.Workbook(NAME) as made:
        sheet = made.add_worksheet()
        for line, row in enumerate(rows):
            sheet.write_row(line, 0, row)
        if change is not None:
            change(made, sheet)


def notes(**options):
    with closing(Source(Path(NAME), ReadOptions(**options))) as source:
        return [
            row.problem if isinstance(row, BadRow) else row.candidate.fields.get("Note")
            for row in source.rows()
        ]


def doubt(**options):
    with pytest.raises(DoubtError) as caught:
        notes(**options)
    return caught.value


def refused(**options):
    with pytest.raises(CommandError) as caught:
        notes(**options)
    return str(caught.value)


def edited(part, *changes):
    with ZipFile(NAME) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    for before, after in changes:
        assert before in parts[part]
        parts[part] = parts[part].replace(before, after)
    with ZipFile(NAME, "w") as new:
        for name, content in parts.items():
            new.writestr(name, content)


def sheets(**tables):
    made = Workbook()
    made.remove(made.active)
    for title, rows in tables.items():
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(row)
    return made
