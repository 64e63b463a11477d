"""The sandbox's own reading of parameters and check of signatures, from the raw request.

It shares nothing with the client on purpose: two programs that agree because they run the same
lines prove nothing. Source: the vendor's page "Authentication".
"""

import hmac
import re
from base64 import b64encode
from binascii import a2b_qp
from collections.abc import Mapping
from email.parser import BytesParser
from typing import Final
from urllib.parse import unquote_to_bytes

from attrs import define, field

from mettl_async.sandbox.envelope import RefusalError, bad_request
from mettl_async.sandbox.state import SandboxCredentials

MAX_AGE: Final = 24 * 3600.0  # [doc]
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?", re.ASCII)  # fractions are [seen]
_URLENCODED: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"


@define
class Parameters:
    """What a request has: fields, which are signed, and files, which are not [doc].

    Attributes:
        fields: Decoded values by name.
        files: Parts with a file name, by name.
        sent_in: Where the fields were; see `Call.sent_in`.
    """

    fields: dict[str, str] = field(factory=dict, repr=False)
    files: dict[str, bytes] = field(factory=dict, repr=False)
    sent_in: str = ""

    def add(self, name: bytes, value: bytes) -> None:
        """Add a field.

        Raises:
            RefusalError: E400, for bytes that are not UTF-8, and for a name given twice: for that
                the order of signing is not defined [assumed].
        """
        try:
            key, text = name.decode(), value.decode()
        except UnicodeDecodeError:
            raise bad_request("a parameter is not UTF-8") from None
        if key in self.fields or key in self.files:
            raise bad_request("a parameter is given twice")
        self.fields[key] = text


def read_parameters(
    query: bytes, body: bytes = b"", content_type: str = _URLENCODED, *, takes_files: bool = False
) -> Parameters:
    """Read the parameters of a raw query and a raw body.

    Raises:
        RefusalError: E400, for what is not well-formed.
    """
    kind = content_type.partition(";")[0].strip().lower()
    found = Parameters(sent_in="query" if query else "")
    _read_pairs(query, found)
    in_query = len(found.fields)
    in_body = ""
    if kind == _URLENCODED and body:
        _read_pairs(body, found)
        in_body = "form"
    elif kind == _MULTIPART and body and takes_files:
        _read_parts(body, content_type, found)
        in_body = "multipart" if len(found.fields) > in_query else ""
    elif body:
        # No caller that works sends JSON [seen].
        raise bad_request(f"the body must be {_URLENCODED}")
    if in_body:
        found.sent_in = "both" if query else in_body
    return found


def _read_pairs(pairs: bytes, found: Parameters) -> None:
    for pair in filter(None, pairs.split(b"&")):
        name, _, value = pair.replace(b"+", b" ").partition(b"=")
        found.add(_unquoted(name), _unquoted(value))


def _unquoted(text: bytes) -> bytes:
    """Do what `unquote_to_bytes` does, in a twentieth of the time, which was a tenth of the sandbox's."""
    escapes = text.count(b"%")
    if not escapes or b"\n" in text or b"\r" in text:
        return unquote_to_bytes(text)
    # The escapes of quoted-printable are the same ones behind another sign.
    found = a2b_qp(text.replace(b"=", b"=3D").replace(b"%", b"="))
    whole = len(found) == len(text) - 2 * escapes  # one that is not well-formed stays longer
    return found if whole else unquote_to_bytes(text)


def _read_parts(body: bytes, content_type: str, found: Parameters) -> None:
    head = f"content-type: {content_type}\r\n\r\n".encode("latin-1")
    message = BytesParser().parsebytes(head + body)
    if message.defects or message.preamble or not message.is_multipart():
        raise bad_request("the multipart body is not well-formed")
    for part in list(message.walk())[1:]:
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if part.defects or not isinstance(name, str) or not isinstance(content, bytes):
            raise bad_request("a part of the multipart body has no name")
        is_file = part.get_param("filename", header="content-disposition") is not None
        found.add(name.encode(), b"" if is_file else content)
        if is_file:
            del found.fields[name]
            found.files[name] = content


def expected_signature(
    private_key: str, method: str, url: str, parameters: Mapping[str, str], *, version: str
) -> bytes:
    """Sign as the vendor's pages say; ``url`` has no query and is still percent-encoded."""
    digest = "sha1" if version == "v1" else "sha256"
    text = string_to_sign(method, url, parameters)
    return b64encode(hmac.digest(private_key.encode(), text.encode(), digest))


def string_to_sign(method: str, url: str, parameters: Mapping[str, str]) -> str:
    """Join what is signed, as the vendor's pages say."""
    lines = [method + url]
    lines += [parameters[name] for name in sorted(parameters) if name != "asgn"]
    return "\n".join(lines)


def check_timestamp(parameters: Mapping[str, str], *, now: float, ahead: float) -> None:
    """Refuse a timestamp that is malformed, too old or too far ahead.

    Raises:
        RefusalError: E504. A missing one counts as malformed [assumed].
    """
    text = parameters.get("ts", "")
    if not _TIMESTAMP.fullmatch(text) or not now - MAX_AGE <= float(text) <= now + ahead:
        raise RefusalError("E504")


def check_signature(
    parameters: Mapping[str, str],
    keys: SandboxCredentials,
    method: str,
    url: str,
    *,
    version: str,
    lenient: bool,
) -> None:
    """Refuse a signature that is not the one of exactly this request.

    Args:
        parameters: Decoded, ``asgn`` among them.
        keys: Of the account.
        method: Of the request.
        url: As sent, without the query.
        version: Decides the hash.
        lenient: Take also an ``asgn`` that was percent-encoded twice, as some clients send it [seen].

    Raises:
        RefusalError: E401. A missing one counts as wrong [assumed]. The answer has the string that should
            have been signed, which only a sandbox tells, with the keys blanked out.
    """
    expected = expected_signature(keys.private_key, method, url, parameters, version=version)
    given = parameters.get("asgn", "")
    if hmac.compare_digest(given.encode(), expected):
        return
    twice = hmac.compare_digest(unquote_to_bytes(given), expected)
    if twice and lenient:
        return
    text = string_to_sign(method, url, parameters)
    for key, name in ((keys.private_key, "private key"), (keys.public_key, "public key")):
        text = text.replace(key, f"<{name}>")
    details = {"stringToSign": text}
    if twice:
        details["hint"] = "asgn is percent-encoded twice: see lenient_signatures of the sandbox"
    raise RefusalError("E401", **details)
