"""Kinds of files that are text: CSV of many programs, JSON Lines, and slips of people in them."""

import csv
import json
from pathlib import Path
from unittest.mock import ANY

from kinds import HEADER, ROWS, TABLE, TEXT, Kind, Outcome, asked, content, data, kept, refused

MINIMAL = "Email Address,First Name\n"
ASHA, ZOE = ROWS
EXCEL, SCRIPT, EDITOR = "Excel (as it writes)", "a script", "an editor"


def by_pandas(name):
    import pandas as pd  # noqa: PLC0415

    frame = pd.DataFrame(TABLE[1:], columns=HEADER)
    if name.endswith(".csv"):
        frame.to_csv(name, index=False)
    else:
        frame.to_json(
            name, orient="records", lines=name.endswith("l"), indent=None, force_ascii=False
        )


def by_csv(name):
    with Path(name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, "excel-tab").writerows(TABLE)


def by_json(name):
    rows = [dict(zip(HEADER, row, strict=True)) for row in ROWS]
    Path(name).write_text(json.dumps(rows, indent=2), "utf-8")


def hungarian(name):
    rows = "".join(f"p{place}@example.org;P{place}\r\n" for place in range(20))
    text = f"Email Address;First Name\r\n{rows}gyozo@example.org;Győző\r\n"
    Path(name).write_bytes(text.encode("cp1250"))


HUNGARIANS = tuple((f"p{place}@example.org", f"P{place}") for place in range(20))

CSVS = (
    kept("CSV, UTF-8", "LibreOffice", "libreoffice.comma.csv", "people.csv"),
    kept("CSV with all cells in quotes", "LibreOffice", "libreoffice.quoted.csv", "people.csv"),
    kept("Text with tabs, UTF-16", "LibreOffice", "libreoffice.tab-utf-16.csv", "people.csv"),
    kept("CSV, UTF-8", "SheetJS", "sheetjs.csv", "people.csv"),
    kept("Unicode Text", "SheetJS", "sheetjs.txt", "people.txt"),
    kept("CSV, UTF-8", "exceljs", "exceljs.csv", "people.csv"),
    Kind(name="CSV, UTF-8", by="pandas", make=by_pandas),
    Kind(name="TSV", by="Python's csv", make=by_csv, file="people.tsv"),
    Kind(name="CSV UTF-8, with a byte order mark", by=EXCEL,
         make=content("\ufeff" + TEXT.replace("\n", "\r\n"))),
    Kind(name="CSV with a line `sep=;`", by=EXCEL, make=content("sep=;\r\n" + TEXT.replace(",", ";"))),
    Kind(name="CSV with line ends of old Macs", by=EXCEL, make=content(TEXT.replace("\n", "\r"))),
    Kind(name="CSV that ends with Ctrl-Z", by="DOS (as it writes)", make=content(TEXT + "\x1a")),
    Kind(name="CSV with a blank before each quote", by=SCRIPT,
         make=content(MINIMAL + 'asha@example.org, "Asha"\n'), people=(ASHA[:2],)),
    Kind(name="Header with spaces and invisible characters", by=EDITOR,
         make=content("\ufeffEmail Address , First\u00a0Name,Town\u200b\n" + TEXT.partition("\n")[2])),
    Kind(name="Columns without a name and without content", by=EXCEL,
         make=content(MINIMAL.replace("\n", ",,\n") + "asha@example.org,Asha,,\n"), people=(ASHA[:2],)),
    Kind(name="A links file of this command", by="mettl (as it writes)", people=(ASHA[:2],),
         make=content(MINIMAL.strip() + ",status,link,code,reason\n"
                      "asha@example.org,Asha,registered,https://tests.example.org/x,,\n")),
    Kind(name="A links file of version 0.1", by="mettl (as it writes)", people=(ASHA[:2],),
         make=content(MINIMAL.strip() + ",status,url,code,reason,attempts,line,schedule\n"
                      "asha@example.org,Asha,registered,https://tests.example.org/x,,,1,2,key\n")),
    Kind(name="A cell that a spreadsheet would compute", by=SCRIPT, people=(("asha@example.org", "x;=1+1;y"),),
         make=content(MINIMAL + "asha@example.org,x;=1+1;y\n")),
    Kind(name="JSON Lines", by="pandas", make=by_pandas, file="people.jsonl"),
)  # fmt: skip

