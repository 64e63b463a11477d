"""What a call says of its candidates is written once, to be measured and to be sent."""

import pytest
from scripted_server import person

from mettl_async import ClientOptions, MettlClient
from mettl_async.bulk import batch
from mettl_async.bulk.batch import Batch, Entry, first_batch, rd_text
from mettl_async.core.request import encoded_length
from mettl_async.sandbox import Sandbox


def noted(*numbers):
    return Batch(
        Entry(number, person(number, fields={"Note": 'ü "%&+/=" 1'})) for number in numbers
    )


def test_a_batch_writes_its_text_once():
    together = noted(1, 2, 3)
    assert together.rd is together.rd
    assert together.rd == rd_text([one.candidate for one in together])


@pytest.mark.parametrize(("longer", "count"), [(0, 3), (-1, 2)])
def test_the_first_batch_is_as_long_as_a_url_may_be(longer, count):
    entries = noted(*range(10))
    max_rd_bytes = encoded_length(Batch(entries[:3]).rd) + longer
    assert first_batch(entries, 20, max_rd_bytes) == entries[:count]
    assert first_batch(entries, 2, max_rd_bytes) == entries[:2]
    assert first_batch(entries, 20, None) == entries
    assert first_batch(dict.fromkeys(entries), 20, 1) == entries[:1], "one alone is always sent"


async def test_a_run_writes_the_text_of_each_batch_once(monkeypatch):
    written = []

    def write(candidates):
        written.append(len(candidates))
        return rd_text(candidates)

    monkeypatch.setattr(batch, "rd_text", write)
    async with Sandbox().serve() as server:
        options = ClientOptions(post_parameters="query")
        async with MettlClient(
            server.credentials, base_url=server.base_url, options=options
        ) as mettl:
            report = await mettl.candidates.register_many(
                server.access_key, [person(number) for number in range(50)]
            )
    assert len(report.registered) == 50
    assert written == [20, 20, 10]
