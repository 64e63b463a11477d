import json

import pytest

from mettl_async.sandbox import RegistrationField, Sandbox


def people(count):
    return [{"Email Address": f"p{n}@example.com", "First Name": f"P{n}"} for n in range(count)]


async def test_a_registration_answers_a_link_of_that_candidate(caller, sandbox, asha):
    answer = await caller.register(sandbox.access_key, [asha])
    (item,) = answer["registrationStatus"]
    assert answer["status"] == "SUCCESS"
    assert item["message"] == "Candidate ('asha@example.com') successfully registered for the test"
    assert (item["email"], item["status"]) == ("asha@example.com", "ToBeTaken")
    assert item["url"].startswith("https://api.mettl.com/v2/take-test?ecc=")
    assert sandbox.owner_of(item["url"]) == "asha@example.com"
    assert sandbox.owner_of("https://api.mettl.com/v2/take-test?ecc=other") is None


async def test_registering_again_gives_the_same_link_and_the_new_values(caller, sandbox, asha):
    key = sandbox.access_key
    first = await caller.register(key, [asha])
    again = {"Email Address": "ASHA@example.com", "First Name": "Asha", "Last Name": "Rao"}
    second = await caller.register(key, [again], form=False)
    assert second["registrationStatus"][0]["url"] == first["registrationStatus"][0]["url"]
    assert len(sandbox.candidates) == 1
    assert next(iter(sandbox.candidates)).candidate.fields["Last Name"] == "Rao"
    assert sandbox.stats.registrations[key, "asha@example.com"] == 2


async def test_links_differ_between_candidates_and_schedules(caller, sandbox):
    other = sandbox.add_schedule("Other")
    urls = set()
    for key in (sandbox.access_key, other.access_key):
        answer = await caller.register(key, people(20))
        urls |= {item["url"] for item in answer["registrationStatus"]}
        for item in answer["registrationStatus"]:
            assert sandbox.owner_of(item["url"]) == item["email"]
    assert len(urls) == 40


async def test_more_than_twenty_is_e400_and_registers_nobody(caller, sandbox, code):
    assert code(await caller.register(sandbox.access_key, people(21))) == "E400"
    assert len(sandbox.candidates) == 0
    assert sandbox.stats.largest_batch == 21


async def test_a_finished_candidate_gets_no_link(caller, sandbox, asha):
    await caller.register(sandbox.access_key, [asha])
    sandbox.candidates[sandbox.access_key, "Asha@Example.com"].finish()
    (item,) = (await caller.register(sandbox.access_key, [asha]))["registrationStatus"]
    assert (item["status"], item["url"]) == ("Completed", None)
    assert item["message"] == "Candidate ('asha@example.com') has completed the test"


async def test_finishing_a_stranger_says_so_without_the_email(sandbox):
    with pytest.raises(KeyError) as caught:
        sandbox.candidates[sandbox.access_key, "nobody@example.com"].finish()
    assert "nobody" not in str(caught.value)


async def test_by_invitation_takes_only_those_added(caller, sandbox, asha):
    private = sandbox.add_schedule("P", access_type="ByInvitation", invited=["Asha@example.com"])
    items = (await caller.register(private.access_key, [asha, *people(1)]))["registrationStatus"]
    assert [item["status"] for item in items] == ["ToBeTaken", "InValid"]
    assert items[1]["url"] is None
    assert [c.email for c in sandbox.candidates.of(private.access_key)] == ["asha@example.com"]


@pytest.mark.parametrize(
    "detail",
    [
        {"First Name": "A"},
        {"Email Address": "a@x.org"},
        {"Email Address": "a@x.org", "First Name": ""},
        {"Email Address": "not an email", "First Name": "A"},
        {"Email Address": "a@x.org", "First Name": 7},
        "a@x.org",
    ],
)
async def test_one_bad_candidate_refuses_the_whole_call(caller, sandbox, code, asha, detail):
    answer = await caller.register(sandbox.access_key, [asha, detail])
    assert code(answer) == "E400"
    assert "registrationDetails[1]" in answer["error"]["message"]
    assert "x.org" not in answer["error"]["message"]
    assert len(sandbox.candidates) == 0


@pytest.mark.parametrize(
    "rd", ["", "{", "[]", "{}", '{"registrationDetails":[]}', '"\\ud800"', "7"]
)
async def test_an_rd_that_is_no_registration_is_e400(caller, sandbox, code, rd):
    path = f"/v2/schedules/{sandbox.access_key}/candidates"
    assert code(await caller.post(path, {"rd": rd})) == "E400"


async def test_a_missing_rd_is_e400(caller, sandbox, code):
    assert code(await caller.post(f"/v2/schedules/{sandbox.access_key}/candidates")) == "E400"


async def test_mandatory_fields_are_required_unless_skipped(caller, sandbox, code, asha):
    fields = (RegistrationField("Roll", required=True), RegistrationField("House", values=("Red",)))
    home = sandbox.add_assessment("With fields", fields)
    key = sandbox.add_schedule("S", assessment=home).access_key
    answer = await caller.register(key, [asha])
    assert (code(answer), "Roll" in answer["error"]["message"]) == ("E400", True)
    skip = {"allowMissingMandatoryRegistrationFields": "true"}
    assert code(await caller.register(key, [asha], **skip)) == "SUCCESS"
    assert code(await caller.register(key, [{**asha, "Roll": "7"}])) == "SUCCESS"
    assert code(await caller.register(key, [{"First Name": "A", "Roll": "7"}], **skip)) == "E400"
    assert code(await caller.register(key, [{**asha, "Roll": "7", "House": "Blue"}])) == "E400"
    assert code(await caller.register(key, [{**asha, "Roll": "7", "House": "Red"}])) == "SUCCESS"