ASKED = (
    kept("CSV of Windows, Western Europe", "LibreOffice", "libreoffice.semicolon-windows.csv",
         "people.csv", outcome=Outcome.ASKED, answer=("--encoding", "cp1252")),
    kept("CSV of a Mac", "LibreOffice", "libreoffice.mac.csv", "people.csv", outcome=Outcome.ASKED,
         answer=("--encoding", "mac-roman")),
    asked("CSV of Windows, Central Europe", EXCEL, hungarian, "--encoding", "cp1250",
          people=(*HUNGARIANS, ("gyozo@example.org", "Győző"))),
    asked("CSV of Windows, Cyrillic", EXCEL, content(MINIMAL + "ivan@example.org,Иван Петров\n", "cp1251"),
          "--encoding", "cp1251", people=(("ivan@example.org", "Иван Петров"),)),
    asked("CSV of Windows, Japanese", EXCEL, content(MINIMAL + "taro@example.org,田中太郎\n", "shift_jis"),
          "--encoding", "shift_jis", people=(("taro@example.org", "田中太郎"),)),
    asked("UTF-16 without a byte order mark", SCRIPT, content(MINIMAL + "wang@example.org,王小明\n", "utf-16-le"),
          "--encoding", "utf-16-le", people=(("wang@example.org", "王小明"),)),
    asked("UTF-7", SCRIPT, content(MINIMAL + "jose@example.org,José\n", "utf-7"), "--encoding", "utf-7",
          people=(("jose@example.org", "José"),)),
    asked("Two delimiters that both find the columns", SCRIPT,
          content("Email Address,First Name,x;Email Address;First Name\nasha@example.org,Asha,1;b@x.org;B\n"),
          "--delimiter", "comma", "--drop", "x;Email Address;First Name", people=(ASHA[:2],)),
)  # fmt: skip
OPTIONS = (
    refused("A title above the header", EXCEL, content("Candidates 2027\n\n" + TEXT), "",
            answer=("--header-row", "3"), people=ROWS),
    refused("Other names of columns", "Google Forms (as it writes)",
            content("Timestamp,E-mail,Name\n2026/01/31 9:30:00 am,asha@example.org,Asha\n"), "",
            answer=("--map", "E-mail=Email Address", "--map", "Name=First Name", "--drop", "Timestamp"),
            people=(ASHA[:2],)),
    refused("A header with accents in two characters", "a Mac (as it writes)",
            content("E-mail,Pre\u0301nom\nasha@example.org,Asha\n"), "",
            answer=("--map", "E-mail=Email Address", "--map", "Pr\u00e9nom=First Name"), people=(ASHA[:2],)),
    refused("JSON Lines with other keys", SCRIPT, content('{"email": "asha@example.org", "name": "Asha"}\n'), "",
            file="people.jsonl", answer=("--map", "email=Email Address", "--map", "name=First Name"),
            people=(ASHA[:2],)),
    refused("Text named as a workbook", SCRIPT, content(TEXT), "", file="people.xlsx",
            answer=("--format", "csv"), people=ROWS),
    refused("JSON Lines named .csv", SCRIPT, content('{"Email Address": "asha@example.org", "First Name": "Asha"}\n'),
            "", answer=("--format", "jsonl"), people=(ASHA[:2],)),
    refused("A row too long for a URL, where `--post-parameters query` is asked for", SCRIPT,
            content(MINIMAL.strip() + f",Motivation\nasha@example.org,Asha,{'अ' * 1500}\n"), "",
            options=("--post-parameters", "query"), answer=("--post-parameters", "form"),
            people=(("asha@example.org", "Asha", ANY),)),
)  # fmt: skip

