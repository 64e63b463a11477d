"""Each reading method and upload against the sandbox on a real socket, on three kinds of client."""

import asyncio

import pytest
from bare_host import report_host, scripted_sleep

from mettl_async import (
    ApiError,
    BadRequestError,
    Candidate,
    ClientOptions,
    ConfigurationError,
    ConnectionLostError,
    InvalidInputError,
    MettlClient,
    NotFoundError,
    NotReadyError,
    RetryPolicy,
)
from mettl_async.api.export import ExportedResult, FailedExport
from mettl_async.api.results import Results
from mettl_async.api.waiting import judge_result
from mettl_async.codec import from_wire
from mettl_async.core.multipart import FilePart
from mettl_async.models import (
    Access,
    AssessmentSettings,
    AssessmentSort,
    BasicAuth,
    CandidateResult,
    CoverImage,
    Favicon,
    InvitedCandidate,
    Level,
    Logo,
    NewAssessment,
    NewSchedule,
    NewSection,
    NewSkill,
    NoLink,
    NoLinkReason,
    ReadyLink,
    Registration,
    RegistrationStatus,
    ResultDetail,
    ScheduleFilter,
    SortOrder,
    TestGraded,
    TestStarted,
    TestState,
    Webhooks,
    WebProctoring,
    WhiteLabel,
    ensured,
)
from mettl_async.sandbox import Sandbox

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
ASHA = Candidate(email="asha+tag?50%#1@x.org", first_name="Asha", context_data='{"id": 7}')


def new_schedule(name, **more):
    return NewSchedule(name=name, source_app="t", access=Access.open_for_all(), **more)


@pytest.fixture
def assessment(server):
    return next(iter(server.sandbox.assessments))


async def register(mettl, server, *people):
    people = people or (ASHA,)
    await mettl.candidates.register(server.access_key, people)
    return people[0]


def finish(server, email, mode="NormalSubmission"):
    server.sandbox.candidates[server.access_key, email].start()
    server.sandbox.clock.advance(120)
    server.sandbox.candidates[server.access_key, email].finish(mode)


async def test_account_get(mettl):
    account = await mettl.account.get()
    assert account.email
    assert account.email not in repr(account)


async def test_account_uploads(mettl, server):
    await mettl.account.update_logo(Logo(content=PNG, filename="logo.png"))
    white = WhiteLabel(header_background_color="112233", support_numbers=["+91-1", "+91-2"])
    await mettl.account.update_white_label(white)
    await mettl.account.update_white_label(
        white,
        favicon=Favicon(content=PNG, filename="f.png"),
        cover=CoverImage(content=PNG, filename="c.png"),
    )
    calls = list(server.sandbox.stats.calls)
    assert [call.operation for call in calls] == ["account.update_logo"] + [
        "account.update_white_label"
    ] * 2
    assert server.sandbox.stats.bad_signatures == 0
    account = next(iter(server.sandbox.state.accounts.values()))
    assert set(account.files) == {"logo", "fav", "cov"}
    assert tuple(account.support_numbers) == ("+91-1", "+91-2")


async def test_uploads_with_form_parameters_travel_as_parts(server):
    options = ClientOptions(post_parameters="form")
    async with MettlClient(server.credentials, base_url=server.base_url, options=options) as mettl:
        await mettl.account.update_logo(Logo(content=PNG, filename="logo.png"))
        await mettl.account.update_white_label(
            WhiteLabel(button_color="abcdef"), cover=CoverImage(content=PNG, filename="c.png")
        )
    assert {call.sent_in for call in server.sandbox.stats.calls} == {"multipart"}


async def test_pbts_list(mettl):
    pbts = await mettl.pbts.list().collect()
    assert 1336 in {pbt.pbt_id for pbt in pbts}


