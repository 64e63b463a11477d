"""A worker: its chunks, its leader, its ends."""

import pytest
from worked import Worked


@pytest.fixture
async def worked(jobs_file_url):
    worked = Worked(jobs_file_url)
    yield worked
    await worked.aclose()


async def test_a_job_is_done(worked):
    await worked.submit(95)
    async with worked.working():
        await worked.until("done")
    await worked.check_end()
    assert await worked.statuses() == {"registered": 95}
    assert worked.asked_again() == 0
