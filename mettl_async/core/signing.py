"""From values to the string to sign to the signature: the vendor's page on authentication.

Pure, in two stages, so that each can be compared with the vendor's worked examples.
"""

import hmac
from binascii import b2a_base64
from collections.abc import Mapping

from mettl_async.config import ApiVersion

SIGNATURE_PARAMETERS = ("ak", "ts", "asgn")
"""Added by signing; what a request has under these names is dropped first."""


def string_to_sign(method: str, url: str, params: Mapping[str, str]) -> str:
    """Build the text that is signed.

    Args:
        method: HTTP method; upper-cased here.
        url: Scheme, host and path exactly as they go on the wire, without "?" and query.
        params: Decoded values by name, ``ak`` and ``ts`` among them; ``asgn`` is left out.

    Returns:
        METHOD and URL, then a newline and the value of each parameter, by ascending name [doc].
    """
    # All known names sort the same with and without case [seen]; plain code point order is used.
    values = [params[name] for name in sorted(params) if name != "asgn"]
    return "\n".join([method.upper() + url, *values])


def signature(private_key: str, text: str, version: ApiVersion) -> str:
    """Sign the string to sign.

    Args:
        private_key: Used as plain UTF-8 text, hyphens and all.
        text: From `string_to_sign`.
        version: v1 signs with HMAC-SHA1, v2 and v3 with HMAC-SHA256 [doc].

    Returns:
        Standard base64 with padding, not percent-encoded.
    """
    digest = "sha1" if version == ApiVersion.V1 else "sha256"
    made = hmac.digest(private_key.encode(), text.encode(), digest)
    return b2a_base64(made, newline=False).decode("ascii")