async def test_assessments_list_and_get(mettl, server):
    for number in range(45):
        server.sandbox.add_assessment(f"Assessment {number:02}")
    listing = mettl.assessments.list(sort=AssessmentSort.NAME, order=SortOrder.ASC, page_size=10)
    names = [one.name async for one in listing]
    assert names == sorted(names)
    assert len(names) == len(set(names)) == listing.total == len(server.sandbox.assessments)
    some = await mettl.assessments.list().collect(limit=3)
    whole = await mettl.assessments.get(some[0].id)
    assert whole.name == some[0].name
    assert whole.sections[0].skills
    with pytest.raises(NotFoundError):
        await mettl.assessments.get(1)


async def test_assessments_create_and_edit(mettl):
    skill = NewSkill(name="Python", level=Level.EASY, question_count=5)
    new = NewAssessment(name="Coding", duration=60, sections=[NewSection(name="S", skills=[skill])])
    created = await mettl.assessments.create(new)
    edited = await mettl.assessments.edit_settings(
        created.assessment_id, AssessmentSettings(exit_redirection_url="https://ats.example/done")
    )
    assert edited.exit_redirection_url == "https://ats.example/done"
    assert edited.name == "Coding"
    with pytest.raises(ApiError, match="unique") as caught:
        await mettl.assessments.create(new)
    assert caught.value.code == "E000"


async def test_schedules_list_filter_and_get(mettl, server, assessment):
    created = await mettl.schedules.create(
        assessment, new_schedule("P", web_proctoring=WebProctoring(count=3))
    )
    names = {one.name async for one in mettl.schedules.list_in_assessment(assessment)}
    assert {"P", "Ready schedule"} <= names
    some = await mettl.schedules.list_in_assessment(
        assessment, filter=ScheduleFilter(web_proctoring=WebProctoring(count=3))
    ).collect()
    assert [one.name for one in some] == ["P"]
    whole = await mettl.schedules.get(created.access_key)
    assert whole.web_proctoring.count == 3
    assert whole.assessment_details.id == assessment
    everything = await mettl.schedules.list(page_size=1).collect()
    assert {one.access_key for one in everything} == set(server.sandbox.schedules)
    with pytest.raises(InvalidInputError, match="filter"):
        mettl.schedules.list_in_assessment(assessment, filter={"x": 1})


async def test_results_list_get_and_delete(mettl, server):
    people = [Candidate(email=f"c{n}@x.org", first_name=f"C{n}") for n in range(15)]
    await register(mettl, server, *people)
    for one in people[:12]:
        finish(server, one.email)
    listing = mettl.results.list(server.access_key, page_size=4)
    found = [one async for one in listing]
    assert {one.email for one in found} == {one.email for one in people}
    assert listing.total == 15
    done = [one for one in found if one.test_status.is_finished]
    assert len(done) == 12
    assert done[0].test_status.result.section_marks
    await mettl.results.delete(server.access_key, "c0@x.org")
    with pytest.raises(ApiError):
        await mettl.results.delete(server.access_key, "stranger@x.org")


async def test_one_result_with_every_detail_and_a_nasty_email(mettl, server):
    await register(mettl, server)
    finish(server, ASHA.email)
    plain = await mettl.results.get(server.access_key, ASHA.email)
    rich = await mettl.results.get(
        server.access_key,
        ASHA.email,
        detail=ResultDetail(
            recommendation=True, response_style=True, question_responses=True, evaluation=True
        ),
    )
    assert plain.email == ASHA.email
    assert plain.context_data == '{"id": 7}'
    assert not plain.test_status.result.section_marks[0].question_responses
    assert rich.test_status.result.section_marks[0].question_responses
    assert rich.test_status.analysis.recommendations
    assert rich.test_status.start_time.utcoffset() is not None
    assert server.sandbox.stats.bad_signatures == 0
    assert "asha" not in repr(rich)


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
async def test_all_results_of_a_candidate(server, version):
    async with MettlClient(server.credentials, base_url=server.base_url, version=version) as mettl:
        older = mettl.with_options(version="v2")
        await register(older, server)
        finish(server, ASHA.email)
        tests = await mettl.results.list_for_candidate(ASHA.email).collect()
        assert [one.test_status.is_finished for one in tests] == [True]
        if version == "v3":
            with pytest.raises(ConfigurationError, match="v1 and v2"):
                await mettl.results.get(server.access_key, ASHA.email)


