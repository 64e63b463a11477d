import pytest

from mettl_async.sandbox import envelope


def test_json_is_compact_and_not_escaped():
    assert envelope.dumps({"é": [1, None]}) == '{"é":[1,null]}'.encode()
    assert envelope.loads('{"é":"\\ud83d\\ude00"}') == {"é": "😀"}


@pytest.mark.parametrize("text", ["", "{", '"\\ud800"', "[1,]", "[NaN]"])
def test_text_that_is_not_json_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the words are the library's
        envelope.loads(text)


def test_every_code_of_the_table_has_words_and_a_real_status():
    assert envelope.loads(envelope.failed("E401").body.decode()) == {
        "status": "ERROR",
        "error": {"code": "E401", "message": "Authentication failed/Signature mismatch"},
    }
    for code in envelope.CODES:
        assert envelope.failed(code).status_code == 200
        assert 400 <= envelope.failed(code, real=True).status_code < 600
