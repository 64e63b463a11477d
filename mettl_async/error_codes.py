"""The table of Mettl's codes and of HTTP statuses: which error each is, and what it means. Pure.

Codes beyond E401, E403 and E504 are [seen]; the vendor's pages have none of them.
"""

from typing import Final

from attrs import evolve, frozen

from mettl_async.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RegistrationLimitError,
    ServerError,
    ServiceUnavailableError,
    TimestampError,
)


@frozen(kw_only=True)
class CodeRule:
    """One row of the table.

    Attributes:
        error: Class of the error that is raised.
        transient: Whether the same request may succeed later.
        may_have_been_handled: Whether the server may have done what was asked.
        stops_run: Whether every further call of a bulk run would fail the same way, because the cause is
            the account, the schedule or this machine [assumed].
        one_candidate: Whether the cause is the data of one candidate.
        too_long: Whether a request with fewer candidates may succeed.
    """

    error: type[ApiError]
    transient: bool = False
    may_have_been_handled: bool = False
    stops_run: bool = False
    one_candidate: bool = False
    too_long: bool = False


CODES: Final[dict[str, CodeRule]] = {
    "E028": CodeRule(error=BadRequestError, one_candidate=True),  # a candidate's image [seen]
    "E400": CodeRule(error=BadRequestError),
    "E401": CodeRule(error=AuthenticationError, stops_run=True),
    "E403": CodeRule(error=PermissionDeniedError, stops_run=True),
    "E404": CodeRule(error=NotFoundError, stops_run=True),
    "E405": CodeRule(error=BadRequestError, stops_run=True),
    "E408": CodeRule(error=ServerError, transient=True, may_have_been_handled=True),
    "E422": CodeRule(error=TimestampError, stops_run=True),
    "E503": CodeRule(error=ServiceUnavailableError, transient=True, may_have_been_handled=True),
    "E504": CodeRule(error=TimestampError, stops_run=True),
    "E509": CodeRule(error=RateLimitError, transient=True),
    "E607": CodeRule(error=RegistrationLimitError, stops_run=True),
}
"""A code beats the HTTP status: most errors come with HTTP 200 [seen]."""

STATUSES: Final[dict[int, CodeRule]] = {
    400: CodeRule(error=BadRequestError),
    401: CodeRule(error=AuthenticationError, stops_run=True),
    403: CodeRule(error=PermissionDeniedError, stops_run=True),
    404: CodeRule(error=NotFoundError, stops_run=True),
    405: CodeRule(error=BadRequestError, stops_run=True),
    408: CodeRule(error=ServerError, transient=True, may_have_been_handled=True),
    413: CodeRule(error=BadRequestError, too_long=True),
    414: CodeRule(error=BadRequestError, too_long=True),
    422: CodeRule(error=BadRequestError),
    429: CodeRule(error=RateLimitError, transient=True),
    # Gateways also answer 503 when the connection behind them broke midway [assumed].
    503: CodeRule(error=ServiceUnavailableError, transient=True, may_have_been_handled=True),
}
_REDIRECT: Final = CodeRule(error=ApiError, stops_run=True)
_SERVER_ERROR: Final = CodeRule(error=ServerError, transient=True, may_have_been_handled=True)
_OTHER: Final = CodeRule(error=ApiError)
_BY_CLASS: Final = {one.error: one for one in (*CODES.values(), *STATUSES.values(), _OTHER)}


def rule_for(code: str | None, status: int) -> CodeRule:
    """Look up an answer by its code, or else by its HTTP status.

    A refusal that may pass counts as handled if either of the two says so [assumed].
    """
    by_status = STATUSES.get(status) or _of_class(status)
    by_code = CODES.get(code or "")
    if by_code is None:
        return by_status
    if by_code.transient and by_status.may_have_been_handled:
        return evolve(by_code, may_have_been_handled=True)
    return by_code


def _of_class(status: int) -> CodeRule:
    if 300 <= status < 400:  # noqa: PLR2004 - the classes of statuses
        return _REDIRECT
    return _SERVER_ERROR if status >= 500 else _OTHER  # noqa: PLR2004 - same


def rule_of(error: ApiError) -> CodeRule:
    """Look up an error; one that a middleware raised without code and status is looked up by its class."""
    if error.code in CODES or error.status_code is not None:
        return rule_for(error.code, error.status_code or 0)
    return next(_BY_CLASS[cls] for cls in type(error).__mro__ if cls in _BY_CLASS)
