from urllib.parse import parse_qs, urlsplit

import pytest


def people(count):
    return [{"Email Address": f"p{n}@example.com", "First Name": f"P{n:03}"} for n in range(count)]


@pytest.fixture
async def lists(sandbox, either):
    """Paths of the four paged lists, each with 45 items, and what names an item."""
    for number in range(43):
        sandbox.add_assessment(f"A{number}")
    for number in range(44):
        sandbox.add_schedule(f"S{number}")
    for start in (0, 20, 40):
        await either.register(sandbox.access_key, people(45)[start : start + 20])
    asha = {"Email Address": "p1@example.com", "First Name": "P"}
    for schedule in list(sandbox.schedules):
        await either.register(schedule, [asha])
    return [
        ("/v2/assessments", "assessments", "id"),
        ("/v1/schedules", "schedules", "accessKey"),
        (f"/v2/schedules/{sandbox.access_key}/candidates/", "candidates", "email"),
        ("/v3/candidates/p1%40example.com", "testInstances", "accessKey"),
    ]


async def test_next_is_followed_as_it_is(either, lists):
    for path, key, name in lists:
        answer = await either.get(path, {"limit": "20"})
        seen, sizes = [], []
        while True:
            assert answer["paging"]["totalRecords"] == 45
            sizes.append(len(answer[key]))
            seen += [item[name] for item in answer[key]]
            following = answer["paging"]["next"]
            if following is None:
                break
            assert following.startswith(f"{either.base_url}{path}?ak=")
            answer = (await either.client.get(following)).json()
        assert sizes == [20, 20, 5]
        assert len(set(seen)) == 45
        back = (await either.client.get(answer["paging"]["previous"])).json()
        assert [item[name] for item in back[key]] == seen[20:40]
        first = (await either.client.get(back["paging"]["previous"])).json()
        assert first["paging"]["previous"] is None


async def test_an_offset_gives_the_same_items(either, lists):
    for path, key, name in lists:
        everything = await either.get(path, {"limit": "100"})
        assert len(everything[key]) == 45
        assert everything["paging"] == {"next": None, "previous": None, "totalRecords": 45}
        seen = []
        for offset in range(0, 45, 7):
            params = {"limit": "7", "offset": str(offset), "sort_order": "desc"}
            seen += [item[name] for item in (await either.get(path, params))[key]]
        assert seen == [item[name] for item in everything[key]]


async def test_twenty_is_the_usual_limit_and_a_hundred_the_most(either, lists, sandbox):
    for number in range(60):
        sandbox.add_schedule(f"More {number}")
    assert len((await either.get("/v2/schedules"))["schedules"]) == 20
    answer = await either.get("/v2/schedules", {"limit": "500"})
    assert len(answer["schedules"]) == 100
    assert parse_qs(urlsplit(answer["paging"]["next"]).query)["limit"] == ["100"]


async def test_next_has_the_parameters_again(caller, lists):
    params = {"limit": "2", "offset": "3", "sort": "name", "sort_order": "asc", "odd": "é &+"}
    answer = await caller.get("/v2/assessments", params)
    sent = parse_qs(urlsplit(answer["paging"]["next"]).query)
    assert {name: sent[name] for name in params} == {
        **{name: [value] for name, value in params.items()},
        "offset": ["5"],
    }
    assert sent.keys() - params.keys() == {"ak", "ts", "asgn"}
    assert parse_qs(urlsplit(answer["paging"]["previous"]).query)["offset"] == ["1"]
    following = (await caller.client.get(answer["paging"]["next"])).json()
    assert following["status"] == "SUCCESS"


async def test_a_page_beyond_the_end_is_empty(caller, lists):
    for path, key, _ in lists:
        answer = await caller.get(path, {"offset": "45"})
        assert (answer[key], answer["paging"]["next"]) == ([], None)


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "0"},
        {"limit": "-1"},
        {"limit": "ten"},
        {"limit": ""},
        {"offset": "-1"},
        {"offset": "1.0"},
    ],
)
async def test_junk_is_e400(caller, lists, code, params):
    for path, _, _ in lists:
        assert code(await caller.get(path, params)) == "E400"


@pytest.mark.parametrize("params", [{"sort": "id"}, {"sort_order": "down"}])
async def test_an_unknown_order_is_e400(caller, lists, code, params):
    for path, _, _ in lists[:3]:
        assert code(await caller.get(path, params)) == "E400"


async def test_the_results_of_a_candidate_are_paged_in_v3_only(caller, lists, sandbox):
    for version in ("v1", "v2"):
        answer = await caller.get(f"/{version}/candidates/p1@example.com", {"limit": "2"})
        assert len(answer["testInstances"]) == 45
        assert "paging" not in answer


async def test_a_page_changed_after_signing_is_e401(caller, lists, code):
    following = (await caller.get("/v2/assessments"))["paging"]["next"]
    changed = following.replace("offset=20", "offset=21")
    assert code((await caller.client.get(changed)).json()) == "E401"