async def test_a_lost_deletion_is_done_once_and_no_error(server):
    async with MettlClient(server.credentials, base_url=server.base_url) as mettl:
        await register(mettl, server)
        finish(server, ASHA.email)
        server.sandbox.faults.script(["reset_after"])
        await mettl.results.delete(server.access_key, ASHA.email)
        with pytest.raises(NotFoundError):
            await mettl.results.get(server.access_key, ASHA.email)


async def test_ensure_registered_gives_a_link_or_a_reason(mettl, server, assessment):
    first = await mettl.candidates.ensure_registered(server.access_key, ASHA)
    again = await mettl.candidates.ensure_registered(server.access_key, ASHA)
    assert isinstance(first, ReadyLink)
    assert first.url == again.url
    finish(server, ASHA.email)
    done = await mettl.candidates.ensure_registered(server.access_key, ASHA)
    assert isinstance(done, NoLink)
    assert done.reason is NoLinkReason.COMPLETED
    private = await mettl.schedules.create(
        assessment,
        NewSchedule(
            name="Private",
            source_app="t",
            access=Access.by_invitation([InvitedCandidate(email="b@x.org", name="B")]),
        ),
    )
    other = await mettl.candidates.ensure_registered(private.access_key, ASHA)
    assert other.reason is NoLinkReason.NOT_INVITED
    assert "asha" not in repr(first) + repr(done)


async def test_reset_attempt_gives_a_new_link(mettl, server):
    before = await mettl.candidates.ensure_registered(server.access_key, ASHA)
    finish(server, ASHA.email)
    after = await mettl.candidates.reset_attempt(server.access_key, ASHA)
    assert isinstance(after, ReadyLink)
    assert after.url != before.url


async def test_get_or_create_finds_creates_and_recovers(server, assessment):
    async with MettlClient(server.credentials, base_url=server.base_url) as mettl:
        first = await mettl.schedules.get_or_create(assessment, new_schedule("Drive"))
        second = await mettl.schedules.get_or_create(assessment, new_schedule("Drive"))
        assert first.access_key == second.access_key
        # The answer of a create is lost: list, create (lost), list.
        server.sandbox.faults.script([None, "reset_after"])
        third = await mettl.schedules.get_or_create(assessment, new_schedule("Lost"))
        assert server.sandbox.schedules[third.access_key].name == "Lost"
        several = await asyncio.gather(
            *(mettl.schedules.get_or_create(assessment, new_schedule("Race")) for _ in range(5))
        )
        assert len({one.access_key for one in several}) == 1
        attempts = await mettl.schedules.get_or_create_attempts(
            assessment, new_schedule("A"), attempts=3
        )
        assert [one.name for one in attempts] == [f"A - attempt {n}" for n in (1, 2, 3)]
        server.sandbox.faults.script([None, "E400"])
        with pytest.raises(BadRequestError):
            await mettl.schedules.get_or_create(assessment, new_schedule("Bad"))
        with pytest.raises(InvalidInputError, match="attempts"):
            await mettl.schedules.get_or_create_attempts(assessment, new_schedule("A"), attempts=0)


async def test_default_webhooks_are_set_on_new_schedules(server, assessment):
    defaults = Webhooks(
        urls={TestStarted: "https://a.example/start", TestGraded: "https://a.example/graded"},
    )
    options = ClientOptions(webhooks=defaults)
    async with MettlClient(server.credentials, base_url=server.base_url, options=options) as mettl:
        plain = await mettl.schedules.create(assessment, new_schedule("Plain"))
        own = Webhooks(urls={TestGraded: "https://b.example/graded"})
        mixed = await mettl.schedules.create(assessment, new_schedule("Mixed", webhooks=own))
    settings = {
        key: server.sandbox.schedules[key].settings for key in (plain.access_key, mixed.access_key)
    }
    assert settings[plain.access_key]["testGradedNotificationUrl"] == "https://a.example/graded"
    assert settings[mixed.access_key]["testGradedNotificationUrl"] == "https://b.example/graded"
    assert settings[mixed.access_key]["testStartNotificationUrl"] == "https://a.example/start"


