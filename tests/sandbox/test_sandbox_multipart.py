import pytest

from mettl_async.sandbox.envelope import RefusalError
from mettl_async.sandbox.signature import read_parameters

TYPE = 'multipart/form-data; boundary="x y"'


def read_parts(content_type, body):
    return read_parameters(b"", body, content_type, takes_files=True)


def part(head, content):
    return b"--x y\r\n" + head + b"\r\n\r\n" + content + b"\r\n"


NAMED = b'Content-Disposition: form-data; name="a"'
FILE = b'content-type: image/png\r\nCONTENT-DISPOSITION: form-data; name="f"; filename=""'


def test_fields_and_files_are_told_apart_by_the_file_name():
    body = part(NAMED, "é=1&2".encode()) + part(FILE, b"\r\n--x\xff\r\n\r\n") + b"--x y--\r\n"
    parts = read_parts(TYPE, body)
    assert parts.fields == {"a": "é=1&2"}
    assert parts.files == {"f": b"\r\n--x\xff\r\n\r\n"}
    assert "é" not in repr(parts)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x y--"),
        (TYPE, b"a=b"),
        (TYPE, part(NAMED, b"1")),
        (TYPE, b"junk" + part(NAMED, b"1") + b"--x y--"),
        (TYPE, part(NAMED, b"1") + part(NAMED, b"2") + b"--x y--"),
        (TYPE, part(NAMED, b"\xff") + b"--x y--"),
        (TYPE, part(b"x: y", b"1") + b"--x y--"),
    ],
)
def test_a_body_that_is_not_well_formed_is_refused(content_type, body):
    with pytest.raises(RefusalError) as caught:
        read_parts(content_type, body)
    assert caught.value.code == "E400"
