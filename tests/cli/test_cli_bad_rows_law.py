"""Bad rows written to a file and read again are the same rows, and still bad: correcting changes that alone."""

import csv
import io
import itertools
import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mettl_async.cli.bad_rows import write_bad_rows
from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.checking import check_file
from mettl_async.cli.reading.options import ReadOptions
from mettl_async.cli.reading.source import Source

HEADER = ("Email Address", "First Name", "City")
CELLS = st.text(
    st.sampled_from("ab1=+-@;,|'\" \t\u00a0\u200b\uff1d\u00e9\x1f\u2028\ufffd"), max_size=6
)
ROWS = st.lists(
    st.lists(st.one_of(st.sampled_from(["a@x.org", "b@x.org", "A", "nobody"]), CELLS), max_size=5),
    min_size=1,
    max_size=6,
)


def checked(path, delimiter):
    source = Source(path, ReadOptions(delimiter=delimiter))
    return source, check_file(source)


@given(ROWS, st.sampled_from(",;\t"))
def test_bad_rows_come_back_as_they_were(rows, delimiter):
    with tempfile.TemporaryDirectory() as home:
        path, bad = Path(home, "p.csv"), Path(home, "bad.csv")
        text = io.StringIO()
        csv.writer(text, delimiter=delimiter).writerows([HEADER, *rows])
        path.write_text(text.getvalue(), "utf-8", newline="")
        try:
            source, found = checked(path, delimiter)
        except CommandError:
            return
        with closing(source):
            if not found.bad_total:
                return
            write_bad_rows(bad, source, found)
            before = [list(row.own.values()) for row in found.bad_rows()]
        again, refound = checked(bad, delimiter)
        with closing(again):
            repeated = found.repeated_total
            assert refound.bad_total >= found.bad_total - repeated
            after = [list(row.own.values()) for row in refound.bad_rows()]
            if not repeated:
                assert after == before
            assert all(own in before for own in after)


def test_an_input_of_bad_rows_gives_the_same_again(tmp_path):
    names = [tmp_path / f"{n}.csv" for n in range(4)]
    names[0].write_text("Email Address,First Name,City\nnobody,A,-5\nb@x.org,B\n", "utf-8")
    for now, then in itertools.pairwise(names):
        with closing(Source(now)) as source:
            found = check_file(source)
            assert (found.good_total, found.bad_total) == (0, 2)
            write_bad_rows(then, source, found)
    assert names[2].read_bytes() == names[3].read_bytes()
