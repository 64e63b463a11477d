"""The account that the keys belong to."""

from attrs import field, frozen

from mettl_async.models._server_value import ServerValue


@frozen(kw_only=True)
class AccountInfo(ServerValue):
    """The account that the keys belong to; the repr shows no personal data.

    Attributes:
        email: Its owner's address.
        first_name: Their first name.
        last_name: Their last name.
        account_type: In the server's words.

    The page mentions name, logo, white label, compliance and registration fields, but not what they are
    called: they are in ``extra``.

    Vendor page: "Get Account Info".
    """

    email: str | None = field(default=None, repr=False)
    first_name: str | None = field(default=None, repr=False)
    last_name: str | None = field(default=None, repr=False)
    account_type: str | None = None
