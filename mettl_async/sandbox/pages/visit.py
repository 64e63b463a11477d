"""What the handler of a page is given."""

from collections.abc import Mapping

from attrs import field, frozen

from mettl_async.sandbox.simulation import Simulation


@frozen(kw_only=True)
class Visit:
    """A request of a browser; all values are decoded.

    Attributes:
        sandbox: The sandbox that the pages belong to.
        access_key: The schedule that the path names; empty in other paths.
        query: Parameters of the address.
        form: Fields of the form; empty for GET.
        base_url: Scheme and host that the browser uses.
    """

    sandbox: Simulation = field(repr=False)
    access_key: str
    query: Mapping[str, str] = field(repr=False)
    form: Mapping[str, str] = field(repr=False)
    base_url: str
