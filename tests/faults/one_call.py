"""One call in a process of its own, for tests that kill it or give it no disk.

Arguments: operation, access key, assessment, transport, journal (empty for none); the rest comes from the
environment. Prints ``done``, or what `RunInterruptedError` has.
"""

import asyncio
import sys

from mettl_async import Candidate, FileJournal, MettlClient, RunInterruptedError
from mettl_async.models import Access, NewSchedule

PEOPLE = [Candidate(email=f"c{number}@x.org", first_name="C") for number in range(25)]
NEW = NewSchedule(name="Autumn", source_app="acme-ats", access=Access.open_for_all())


async def perform(mettl, operation, key, assessment, journal=""):
    """Perform a call of this kind."""
    match operation:
        case "schedules.get":
            return await mettl.schedules.get(key)
        case "candidates.register":
            return await mettl.candidates.register(key, PEOPLE[:20])
        case "candidates.register_many":
            return await mettl.candidates.register_many(
                key, PEOPLE, concurrency=1, journal=FileJournal(journal) if journal else None
            )
        case _:
            return await mettl.schedules.create(assessment, NEW)


async def main(operation, key, assessment, transport, journal):
    """Perform one call, and say what came of it."""
    async with MettlClient(transport=transport) as mettl:
        try:
            await perform(mettl, operation, key, int(assessment), journal)
        except RunInterruptedError as error:
            sys.stdout.write(f"interrupted: {len(error.report.registered)} links")
        else:
            sys.stdout.write("done")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
