"""Code as users write it; checked by mypy --strict and pyright, and never run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import assert_never, assert_type
from zoneinfo import ZoneInfo

import httpx
import httpx2

from mettl_async import (
    Access,
    AccessEdit,
    BasicAuth,
    Candidate,
    ClientOptions,
    CreatedSchedule,
    Credentials,
    Failed,
    FixedAccessOption,
    InvitedCandidate,
    IpAccessRestriction,
    IpRange,
    MettlClient,
    MettlError,
    Middlewares,
    NewSchedule,
    Next,
    Outcome,
    PbtAddition,
    Protection,
    Region,
    Registered,
    Registration,
    RegistrationReport,
    Rejected,
    Request,
    Response,
    RetryPolicy,
    Schedule,
    ScheduleEdit,
    ScheduleWindow,
    TestGradeNotification,
    ThrottledError,
    Unknown,
    VisualProctoring,
    VisualProctoringMode,
    Webhooks,
    WebProctoring,
)
from mettl_async.sandbox import Sandbox


async def first_steps() -> None:
    async with MettlClient.from_env() as mettl:
        assert_type(mettl, MettlClient)
        additions = await mettl.pbts.add([1336, 1255])
        assert_type(additions, tuple[PbtAddition, ...])
        registrations = await mettl.candidates.register(
            "0x0x0x0x0x",
            [
                Candidate(
                    email="a@x.org",
                    first_name="Asha",
                    fields={"Last Name": "Rao"},
                    context_data="{}",
                    compensatory_time=timedelta(minutes=20),
                )
            ],
            time_limit_in_sec=86_400,
        )
        assert_type(registrations, tuple[Registration, ...])
        assert_type(registrations[0].url, str | None)


async def schedules(mettl: MettlClient) -> None:
    zone = ZoneInfo("Asia/Kolkata")
    window = ScheduleWindow(
        starts_at=datetime(2026, 2, 7, 12, tzinfo=zone),
        ends_at=datetime(2026, 2, 11, 18, tzinfo=zone),
        fixed_access_option=FixedAccessOption.SLOT_WISE,
    )
    created = await mettl.schedules.create(
        756452,
        NewSchedule(
            name="Autumn drive",
            source_app="acme-ats",
            access=Access.by_invitation(
                [InvitedCandidate(email="a@x.org", name="Asha")], send_email=True
            ),
            schedule_window=window,
            web_proctoring=WebProctoring(count=10, show_remaining_counts=True),
            visual_proctoring=VisualProctoring(
                mode=VisualProctoringMode.PHOTO, candidate_authorization=True
            ),
            secure_browser=True,
            protected=Protection.OTP_ON_EMAIL,
            webhooks=Webhooks(
                test_graded_notification_url="https://ats.example/graded",
                basic_auth=BasicAuth(username="mettl", password="s3cret"),
            ),
            test_grade_notification=TestGradeNotification(recipients=["hr@x.org"]),
            ip_access_restriction=IpAccessRestriction.range(
                IpRange(start=IPv4Address("128.128.128.128"), end="128.128.128.130")
            ),
        ),
    )
    assert_type(created, CreatedSchedule)
    assert_type(created.access_key, str)
    edited = await mettl.schedules.edit(
        created.access_key,
        ScheduleEdit(access=AccessEdit.by_invitation(remove=["a@x.org"])),
    )
    assert_type(edited, Schedule)


async def many(mettl: MettlClient) -> str:
    async def source() -> AsyncIterator[Candidate]:
        yield Candidate(email="a@x.org", first_name="Asha")

    report = await mettl.candidates.register_many("0x0x0x0x0x", source(), concurrency=20)
    assert_type(report, RegistrationReport)
    assert_type(report.registered, tuple[Registered, ...])
    report.raise_for_failures()
    async for outcome in mettl.candidates.stream_registrations("0x0x0x0x0x", source()):
        print(describe(outcome))
    return str(report)


def describe(outcome: Outcome) -> str:
    match outcome:
        case Registered(url=url):
            return url
        case Rejected(reason=reason, code=code):
            return f"{code}: {reason}"
        case Failed(error=error) | Unknown(error=error):
            assert_type(error, MettlError)
            return str(error)
        case _:
            assert_never(outcome)


async def stamp(request: Request, call_next: Next) -> Response:
    return await call_next(request.evolve(params={**request.params, "languageCode": "en"}))


async def rotating() -> Credentials:
    return Credentials(public_key="a", private_key="b")


async def configured() -> None:
    options = ClientOptions(
        retry=RetryPolicy(max_attempts=5, deadline=30), post_parameters="form", max_concurrency=20
    )
    async with httpx.AsyncClient() as one, httpx2.AsyncClient() as two:
        clients = [
            MettlClient(Credentials(public_key="a", private_key="b"), region=Region.EU),
            MettlClient(rotating, region="eu", options=options, middleware=[stamp]),
            MettlClient(rotating, middleware=Middlewares(per_call=(stamp,)), http_client=one),
            MettlClient(auth=stamp, base_url="https://gateway.example/mettl", http_client=two),
        ]
    try:
        await clients[0].with_options(options=options.with_deadline(5)).pbts.add([1])
    except ThrottledError as error:
        assert_type(error.retry_after, float | None)
        assert_type(error.sent, bool)
        assert_type(error.operation, str)
    for client in clients:
        await client.aclose()


async def offline() -> None:
    async with (
        Sandbox().serve() as server,
        MettlClient(server.credentials, base_url=server.base_url) as mettl,
    ):
        await mettl.pbts.add([1336])


NOW = datetime.now(UTC)
