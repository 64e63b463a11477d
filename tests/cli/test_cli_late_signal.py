"""A signal that comes when everybody has an answer: nobody is left to go on with."""

import signal

import pytest

from mettl_async.cli import run as running


@pytest.mark.parametrize("left", [0, 1])
def test_only_who_was_not_sent_is_told(mettl, sandbox, people, monkeypatch, left):
    people(3, "p.csv")
    register = running.Run._register

    async def late(self, client):
        self.tally.total += left
        await register(self, client)
        self.interrupt(signal.SIGTERM)

    monkeypatch.setattr(running.Run, "_register", late)
    done = mettl("register", "p.csv", "--sandbox", "--out", "links.csv")
    assert done.exit_code == 143
    assert ("were not sent; --resume goes on" in done.stdout) is bool(left)
