"""The shortcut for plain rows and texts of XLSX reads what the parser alone reads, and as much is damaged."""

import io
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async.cli.reading.workbooks import xlsx_texts, xml_shortcut, xml_stream
from mettl_async.cli.reading.workbooks.sheet import DamagedError
from mettl_async.cli.reading.workbooks.xlsx_plain import PlainRows
from mettl_async.cli.reading.workbooks.xlsx_sheet import SheetContext, sheet_content, unescaped
from mettl_async.cli.reading.workbooks.xlsx_styles import styles_of
from mettl_async.cli.reading.workbooks.xlsx_texts import shared_strings
from mettl_async.cli.reading.workbooks.xml_shortcut import Shortcut

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STYLES = (
    f'<styleSheet xmlns="{MAIN}"><numFmts><numFmt numFmtId="170" formatCode="00000"/>'
    '<numFmt numFmtId="171" formatCode="0;0;0;&quot;x&quot;@"/></numFmts>'
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="170"/><xf numFmtId="2"/><xf numFmtId="171"/></cellXfs></styleSheet>'
)
STRINGS = ("Asha", "", "é", "a@x.org")

ATTRIBUTES = ("", ' s="0"', ' s="1"', ' s="2"', ' s="3"', ' s="03"')
PLAIN_CELLS = ('<c r="{}2"$/>', '<c r="{}2"$><v>1.50</v></c>', '<c r="{}2"$ t="n"><v>42</v></c>',
               '<c r="{}2"$ t="s"/>', *(f'<c r="{{}}2"$ t="s"><v>{place}</v></c>' for place in range(4)))  # fmt: skip
ODD_CELLS = (
    '<c r="{}2"$ t="s"><v>-1</v></c>', '<c r="{}2"$ t="s"><v>+1</v></c>', '<c r="{}2"$ t="s"><v>9</v></c>',
    '<c r="{}2"$><v>1<!-- </row> -->2</v></c>', '<c r="{}2"$><f>A1</f><v>0</v></c>', '<c r="{}2"$><f>A1</f></c>',
    '<c r="{}2"$ t="inlineStr"><is><t>\r\n&amp;</t></is></c>', '<c r="{}2"$ t="str"><v><![CDATA[</row>]]></v></c>',
    '<c r="{}2"$><x:v xmlns:x="y">3</x:v></c>', '<c r="{}2"$><v xmlns="y">3</v></c>', '<c r="{}2"><v>1</v',
    '<c r="{}2" s="9"><v>1</v></c>', '<c r="A1"/>', '<c r="XFE2"/>', '<c r="ZZZ2"/>', '<c r="a2"/>',
    '<c r="{}2"$ t="b"><v>1</v></c>', '<c r="{}2"$><v>1E5</v></c>', '<c r="{}2"$><v>1e</v></c>', "<c><v>1</v></c>",
    '<c r="{}2"$><v></v></c>', "<c$ t='s'><v>0</v></c>", f'<x:c xmlns:x="{MAIN}" r="{{}}2"$><v>1</v></x:c>',
)  # fmt: skip
ROWS_BEGIN = ("<row>", '<row r="{}">', '<row r="{}" spans="1:6">', '<row r="{}" hidden="1" ht="0">')
ROWS_BEGIN_ODD = (
    '<row xmlns="y">',
    '<row x:y="1">',
    '<row y=">">',
    "<row r='{}'>",
    '<row r="{}"/>',
    '<row r="1">',
)
BETWEEN = (
    "\n  ", '<row r="{}"/>', "<!-- <row><c><v>1</v></c></row> -->", "<!-- ", "-->", "<?x </row>?>", "</sheetData>",
    "<row r='{}'><!--</row>--></row >", "<y xmlns='y'>", "<y>", "</y>", "]]>",
)  # fmt: skip


