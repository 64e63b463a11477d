"""Whether a candidate alone fits into one request."""

from mettl_async.api.endpoints import REGISTER_CANDIDATES
from mettl_async.bulk.batch import rd_text
from mettl_async.cli.reading.checking import Fits
from mettl_async.client import MettlClient
from mettl_async.codec import to_params
from mettl_async.core.request import encoded_length
from mettl_async.models import Candidate, RegistrationOptions


def fits_in_url(client: MettlClient, key: str, options: RegistrationOptions) -> Fits | None:
    """Make a check for candidates that are too long for the URL; None where they do not travel there."""
    most = client._caller.max_rd_bytes(  # noqa: SLF001 - our own
        REGISTER_CANDIDATES, {"access_key": key}, to_params(options)
    )
    if most is None:
        return None

    def fits(candidate: Candidate) -> str | None:
        length = encoded_length(rd_text([candidate]))
        if length <= most:
            return None
        return (
            f"is too long for a URL, by {length - most:,} bytes; pass --post-parameters form, "
            "or shorten its cells"
        )

    return fits