async def test_wait_for_asks_until_the_result_is_graded(server):
    async with MettlClient(server.credentials, base_url=server.base_url) as mettl:
        await register(mettl, server)
        looks = scripted_sleep(
            mettl,
            [
                server.sandbox.candidates[server.access_key, ASHA.email].start,
                lambda: None,
                server.sandbox.candidates[server.access_key, ASHA.email].finish,
            ],
        )
        result = await mettl.results.wait_for(server.access_key, ASHA.email, poll_every=7)
        assert result.test_status.result
        assert len(looks) == 3
        assert 1.8 <= looks[0] <= 2
        assert all(pause <= 7 for pause in looks)


async def test_wait_for_gives_up_at_its_end_or_when_it_is_no_use(server):
    async with MettlClient(server.credentials, base_url=server.base_url) as mettl:
        await register(mettl, server)
        looks = scripted_sleep(mettl, [])
        with pytest.raises(NotReadyError, match="not started") as caught:
            await mettl.results.wait_for(server.access_key, ASHA.email, timeout=10)
        assert not caught.value.final
        assert sum(looks) == pytest.approx(10)
        finish(server, ASHA.email, "Blocked")
        blocked = await mettl.results.wait_for(server.access_key, ASHA.email, timeout=10)
        assert blocked.test_status.is_finished
        for wrong in (0, -1, "9", True, float("inf")):
            with pytest.raises(InvalidInputError, match="timeout"):
                await mettl.results.wait_for(server.access_key, ASHA.email, timeout=wrong)


async def test_export_reads_many_schedules_once_each(mettl, server, assessment):
    keys = [server.access_key]
    for number in range(3):
        created = await mettl.schedules.create(assessment, new_schedule(f"E{number}"))
        keys.append(created.access_key)
    for key in keys:
        people = [Candidate(email=f"c{n}@x.org", first_name="C") for n in range(7)]
        await mettl.candidates.register(key, people)
    exports = [
        one async for one in mettl.results.export([*keys, keys[0], "nosuchkey"], page_size=3)
    ]
    results = [one for one in exports if isinstance(one, ExportedResult)]
    assert len(results) == len({(one.access_key, one.result.email) for one in results}) == 28
    (failed,) = [one for one in exports if isinstance(one, FailedExport)]
    assert failed.access_key == "nosuchkey"
    assert isinstance(failed.error, NotFoundError)
    everything = mettl.results.export(one.access_key async for one in mettl.schedules.list())
    assert len([one async for one in everything]) == 28


async def test_leaving_an_export_early_leaves_nothing_behind(mettl, server):
    await register(
        mettl, server, *[Candidate(email=f"c{n}@x.org", first_name="C") for n in range(20)]
    )
    async for _ in mettl.results.export([server.access_key], page_size=1):
        break
    with pytest.raises(InvalidInputError, match="access_keys"):
        async for _ in mettl.results.export("one key"):
            pass


