"""Code as users write it; checked by mypy --strict and pyright, and never run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, assert_never, assert_type
from zoneinfo import ZoneInfo

import httpx
import httpx2

from mettl_async import (
    ApiResponse,
    AsyncPager,
    Candidate,
    ClientOptions,
    Credentials,
    EndlessListError,
    Failed,
    MettlClient,
    MettlError,
    Middlewares,
    Next,
    Outcome,
    Progress,
    RateLimitError,
    Region,
    Registered,
    RegistrationOptions,
    RegistrationReport,
    Rejected,
    Request,
    Response,
    RetryPolicy,
    Unknown,
)
from mettl_async.api.export import ExportedResult, FailedExport
from mettl_async.models import (
    Access,
    AccessEdit,
    AccountInfo,
    Assessment,
    AssessmentSort,
    BasicAuth,
    CandidateResult,
    CreatedSchedule,
    FixedAccessOption,
    InvitedCandidate,
    IpAccessRestriction,
    IpRange,
    Logo,
    NewSchedule,
    NoLink,
    NoLinkReason,
    PbtAddition,
    Protection,
    ReadyLink,
    Registration,
    ResultDetail,
    Schedule,
    ScheduleEdit,
    ScheduleFilter,
    ScheduleWindow,
    SortOrder,
    TestGraded,
    TestGradeNotification,
    TestInstance,
    TestLinkSettings,
    TestLinkType,
    VisualProctoring,
    VisualProctoringMode,
    Webhooks,
    WebProctoring,
)
from mettl_async.sandbox import Sandbox


async def first_steps() -> None:
    async with MettlClient() as mettl:
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
            options=RegistrationOptions(time_limit_in_sec=86_400),
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
                urls={TestGraded: "https://ats.example/graded"},
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
    room = TestLinkSettings(
        test_date=date(2026, 2, 7),
        test_start_time=time(10),
        test_end_time=time(12),
        reporting_start_time=time(9, 30),
        reporting_finish_time=time(10, 15),
        time_zone=zone,
    )
    waiting = NewSchedule(
        name="n", source_app="s", access=Access.open_for_all(), test_link_settings=room
    )
    assert_type(waiting.test_link_type, TestLinkType | None)
    edited = await mettl.schedules.edit(
        created.access_key,
        ScheduleEdit(access=AccessEdit.by_invitation(remove=["a@x.org"])),
    )
    assert_type(edited, Schedule)


async def many(mettl: MettlClient) -> str:
    async def source() -> AsyncIterator[Candidate]:
        yield Candidate(email="a@x.org", first_name="Asha")

    async def mended(candidate: Candidate, rejected: Rejected) -> Candidate | None:
        if rejected.code != "E028":
            return None
        return Candidate(email=candidate.email, first_name=candidate.first_name)

    def show(progress: Progress) -> None:
        assert_type(progress.rate, float)
        print(progress.read, progress.registered, progress.unknown, progress.in_flight)

    report = await mettl.candidates.register_many(
        "0x0x0x0x0x", source(), concurrency=20, candidate_fallback=mended, on_progress=show
    )
    assert_type(report, RegistrationReport)
    assert_type(report.registered, tuple[Registered, ...])
    report.raise_for_failures()
    for one in report.unknown:
        assert_type(one.sent_at, tuple[datetime, ...])
    async for outcome in mettl.candidates.register_many(
        "0x0x0x0x0x", source(), candidate_fallback=lambda candidate, rejected: None
    ):
        print(describe(outcome))
    return str(report)


def describe(outcome: Outcome) -> str:
    match outcome:
        case Registered(url=url):
            return url
        case Rejected(reason=reason, code=code, sent_at=sent_at):
            assert_type(sent_at, tuple[datetime, ...])
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


class SharedRate:
    async def acquire(self) -> None: ...

    async def pause(self, seconds: float) -> None: ...


async def configured() -> None:
    options = ClientOptions(
        retry=RetryPolicy(max_attempts=5, deadline=30),
        post_parameters="form",
        max_concurrency=20,
        max_shared_pause=30,
    )
    async with httpx.AsyncClient() as one, httpx2.AsyncClient() as two:
        clients = [
            MettlClient(Credentials(public_key="a", private_key="b"), region=Region.EU),
            MettlClient(rotating, transport="aiohttp", rate_limiter=SharedRate()),
            MettlClient(rotating, region="eu", options=options, middleware=[stamp]),
            MettlClient(rotating, middleware=Middlewares(per_call=(stamp,)), http_client=one),
            MettlClient(auth=stamp, base_url="https://gateway.example/mettl", http_client=two),
        ]
    try:
        await clients[0].with_options(timeout=5, max_retries=0).pbts.add([1])
    except RateLimitError as error:
        assert_type(error.retry_after, float | None)
        assert_type(error.sent, bool)
        assert_type(error.operation, str)
    shared: MettlClient = clients[0].with_options(rate_limiter=SharedRate())
    for client in (shared, *clients):
        await client.aclose(timeout=5)
        assert_type(client.is_closed, bool)


async def offline() -> None:
    async with (
        Sandbox().serve() as server,
        MettlClient(server.credentials, base_url=server.base_url) as mettl,
    ):
        await mettl.pbts.add([1336])


async def reading(mettl: MettlClient) -> None:
    assert_type(await mettl.account.get(), AccountInfo)
    pager = mettl.assessments.list(sort=AssessmentSort.NAME, order=SortOrder.ASC)
    assert_type(pager, AsyncPager[Assessment])
    async for assessment in pager:
        assert_type(assessment.id, int)
    async for page in mettl.schedules.list().pages():
        assert_type(page.items, tuple[Schedule, ...])
    assert_type(await mettl.schedules.list().collect(limit=5), list[Schedule])
    try:
        await mettl.schedules.list()
    except EndlessListError as endless:
        assert_type(endless.items, tuple[Any, ...])
    assert_type(await mettl.schedules.list(), list[Schedule])
    in_one = mettl.schedules.list_in_assessment(
        7, filter=ScheduleFilter(web_proctoring=WebProctoring(enabled=True))
    )
    assert_type(in_one, AsyncPager[Schedule])
    result = await mettl.results.wait_for("abc", "a@x.org", timeout=60)
    assert_type(result, CandidateResult)
    if (status := result.test_status) is not None and status.is_finished and status.result:
        assert_type(status.start_time, datetime | None)
        for section in status.result.section_marks:
            assert_type(section.section_name, str | None)
    assert_type(await mettl.results.download_report(result, "asha.pdf", max_bytes=10**6), Path)
    await mettl.results.download_report(result, "asha.pdf", wait=False)
    async for one in mettl.results.export(["abc"], detail=ResultDetail(recommendation=True)):
        match one:
            case ExportedResult(access_key=key, result=found):
                print(key, found.test_status)
            case FailedExport(error=error):
                assert_type(error, MettlError)
            case _:
                assert_never(one)
    async for test in mettl.results.list_for_candidate("a@x.org"):
        assert_type(test, TestInstance)


async def conveniences(mettl: MettlClient, new: NewSchedule) -> None:
    assert_type(await mettl.schedules.get_or_create(7, new), CreatedSchedule)
    link = await mettl.candidates.ensure_registered(
        "abc", Candidate(email="a@x.org", first_name="A")
    )
    match link:
        case ReadyLink(url=url):
            assert_type(url, str)
        case NoLink(reason=reason):
            assert_type(reason, NoLinkReason)
        case _:
            assert_never(link)
    await mettl.account.update_logo(Logo(content=b"", filename="logo.png"))
    answer = await mettl.request("GET", "/account")
    assert_type(answer, ApiResponse)
    assert_type(answer.response.status_code, int)


NOW = datetime.now(UTC)
