"""What a call says of its candidates is written once, to be measured and to be sent."""

from urllib.parse import quote

from scripted_server import person

from mettl_async import ClientOptions, MettlClient
from mettl_async.bulk import details
from mettl_async.bulk.details import Entries, Entry, rd_length, rd_of, rd_text
from mettl_async.sandbox import Sandbox


def entries_of(*numbers):
    return [Entry(number, person(number, fields={"Note": 'ü "%&+/=" 1'})) for number in numbers]


def test_the_escaped_form_is_that_of_the_text():
    made = rd_text([one.candidate for one in entries_of(1, 2)])
    assert made.escaped == quote(str(made), safe="").encode()


def test_entries_write_their_text_once_however_they_are_passed_on():
    together = Entries(entries_of(1, 2, 3))
    assert rd_of(together) is rd_of(together)
    assert rd_of(list(together)) == rd_of(together)
    assert rd_length(together) == len(rd_of(together).escaped)
    assert list(together) == entries_of(1, 2, 3)


async def test_a_run_writes_the_text_of_each_batch_once(monkeypatch):
    written = []

    def write(candidates):
        written.append(len(candidates))
        return rd_text(candidates)

    monkeypatch.setattr(details, "rd_text", write)
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