async def test_anything_else_can_be_requested(mettl, server):
    answer = await mettl.request(
        "get", "/schedules/{access_key}", path_values={"access_key": server.access_key}
    )
    assert answer.payload["schedule"]["accessKey"] == server.access_key
    assert answer.response.status_code == 200
    server.sandbox.faults.script(["reset_after"])
    with pytest.raises(ConnectionLostError):
        await mettl.request("POST", "/pbts/add", {"pbts": "[1336]"}, placement="form")
    for arguments, words in [
        (("G ET", "/x"), "method"),
        (("GET", "x"), "path"),
        (("GET", "/x?y=1"), "path"),
        (("GET", "/../x"), "path"),
        (("GET", "/x", {"a": 1}), "params"),
        (("GET", "/x", ["a"]), "params"),
    ]:
        with pytest.raises(InvalidInputError, match=words):
            await mettl.request(*arguments)
    with pytest.raises(InvalidInputError, match="placement"):
        await mettl.request("POST", "/x", placement="body")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.assessments.get("1"), "assessment_id"),
        (lambda m: m.schedules.get("no key!"), "access_key"),
        (lambda m: m.results.get("abc", "no email"), "email"),
        (lambda m: m.results.get("abc", "a@x.org", detail={"ir": 1}), "detail"),
        (lambda m: m.results.delete("abc", 7), "email"),
        (lambda m: m.account.update_logo(b"png"), "logo"),
        (lambda m: m.account.update_white_label(None), "white_label"),
        (lambda m: m.assessments.create({"name": "x"}), "assessment"),
        (lambda m: m.assessments.edit_settings(1, {}), "settings"),
        (lambda m: m.candidates.reset_attempt("abc", "a@x.org"), "candidate"),
        (lambda m: m.schedules.get_or_create(1, None), "schedule"),
    ],
)
async def test_wrong_arguments_are_refused_before_anything_is_sent(server, call, words):
    async with MettlClient(server.credentials, base_url=server.base_url) as mettl:
        with pytest.raises(InvalidInputError, match=words):
            await call(mettl)
        for method in (mettl.assessments.list, mettl.schedules.list):
            with pytest.raises(InvalidInputError, match="page_size"):
                method(page_size=0)
        with pytest.raises(InvalidInputError, match="sort"):
            mettl.results.list("abc", sort="name")
    assert server.sandbox.stats.requests == 0


async def test_lists_never_follow_the_addresses_of_the_server(mettl, server):
    hosts = set()
    send = mettl._shared.transport.send

    async def watch(request):
        hosts.add(request.url.split("/v2")[0])
        return await send(request)

    mettl._shared.transport.send = watch
    await mettl.schedules.list(page_size=1).collect()
    assert hosts == {mettl.base_url}


def test_a_client_has_one_attribute_per_resource():
    client = MettlClient(Sandbox().credentials)
    assert isinstance(client.results, Results)
    assert TestState("completed") is TestState.COMPLETED


async def test_a_status_that_is_no_success_is_never_taken_for_one(server):
    async with MettlClient(server.credentials, base_url=server.base_url) as mettl:
        await register(mettl, server)
        with pytest.raises(ApiError):  # not finished, so not deleted
            await mettl.candidates.reset_attempt(server.access_key, ASHA)


async def test_all_results_of_a_candidate_ask_once_where_there_is_no_paging(server):
    async with MettlClient(server.credentials, base_url=server.base_url) as mettl:
        await register(mettl, server)
        before = server.sandbox.stats.requests
        await mettl.results.list_for_candidate(ASHA.email).collect()
        assert server.sandbox.stats.requests == before + 1


async def test_waiting_outlasts_trouble_and_its_own_timeout_bounds_a_look(server):
    options = ClientOptions(retry=RetryPolicy(max_attempts=1))
    async with MettlClient(server.credentials, base_url=server.base_url, options=options) as mettl:
        await register(mettl, server)
        finish(server, ASHA.email)
        pauses = scripted_sleep(mettl, [])
        server.sandbox.faults.script(["server_error", "reset_before", "html", None])
        result = await mettl.results.wait_for(server.access_key, ASHA.email)
        assert result.test_status.result
        assert len(pauses) == 3
    async with report_host(None) as (base, _):
        async with MettlClient(server.credentials, base_url=base) as mettl:
            with pytest.raises(NotReadyError, match="too long"):
                await mettl.results.wait_for("abc", "a@x.org", timeout=0.1)


