"""Make the tables and the schedule of service.py. Run it once, before ``uvicorn service:app``.

``python set_up.py http://127.0.0.1:8000`` takes the address under which Mettl reaches the service, and
then, if you like, the number of an assessment. It reads the environment of service.py but for METTL_ACCESS_KEY.
"""

import asyncio
import sys

from service import AUTH, engine, inbox, metadata

from mettl_async import MettlClient
from mettl_async.models import Access, NewSchedule, TestGraded, Webhooks


async def main(address: str, assessment: int | None = None) -> None:
    """Make what is not there yet."""
    await inbox.create_table()
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
    async with MettlClient() as mettl:
        if assessment is None:
            (first,) = await mettl.assessments.list().collect(limit=1)
            assessment = first.id
        schedule = NewSchedule(
            name="Applications",
            source_app="service",
            access=Access.open_for_all(),
            # Events that nobody handles need not come.
            webhooks=Webhooks(
                urls={TestGraded: f"{address}/webhooks/mettl"},
                basic_auth=AUTH,
            ),
        )
        # One of this name that is there already stays as it is.
        created = await mettl.schedules.get_or_create(assessment, schedule)
    print(f"export METTL_ACCESS_KEY={created.access_key}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:3])))
