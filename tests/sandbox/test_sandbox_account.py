import json

import pytest

PNG = b"\x89PNG\r\n\x1a\n" + b"\r\n--not a boundary\r\n\x00\xff"
LOGO = "/v2/account/upload-logo"
WHITE = "/v2/account/update-white-labeling"
WL = {"headerBackgroundColor": "1A2b3C", "buttonFontColor": "ffffff", "customUrl": "tests"}


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_the_account_has_the_four_fields_that_were_seen(either, sandbox, version):
    answer = await either.get(f"/{version}/account", {"languageCode": "en"})
    info = answer["accountInfo"]
    assert answer["status"] == "SUCCESS"
    assert {"email", "firstName", "lastName", "accountType"} <= info.keys()
    assert [f["name"] for f in info["registrationFields"]] == ["Email Address", "First Name"]
    assert (sandbox.stats.calls[-1].operation, sandbox.stats.calls[-1].method) == (
        "account.get",
        "GET",
    )


@pytest.mark.parametrize("in_query", [True, False])
@pytest.mark.parametrize("content", [PNG, b"\xff\xd8\xff\xe0x", b"GIF89a..", b"GIF87a"])
async def test_a_logo_is_a_file_that_is_not_signed(either, sandbox, code, content, in_query):
    files = {"logo": ("logo.png", content, "image/png")}
    assert code(await either.upload(LOGO, files, in_query=in_query)) == "SUCCESS"
    account = sandbox.state.accounts[sandbox.credentials.public_key]
    assert account.files["logo"] == content
    call = sandbox.stats.calls[-1]
    assert (call.operation, call.files) == ("account.update_logo", ("logo",))
    assert call.sent_in == ("query" if in_query else "multipart")
    assert call.parameters == ("ak", "asgn", "ts")


async def test_a_logo_of_a_wrong_kind_or_size_is_e400(caller, sandbox, code):
    most = 100 * 1024
    for content, expected in (
        (b"", "E400"),
        (b"BM....", "E400"),
        (b"%PDF-1.4", "E400"),
        (PNG.ljust(most), "SUCCESS"),
        (PNG.ljust(most + 1), "E400"),
    ):
        assert code(await caller.upload(LOGO, {"logo": ("x.png", content)})) == expected
    assert len(sandbox.state.accounts[sandbox.credentials.public_key].files["logo"]) == most


async def test_a_logo_that_is_no_file_is_e400(caller, code):
    assert code(await caller.post(LOGO)) == "E400"
    assert code(await caller.post(LOGO, {"logo": "x"})) == "E400"
    assert code(await caller.upload(LOGO, {"other": ("x.png", PNG)})) == "E400"


async def test_a_wrong_signature_beside_a_file_is_e401(caller, code, encoded):
    params = caller.parameters(LOGO, {"a": "b"})
    del params["a"]
    url = f"{caller.base_url}{LOGO}?{encoded(params)}"
    answer = await caller.client.post(url, files={"logo": ("x.png", PNG)})
    assert code(answer.json()) == "E401"


async def test_multipart_is_e400_where_no_file_is_taken(caller, code):
    files = {"pbts": ("pbts.json", b"[1]")}
    assert code(await caller.upload("/v2/pbts/add", files)) == "E400"


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("form", [True, False])
async def test_a_white_label_without_files_is_urlencoded(either, sandbox, code, version, form):
    params = {"wl": json.dumps(WL), "sn": '["+1-650-924-9221","+91-82878-0340"]'}
    path = WHITE.replace("v2", version)
    assert code(await either.post(path, params, form=form)) == "SUCCESS"
    account = sandbox.state.accounts[sandbox.credentials.public_key]
    assert account.white_label == WL
    assert account.support_numbers == ("+1-650-924-9221", "+91-82878-0340")
    assert sandbox.stats.calls[-1].operation == "account.update_white_label"


@pytest.mark.parametrize("in_query", [True, False])
async def test_a_white_label_with_files_is_multipart(either, sandbox, code, in_query):
    files = {"fav": ("f.ico", b"\x00\x00\x01\x00ico"), "cov": ("c.gif", b"GIF89a")}
    answer = await either.upload(WHITE, files, {"wl": '{"é":"ü"}'}, in_query=in_query)
    assert code(answer) == "SUCCESS"
    account = sandbox.state.accounts[sandbox.credentials.public_key]
    assert (account.files["fav"], account.files["cov"]) == (b"\x00\x00\x01\x00ico", b"GIF89a")
    assert account.white_label == {"é": "ü"}
    assert sandbox.stats.calls[-1].files == ("cov", "fav")


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"wl": "x"},
        {"wl": "[]"},
        {"wl": '{"buttonColor":"#112233"}'},
        {"wl": '{"buttonColor":"12345"}'},
        {"wl": '{"custom":5}'},
        {"wl": "{}", "sn": '"1"'},
        {"wl": "{}", "sn": "[1]"},
        {"wl": "{}", "sn": '["1","2","3"]'},
    ],
)
async def test_a_wrong_white_label_is_e400_and_changes_nothing(caller, sandbox, code, params):
    assert code(await caller.post(WHITE, params)) == "E400"
    assert sandbox.state.accounts[sandbox.credentials.public_key].white_label is None


async def test_wrong_pictures_of_a_white_label_are_e400(caller, code):
    for files in ({"fav": ("f", b"GIF89a")}, {"fav": ("f", PNG.ljust(10 * 1024 + 1))},
                  {"cov": ("c", b"\x00\x00\x01\x00")}):  # fmt: skip
        assert code(await caller.upload(WHITE, files, {"wl": "{}"})) == "E400"


async def test_an_account_that_may_not_white_label_is_e403(caller, sandbox, code):
    sandbox.state.accounts[sandbox.credentials.public_key].may_white_label = False
    assert code(await caller.post(WHITE, {"wl": "{}"})) == "E403"


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_pbts_are_listed_with_what_was_added(either, sandbox, version):
    await either.post("/v2/pbts/add", {"pbts": "[1336]"})
    answer = await either.get(f"/{version}/pbts")
    assert [item["pbtId"] for item in answer["pbts"] if item["added"]] == [1336]
    assert len(answer["pbts"]) == 4
    assert sandbox.stats.calls[-1].operation == "pbts.list"


@pytest.mark.parametrize(
    "path",
    ["/v2/account", "/v2/pbts", "/v2/assessments", "/v2/schedules", "/v2/candidates/a@x.org"],
)
async def test_reading_is_signed_like_the_rest(caller, code, path):
    params = caller.parameters(path, method="POST")
    answer = await caller.send(path, params, form=False, method="GET")
    assert code(answer.json()) == "E401"
    assert code(await caller.get(path)) == "SUCCESS"
    assert code(await caller.delete(path)) == "E405"