@pytest.mark.parametrize(
    ("status", "final"),
    [
        ({"status": "Completed", "result": {"totalMarks": 1}}, None),
        ({"status": "Archive", "result": {"totalMarks": 1}}, None),
        ({"status": "Brand new", "result": {"totalMarks": 1}}, None),
        ({"status": "Completed", "detailedStatus": "Authorizer Blocked"}, None),
        ({"status": "Completed", "overallStatus": "Blocked"}, None),
        ({"status": "Completed", "result": {}}, False),
        ({"status": "InProgress", "result": {"totalMarks": 1}}, False),
        ({"status": "ToBeTaken"}, False),
        ({"status": "Brand new"}, False),
        ({}, False),
        ({"status": "AccessRevoked", "overallStatus": "In-progress"}, True),
        ({"status": "AccessRevoked", "detailedStatus": "Registered"}, True),
        ({"overallStatus": "Not Started", "detailedStatus": "Access Expired"}, True),
    ],
)
def test_when_a_result_is_final(status, final):
    data = {"email": "a@x.org", "testStatus": status}
    found = judge_result(from_wire(CandidateResult, data, where="$"))
    assert (found.final if found else None) is final


async def test_export_says_when_something_was_cancelled_from_inside(mettl, server):
    await register(mettl, server)

    async def keys():
        yield server.access_key
        raise asyncio.CancelledError

    with pytest.raises(ConfigurationError, match="cancelled from inside"):
        async for _ in mettl.results.export(keys()):
            pass


@pytest.mark.parametrize(
    ("arguments", "more", "words"),
    [
        (("GET", "/a/{key}"), {}, "path_values"),
        (("GET", "/a"), {"path_values": {"key": "x"}}, "path_values"),
        (("GET", "/a/{key}"), {"path_values": {"key": ""}}, "segment"),
        (("GET", "/a/{key}"), {"path_values": {"key": ".."}}, "segment"),
        (("GET", "/a", {"ak": "x"}), {}, "params"),
        (("GET", "/a", {"x": "\ud800"}), {}, "params.x"),
        (("GET", "/a"), {"placement": "form"}, "placement"),
        (("POST", "/a"), {"repeatable": "no"}, "repeatable"),
        (("POST", "/a"), {"files": ["x"]}, "files"),
        (("POST", "/a"), {"files": 5}, "files"),
    ],
)
async def test_requests_that_cannot_work_are_refused(server, arguments, more, words):
    async with MettlClient(server.credentials, base_url=server.base_url) as mettl:
        with pytest.raises(InvalidInputError, match=words):
            await mettl.request(*arguments, **more)
    assert server.sandbox.stats.requests == 0


@pytest.mark.parametrize("bad", ['a"b', "a\r\nX: y", "", "a\\b", 7])
def test_files_cannot_smuggle_headers(bad):
    for name in ("name", "filename", "content_type"):
        given = {"name": "n", "filename": "f", "content_type": "image/png", name: bad}
        with pytest.raises(InvalidInputError, match=f"file.{name}"):
            FilePart(content=b"x", **given)


def test_a_link_that_does_not_help_is_no_link():
    def of(status, url):
        item = Registration(
            email="a@x.org", status=RegistrationStatus(status), message="m", url=url
        )
        return ensured(item)

    assert isinstance(of("ToBeTaken", "https://x"), ReadyLink)
    assert of("ToBeTaken", None).reason is NoLinkReason.NO_USABLE_LINK
    assert of("", None).reason is NoLinkReason.NO_USABLE_LINK
    assert of("AccessRevoked", None).reason is NoLinkReason.OTHER
    assert of("Completed", "https://x").reason is NoLinkReason.COMPLETED
    assert ensured(None).reason is NoLinkReason.OTHER


async def test_a_password_of_ours_goes_to_no_other_host(server, assessment):
    defaults = Webhooks(
        urls={TestStarted: "https://a.example/start"},
        basic_auth=BasicAuth(username="u", password="secret"),
    )
    options = ClientOptions(webhooks=defaults)
    async with MettlClient(server.credentials, base_url=server.base_url, options=options) as mettl:
        there = Webhooks(urls={TestGraded: "https://partner.example/graded"})
        here = Webhooks(urls={TestGraded: "https://a.example/graded"})
        keys = [
            (await mettl.schedules.create(assessment, new_schedule(name, webhooks=own))).access_key
            for name, own in (("There", there), ("Here", here))
        ]
    sent = [
        "testNotificationBasicAuthHeader" in server.sandbox.schedules[key].settings for key in keys
    ]
    assert sent == [False, True]