def mostly(usual, odd):
    return st.sampled_from((*usual * (1 + 12 * len(odd) // len(usual)), *odd))


@st.composite
def rows(draw):
    begin = draw(mostly(ROWS_BEGIN, ROWS_BEGIN_ODD))
    whole = begin
    for column in sorted(draw(st.sets(st.sampled_from("ABCD")))):
        cell = draw(mostly(PLAIN_CELLS, ODD_CELLS))
        whole += cell.replace("{}", column).replace("$", draw(st.sampled_from(ATTRIBUTES)))
    return whole + "</row>" + draw(mostly(("",), BETWEEN))


DECLARED = st.sampled_from(
    ["", '<?xml version="1.0" encoding="UTF-8"?>', '<?xml version="1.0" encoding="latin-1"?>']
)
TEXTS = st.sampled_from(
    ["<si><t>Asha</t></si>", '<si><t xml:space="preserve"> é\n</t></si>', "<si><t>_x0041__xD83D__xDE00_</t></si>",
     "<si><t>&amp;\r\n</t></si>", "<si><t/></si>", "<si/>", "<si><t></t></si>", "<si><t>\ufffe</t></si>",
     "<si><t>a]]></t></si>", "<si><t>\u202e\U0001ffff\x7f\x85</t></si>", "<!-- <si><t>x</t></si>", "-->",
     "<si><t><![CDATA[</si>]]></t></si>", "<si><r><t>a</t></r><r><t>b</t></r></si>", "<y xmlns='y'>", "</y>",
     "<si><t>a</t><rPh sb='0'><t>b</t></rPh></si>", "<si><rPh><t>b</t></si><si><t>c</t></si>"]
)  # fmt: skip
ROW = '<row r="1"><c r="A1" t="s"><v>0</v></c></row>'
END = '</sheetData><mergeCells><mergeCell ref="A1:A2"/></mergeCells></worksheet>'


@st.composite
def sheets(draw):
    drawn = draw(st.lists(rows(), max_size=8))
    numbered = "".join(one.replace("{}", str(line)) for line, one in enumerate(drawn, 2))
    head = draw(DECLARED) + f'<worksheet xmlns="{MAIN}"><sheetData>'
    whole = (head + ROW + numbered + END).encode()
    if draw(st.integers(0, 3)):
        return whole
    place = draw(st.integers(0, len(whole) - 1))
    return whole[:place] + draw(st.binary(max_size=2)) + whole[place + 1 :]


@st.composite
def tables(draw):
    texts = draw(st.lists(TEXTS, max_size=6))
    whole = (draw(DECLARED) + f'<sst xmlns="{MAIN}">' + "".join(texts) + "</sst>").encode()
    if draw(st.integers(0, 3)):
        return whole
    place = draw(st.integers(0, len(whole) - 1))
    return whole[:place] + draw(st.binary(max_size=3)) + whole[place + 1 :]


def of_sheet(content):
    styles = styles_of(io.BytesIO(STYLES.encode()), since_1904=False)
    found = sheet_content(io.BytesIO(content), SheetContext(STRINGS, styles))
    try:
        rows = list(found.rows)
    except DamagedError:
        return None
    return rows, found.merged


def of_texts(content):
    try:
        return shared_strings(io.BytesIO(content), unescaped)
    except DamagedError:
        return None


def alone(read, content):
    """Read by the parser alone."""
    with patch.object(xml_shortcut, "_MOST_MISSES", -1):
        return read(content)


chunks = st.sampled_from([1, 7, 30, 100, 1 << 16])


@given(sheets(), chunks)
def test_a_sheet_is_the_same(content, chunk):
    with patch.object(xml_stream, "_CHUNK", chunk):
        assert of_sheet(content) == alone(of_sheet, content)


@given(tables(), chunks)
def test_a_table_of_texts_is_the_same(content, chunk):
    with patch.object(xml_stream, "_CHUNK", chunk):
        assert of_texts(content) == alone(of_texts, content)


def sheet(*rows, head="", root=f'<worksheet xmlns="{MAIN}">'):
    return f"{head}{root}<sheetData>{''.join((ROW, *rows))}{END}".encode()


PLAIN = '<row r="{}" spans="1:2"><c r="A{}" t="s"><v>3</v></c><c r="B{}" s="1"><v>42</v></c></row>'
ROWS = [PLAIN.replace("{}", str(line)) for line in (2, 3, 4)]


def taken(*rows, **other):
    """Read a sheet, and count the rows whose cells the parser has not seen."""
    with patch.object(
        PlainRows, "next_cells", autospec=True, side_effect=PlainRows.next_cells
    ) as read:
        found = of_sheet(sheet(*rows, **other))
    return found and [list(row.cells) for row in found[0][1:]], read.call_count


def test_the_parser_sees_the_cells_of_the_first_row_only():
    assert taken(*ROWS) == ([["a@x.org", "00042"]] * 3, 3)
    with patch.object(xml_stream, "_CHUNK", 50):
        assert taken(*ROWS) == ([["a@x.org", "00042"]] * 3, 3)


def test_after_a_row_that_is_not_plain_the_others_are():
    odd = '<row r="2"><c r="A2" t="inlineStr"><is><t>x</t></is></c></row>'
    assert taken(odd, *ROWS[1:]) == ([["x"], *[["a@x.org", "00042"]] * 2], 2)


@pytest.mark.parametrize(
    ("before", "after"),
    [("<!-- ", " -->"), ("<?x ", "?>"), ("<![CDATA[", "]]>"), ('<y xmlns="y">', "</y>")],
)
def test_rows_that_are_none_are_not_taken(before, after):
    assert taken(before, *ROWS, after)[0] in ([], None)
    assert alone(of_sheet, sheet(before, *ROWS, after))[0][1:] == []


def test_a_comment_full_of_ends_makes_the_parser_go_on_alone():
    assert taken("<!--", "</row>" * 20, "-->", *ROWS) == ([["a@x.org", "00042"]] * 3, 0)


def test_other_encodings_are_the_parsers():
    head = '<?xml version="1.0" encoding="latin-1"?>'
    assert taken(*ROWS, head=head) == ([["a@x.org", "00042"]] * 3, 0)


@pytest.mark.parametrize("texts", ["a", "a\tb\n", "é", "_x0041_", "\U0001f600", "\u00a0", " "])
def test_plain_texts_need_no_parser(texts):
    table = f'<sst xmlns="{MAIN}">' + f"<si><t>{texts}</t></si>" * 5 + "</sst>"
    with patch.object(xlsx_texts, "local", side_effect=xlsx_texts.local) as seen:
        assert of_texts(table.encode()) == [unescaped(texts)] * 5
    assert seen.call_count == 6  # sst, and the first text


@pytest.mark.parametrize("wrong", [b"\xff", b"\xef\xbf\xbf", b"\xed\xa0\x80", b"\x00", b"\x1f"])
def test_plain_texts_have_no_characters_that_xml_cannot_have(wrong):
    table = (
        f'<sst xmlns="{MAIN}">'.encode()
        + b"<si><t>a</t></si>" * 2
        + b"<si><t>%s</t></si></sst>" % wrong
    )
    assert of_texts(table) is None


@pytest.mark.parametrize(
    "row",
    [
        '<row xmlns="y"><c r="A2" t="s"><v>0</v></c></row>',
        '<row r="2"><c r="A2" t="s"><v>-1</v></c></row>',
        '<row r="2"><c r="A2" t="s"><v>4</v></c></row>',
        '<row r="2"><c r="A2" s="4"><v>4</v></c></row>',
        '<row r="2"><c r="B2"/><c r="A2"/></row>',
        '<row r="2"><c r="A2"/><c r="A2"/></row>',
        '<row r="2"><c r="XFE2"/></row>',
        '<row r="2"><c r="A2"><v>1-1</v></c></row>',
        '<row r="2" r="3"><c r="A2"/></row>',
        '<row r="1"><c r="A2"/></row>',
        '<row r="2"/><c r="A2"/></row>',
    ],
)
def test_what_looks_plain_is_judged_as_the_parser_judges_it(row):
    assert of_sheet(sheet(row, *ROWS[1:])) == alone(of_sheet, sheet(row, *ROWS[1:]))


def test_an_end_counts_only_where_it_is():
    class LateParser:
        """A parser that has held back what it was fed before, as some versions of Expat do."""

        CurrentByteIndex = 0

        def Parse(self, content):  # noqa: N802 - as Expat has it
            if content == b"</row>":
                shortcut.ended()

    shortcut = Shortcut(LateParser(), b"</row>", lambda *_: pytest.fail("within a comment"))
    shortcut.feed(b"</row ><!-- </row> <row></row> -->")