@pytest.mark.parametrize("name", ["Candidate Image(Verification)", "RegistrationImage"])
async def test_a_bad_image_is_e028_for_the_whole_call(caller, sandbox, code, asha, name):
    bad = {"Email Address": "b@x.org", "First Name": "B", name: "photo.jpg"}
    assert code(await caller.register(sandbox.access_key, [asha, bad])) == "E028"
    assert len(sandbox.candidates) == 0
    good = {**bad, name: "https://x.org/photo.jpg"}
    assert code(await caller.register(sandbox.access_key, [asha, good])) == "SUCCESS"


async def test_the_limit_of_registrations_is_e607_and_repeats_are_free(caller, sandbox, code, asha):
    sandbox.account.registration_limit = 3
    key = sandbox.access_key
    assert code(await caller.register(key, people(3))) == "SUCCESS"
    assert code(await caller.register(key, [asha, *people(1)])) == "E607"
    assert len(sandbox.candidates) == 3
    assert code(await caller.register(key, people(3))) == "SUCCESS"
    sandbox.account.registration_limit = None
    assert code(await caller.register(key, [asha])) == "SUCCESS"


async def test_optional_params_are_kept_and_must_belong_to_someone(caller, sandbox, code, asha):
    extra = {"email": "asha@example.com", "context_data": '{"é":1}', "compensatory_time": "20"}
    answer = await caller.register(sandbox.access_key, [asha], optional=[extra])
    assert code(answer) == "SUCCESS"
    candidate = next(iter(sandbox.candidates)).candidate
    assert (candidate.context_data, candidate.compensatory_time) == ('{"é":1}', "20")
    for bad in (
        {"email": "other@example.com"},
        {**extra, "compensatory_time": 20},
        {**extra, "context_data": {}},
        {**extra, "compensatory_time": "long"},
        {},
        7,
    ):
        answer = await caller.register(sandbox.access_key, [asha], optional=[bad])
        assert code(answer) == "E400"


@pytest.mark.parametrize("limit", ["0", "-5", "1.5", "soon", ""])
async def test_a_time_limit_must_be_positive(caller, sandbox, code, asha, limit):
    assert code(await caller.register(sandbox.access_key, [asha], timeLimitInSec=limit)) == "E400"


async def test_options_are_kept_and_flags_are_true_or_false(make_caller, code, asha):
    import httpx  # noqa: PLC0415 - only this test needs a client of its own

    sandbox = Sandbox(clock=lambda: 1e9)
    async with httpx.AsyncClient(transport=sandbox.transport()) as client:
        caller = make_caller(client, "https://x.org", sandbox.credentials, lambda: 1e9)
        options = {"timeLimitInSec": "60", "showCustomInstructions": "true"}
        assert code(await caller.register(sandbox.access_key, [asha], **options)) == "SUCCESS"
        candidate = next(iter(sandbox.candidates)).candidate
        assert (candidate.expires_at, candidate.show_custom_instructions) == (1e9 + 60, True)
        for name in ("showCustomInstructions", "allowMissingMandatoryRegistrationFields"):
            assert (
                code(await caller.register(sandbox.access_key, [asha], **{name: "yes"})) == "E400"
            )


async def test_another_accounts_schedule_is_not_found(caller, sandbox, code, asha):
    caller.keys = sandbox.add_account().credentials
    assert code(await caller.register(sandbox.access_key, [asha])) == "E404"
    assert code(await caller.register("nothere", [asha])) == "E404"


async def test_pbts_are_added_once_and_failures_have_no_error_object(caller, sandbox):
    first = await caller.post("/v2/pbts/add", {"pbts": "[1336]"})
    number = first["pbts"][0]["assessmentId"]
    assert first["status"] == "SUCCESS"
    assert first["pbts"][0]["message"] == (
        "Mettl Leadership Assessment(1336) has been added successfully"
        f" with assessment Id : {number}"
    )
    assert sandbox.assessments[number].name == "Mettl Leadership Assessment"
    second = await caller.post("/v1/pbts/add", {"pbts": json.dumps([1336, 1151, 5])})
    assert second["status"] == "ERROR"
    assert "error" not in second
    assert [item["added"] for item in second["pbts"]] == [False, True, False]
    assert second["pbts"][0] == {
        "pbtId": 1336,
        "added": False,
        "message": "Exception: pbt assessment already added",
        "assessmentId": 0,
        "pbtName": None,
    }


@pytest.mark.parametrize("pbts", ["[]", "{}", "1336", '["1336"]', "[true]", "[1.5]", "x"])
async def test_pbts_must_be_a_list_of_integers(caller, code, pbts):
    assert code(await caller.post("/v2/pbts/add", {"pbts": pbts})) == "E400"


async def test_candidates_are_not_in_reprs(caller, sandbox, asha):
    private = sandbox.add_schedule("P", access_type="ByInvitation", invited=["asha@example.com"])
    await caller.register(private.access_key, [asha])
    shown = repr(
        [
            sandbox.schedules,
            sandbox.candidates,
            *((one, one.candidate, one.view) for one in sandbox.candidates),
            sandbox.stats,
            list(sandbox.stats.calls),
        ]
    )
    assert "asha" not in shown.lower()


def test_the_same_seed_gives_the_same_keys():
    assert Sandbox(seed=3).access_key == Sandbox(seed=3).access_key
    assert Sandbox(seed=3).access_key != Sandbox(seed=4).access_key
