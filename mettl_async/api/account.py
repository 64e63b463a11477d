"""The account itself, and how it looks to candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from mettl_async.api.endpoint import Caller, Endpoint, expect
from mettl_async.codec import dumps, from_wire, to_wire
from mettl_async.core.multipart import FilePart
from mettl_async.core.request import Placement
from mettl_async.models import AccountInfo, CoverImage, Favicon, ImageFile, Logo, WhiteLabel

if TYPE_CHECKING:
    from mettl_async.core.pipeline import ApiResponse

GET = Endpoint(
    operation="account.get",
    method="GET",
    path="/account",
    placement=Placement.QUERY,
    payload="accountInfo",
    repeatable=True,
)
UPDATE_LOGO = Endpoint(
    operation="account.update_logo",
    method="POST",
    path="/account/upload-logo",
    # The newer page contradicts itself about the body; this is what was seen working [seen].
    placement=Placement.QUERY,
    payload="",
    repeatable=True,
)
UPDATE_WHITE_LABEL = Endpoint(
    operation="account.update_white_label",
    method="POST",
    path="/account/update-white-labeling",
    # The newer page says form body; with files the parameters are seen in the query [seen].
    placement=Placement.FORM,
    payload="",
    repeatable=True,
)


@frozen
class Account:
    """``mettl.account``."""

    _caller: Caller

    async def get(self) -> AccountInfo:
        """Tell about the account.

        Raises:
            CallError: See `mettl_async.errors`.

        Source: api.md, API 1; of its keys only four are known, the rest is in ``raw``.
        """
        return await self._caller.call(
            GET,
            {},
            {},
            lambda answer: from_wire(
                AccountInfo, answer.payload.get(GET.payload), where="$.accountInfo"
            ),
        )

    async def update_logo(self, logo: Logo) -> None:
        """Replace the account's logo.

        Args:
            logo: JPEG, PNG or GIF of at most 100 kB; 160 x 60 pixels are recommended.

        Raises:
            InvalidInputError: Not a `Logo`.
            CallError: See `mettl_async.errors`.

        Source: api.md, API 2. The file is not signed.
        """
        expect("logo", logo, Logo)
        await self._caller.call(UPDATE_LOGO, {}, {}, _nothing, files=(_part("logo", logo),))

    async def update_white_label(
        self,
        white_label: WhiteLabel,
        *,
        favicon: Favicon | None = None,
        cover: CoverImage | None = None,
    ) -> None:
        """Change colours, support numbers and pictures of the test's pages.

        Only for accounts that the vendor has authorised.

        Args:
            white_label: Colours and support numbers.
            favicon: PNG or ICO of at most 10 kB, 8 x 8 pixels.
            cover: JPEG, PNG or GIF, the background of the test.

        Raises:
            InvalidInputError: An argument is not of its type.
            PermissionDeniedError: The account may not do it.
            CallError: See `mettl_async.errors`.

        Source: api.md, API 3. Files are not signed.
        """
        expect("white_label", white_label, WhiteLabel)
        files = []
        for name, kind, image in (("fav", Favicon, favicon), ("cov", CoverImage, cover)):
            if image is not None:
                expect("favicon" if name == "fav" else "cover", image, kind)
                files.append(_part(name, image))
        params: dict[str, str] = {"wl": dumps(to_wire(white_label))}
        if white_label.support_numbers:
            params["sn"] = dumps(list(white_label.support_numbers))
        await self._caller.call(
            UPDATE_WHITE_LABEL,
            {},
            params,
            _nothing,
            files=tuple(files),
            placement=Placement.QUERY if files else None,
        )


def _part(name: str, image: ImageFile) -> FilePart:
    return FilePart(
        name=name,
        filename=image.filename,
        content=image.content,
        content_type=image.content_type,
    )


def _nothing(_: ApiResponse) -> Any:
    """Nothing but the status is known of the answer."""
