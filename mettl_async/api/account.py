"""The account itself, and how it looks to candidates."""

from mettl_async.api import endpoints
from mettl_async.api.caller import Resource
from mettl_async.models import AccountInfo, CoverImage, Favicon, Logo, WhiteLabel, _check


class Account(Resource):
    """``mettl.account``."""

    async def get(self) -> AccountInfo:
        """Get the account that the keys belong to.

        Returns:
            Four properties that are known; all others are in ``extra``.

        Raises:
            CallError: See `mettl_async.errors`.

        Example::

            account = await mettl.account.get()
            print(account.account_type)

        Vendor page: "Get Account Info".
        """
        return await self._caller.call(endpoints.GET_ACCOUNT)

    async def update_logo(self, logo: Logo) -> None:
        """Replace the account's logo.

        Args:
            logo: JPEG, PNG or GIF of at most 100 kB; 160 x 60 pixels are recommended.

        Raises:
            InvalidInputError: Not a `Logo`.
            CallError: See `mettl_async.errors`.

        Example::

            content = Path("logo.png").read_bytes()
            await mettl.account.update_logo(Logo(content=content, filename="logo.png"))

        Vendor page: "Update Logo". The file is not signed.
        """
        await self._caller.call(endpoints.UPDATE_LOGO, logo=logo)

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

        Example::

            colours = WhiteLabel(button_color="#00aaff", support_numbers=["+91 124 000 0000"])
            await mettl.account.update_white_label(colours)

        Vendor page: "Update White Label". Files are not signed.
        """
        _check.instance("white_label", white_label, WhiteLabel)
        await self._caller.call(
            endpoints.UPDATE_WHITE_LABEL,
            white_label=white_label,
            support_numbers=white_label.support_numbers or None,
            favicon=favicon,
            cover=cover,
        )