SLIPS = (
    refused("Two stray quotes", EDITOR, content(MINIMAL + 'asha@example.org,"Asha\nbo@example.org,Bo"\n'),
            "write the quotes in pairs, or remove them"),
    refused("A quote that is never closed", EDITOR, content(MINIMAL + 'asha@example.org,"Asha\nbo@example.org,Bo\n'),
            "close the quote"),
    refused("A line break in a name", EXCEL, content(MINIMAL + 'asha@example.org,"As\nha"\n'),
            "write the name on one line"),
    refused("An apostrophe before an ID", EXCEL, content(MINIMAL.strip() + ",ID\nasha@example.org,Asha,'00123\n"),
            "remove the apostrophe, or save the sheet as XLSX"),
    refused("A number that Excel has shortened", EXCEL, content(MINIMAL.strip() + ",ID\nasha@example.org,Asha,9.19845E+11\n"),
            "format the column as text, and export again"),
    refused("An error of a spreadsheet", EXCEL, content(MINIMAL.strip() + ",ID\nasha@example.org,Asha,#N/A\n"),
            "correct the formula, and export again"),
    refused("A formula that keeps zeros", SCRIPT, content(MINIMAL.strip() + ',ID\nasha@example.org,Asha,="00123"\n'),
            "give the text itself"),
    refused("Letters that an earlier program has misread", EXCEL, content(MINIMAL + "zoe@example.org,Zo\u00c3\u00ab\n"),
            "export it again as UTF-8"),
    refused("Codes of HTML", "a web form (as it writes)", content(MINIMAL + "zoe@example.org,Zo&euml;\n"),
            "type the name"),
    refused("A backslash before a delimiter", "MySQL (as it writes)", content(MINIMAL + "asha@example.org,Asha\\, Rao\n"),
            "export it with quotes"),
    refused("A row of totals", EXCEL, content(MINIMAL + "asha@example.org,Asha\nTotal,1\n"), "remove the row"),
    refused("Columns with blanks between them", SCRIPT,
            content("Email Address          First Name\nasha@example.org       Asha\n"), "export the file again", file="people.txt"),
    refused("Last names only", EXCEL, content("Email Address,Last Name\nasha@example.org,Rao\n"), "export the first names too"),
    refused("Two delimiters in one header", SCRIPT, content("Email Address,First Name;Town\nasha@example.org,Asha;Pune\n"),
            "export the file again"),
    refused("An address with `mailto:`", "Outlook (as it copies)", content(MINIMAL + "mailto:asha@example.org,Asha\n"),
            "remove `mailto:`"),
    refused("An address with the person's name", "Outlook (as it copies)",
            content(MINIMAL + "Asha Rao <asha@example.org>,Asha\n"), "keep the address only"),
    refused("Two addresses in one cell", EXCEL, content(MINIMAL + "asha@example.org; a@example.org,Asha\n"),
            "keep one of them"),
    refused("An address that ends with a dot", EDITOR, content(MINIMAL + "asha@example.org.,Asha\n"), "remove the dot"),
    refused("An address in quotes", SCRIPT, content(MINIMAL + "'asha@example.org',Asha\n"), "remove the quotes"),
    refused("An address in brackets", "a mail program (as it copies)", content(MINIMAL + "(asha@example.org),Asha\n"),
            "remove the brackets"),
    refused("An address that cannot exist", EDITOR, content(MINIMAL + "asha@exam_ple.org,Asha\n"),
            "ask the person for the address"),
    refused("A name of invisible characters", "a web form (as it writes)", content(MINIMAL + "asha@example.org,\u200b\u200b\n"),
            "type the name"),
    refused("An address in the place of a name", EXCEL, content(MINIMAL + "asha@example.org,asha@example.org\n"),
            "give the name"),
    refused("Letters that an earlier program has lost", EXCEL, content(MINIMAL + "zoe@example.org,Zo\ufffd\n"),
            "type the name anew"),
    refused("One person twice", EXCEL, content(MINIMAL + "asha@example.org,Asha\nasha@example.org,Asha\n"),
            "remove one of the rows"),
    refused("A file of rows that were left out, with one that repeats a person", "mettl (as it writes)",
            content("problem,Email Address,First Name\nline 3: Email Address: is the same as in line 2 (case is ignored): "
                    "asha@example.org,asha@example.org,Asha\n"), "remove the row, or empty the cell to send it"),
    refused("A row with a cell too many", SCRIPT, content(MINIMAL + "asha@example.org,Asha,Pune\n"),
            "put the cell in quotes if it has the delimiter in it"),
    refused("A row without a name", EXCEL, content(MINIMAL + "asha@example.org,\n"), "give the name"),
    asked("UTF-8 with a few bytes of another encoding", SCRIPT,
          content(("Email Address,First Name\n" + "zoe@example.org,Zo\u00eb\n").encode() + b"jose@example.org,Jos\xe9\n"),
          "--encoding", "utf-8", people=(), fix="correct the row that it tells"),
    refused("UTF-8 that was read as Windows-1252 and saved", "LibreOffice", data("kinds/libreoffice.misread.csv"),
            "export it again as UTF-8"),
    refused("No header", SCRIPT, content(TEXT.partition("\n")[2]), "write the names of the columns in the first line"),
    refused("A header, but nobody", EXCEL, content(MINIMAL), "export the rows too"),
    refused("An empty file", EXCEL, content(b""), "export the file again"),
    refused("Columns with spaces between them (PRN)", "SheetJS",
            data("kinds/sheetjs.prn"), "save it as CSV UTF-8 or XLSX", file="people.prn"),
    refused("A JSON array", "pandas", by_pandas, "write JSON Lines", file="people.json"),
    refused("A JSON array over several lines", "Python's json", by_json, "write JSON Lines", file="people.json"),
)  # fmt: skip
TEXTS = (*CSVS, *ASKED, *OPTIONS, *SLIPS)
