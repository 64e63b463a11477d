"""Who may take the test of a schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from attrs import field, frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models import _check
from mettl_async.models._fold_email import fold_email
from mettl_async.models._open_enum import OpenStrEnum
from mettl_async.models._wire import wire
from mettl_async.models.candidate import InvitedCandidate

if TYPE_CHECKING:
    from collections.abc import Iterable


class AccessType(OpenStrEnum):
    """Public, or private."""

    OPEN_FOR_ALL = "OpenForAll"
    BY_INVITATION = "ByInvitation"


def _candidates(value: Iterable[InvitedCandidate]) -> tuple[InvitedCandidate, ...]:
    return _invited("access.candidates", value)


def _added(value: Iterable[InvitedCandidate]) -> tuple[InvitedCandidate, ...]:
    return _invited("access.add", value)


def _removed(value: Iterable[str]) -> tuple[str, ...]:
    return _check.emails("access.remove", value)


def _invited(path: str, value: Iterable[InvitedCandidate]) -> tuple[InvitedCandidate, ...]:
    invited = _check.sequence(path, value)
    for index, one in enumerate(invited):
        _check.instance(f"{path}[{index}]", one, InvitedCandidate, optional=False)
    _check.distinct(path, (one.email for one in invited), ".email")
    return invited


def _only_by_invitation(name: str, *, given: object) -> None:
    if given:
        raise InvalidInputError(
            f"access.{name}",
            "only works by invitation",
            "leave it out, or use by_invitation(...)",
        )


@frozen(kw_only=True)
class Access:
    """Who may take the test of a new schedule; build it with `open_for_all` or `by_invitation`.

    Checked when built; what was not asked for is not sent, so the server's default (false) holds.

    Raises:
        InvalidInputError: No candidates by invitation, one twice, or settings that only work by invitation.

    Vendor page: "Create Schedule".
    """

    type: AccessType
    send_email: bool = False
    is_candidate_crf_prefilled: bool = False
    candidates: tuple[InvitedCandidate, ...] = field(
        default=(), converter=_candidates, repr=_check.size
    )

    def __attrs_post_init__(self) -> None:
        _check.member("access.type", self.type, AccessType, optional=False)
        _check.flag("access.send_email", self.send_email, optional=False)
        _check.flag(
            "access.is_candidate_crf_prefilled", self.is_candidate_crf_prefilled, optional=False
        )
        if self.type is AccessType.OPEN_FOR_ALL:
            _only_by_invitation("candidates", given=self.candidates)
            _only_by_invitation("send_email", given=self.send_email)
            _only_by_invitation("is_candidate_crf_prefilled", given=self.is_candidate_crf_prefilled)
        elif not self.candidates:
            raise InvalidInputError(
                "access.candidates", "is empty", "invite at least one, or use Access.open_for_all()"
            )

    @classmethod
    def open_for_all(cls) -> Self:
        """Anyone with the link."""
        return cls(type=AccessType.OPEN_FOR_ALL)

    @classmethod
    def by_invitation(
        cls,
        candidates: Iterable[InvitedCandidate],
        *,
        send_email: bool = False,
        is_candidate_crf_prefilled: bool = False,
    ) -> Self:
        """Only these candidates.

        Args:
            candidates: At least one, no address twice (case does not count).
            send_email: Mettl mails the start link to them.
            is_candidate_crf_prefilled: Registration fields given here are not asked for again.
        """
        return cls(
            type=AccessType.BY_INVITATION,
            candidates=candidates,
            send_email=send_email,
            is_candidate_crf_prefilled=is_candidate_crf_prefilled,
        )


@frozen(kw_only=True)
class AccessEdit:
    """A change of who may take the test; build it with `open_for_all` or `by_invitation`.

    Checked when built; what was not asked for is not sent.

    Raises:
        InvalidInputError: An address twice, or both added and removed; extra time, which editing
            does not take; settings that only work by invitation.

    Vendor page: "Edit Schedule".
    """

    type: AccessType
    send_email: bool = False
    is_candidate_crf_prefilled: bool | None = None
    add: tuple[InvitedCandidate, ...] = field(
        default=(), converter=_added, repr=_check.size, metadata=wire("candidates.add")
    )
    remove: tuple[str, ...] = field(
        default=(), converter=_removed, repr=_check.size, metadata=wire("candidates.remove")
    )

    def __attrs_post_init__(self) -> None:
        _check.member("access.type", self.type, AccessType, optional=False)
        _check.flag("access.send_email", self.send_email, optional=False)
        _check.flag("access.is_candidate_crf_prefilled", self.is_candidate_crf_prefilled)
        if self.type is AccessType.OPEN_FOR_ALL:
            _only_by_invitation("add", given=self.add)
            _only_by_invitation("remove", given=self.remove)
            _only_by_invitation("send_email", given=self.send_email)
            _only_by_invitation(
                "is_candidate_crf_prefilled", given=self.is_candidate_crf_prefilled is not None
            )
        removed = {fold_email(address) for address in self.remove}
        for index, one in enumerate(self.add):
            if fold_email(one.email) in removed:
                raise InvalidInputError(
                    f"access.add[{index}].email", "is also in remove", "keep it in one of the two"
                )
            if one.compensatory_time is not None:
                raise InvalidInputError(
                    f"access.add[{index}].compensatory_time",
                    "is not taken when a schedule is edited",
                    "leave it out; give it when the schedule is created or the candidate registered",
                )

    @classmethod
    def open_for_all(cls) -> Self:
        """Anyone with the link from now on."""
        return cls(type=AccessType.OPEN_FOR_ALL)

    @classmethod
    def by_invitation(
        cls,
        *,
        add: Iterable[InvitedCandidate] = (),
        remove: Iterable[str] = (),
        send_email: bool = False,
        is_candidate_crf_prefilled: bool | None = None,
    ) -> Self:
        """Only invited candidates; add some, remove some.

        Args:
            add: Candidates to add.
            remove: Addresses to remove; the server takes only those already in the schedule.
            send_email: Mettl mails the start link to the added; say so in each call.
            is_candidate_crf_prefilled: Registration fields given here are not asked for again.
        """
        return cls(
            type=AccessType.BY_INVITATION,
            add=add,
            remove=remove,
            send_email=send_email,
            is_candidate_crf_prefilled=is_candidate_crf_prefilled,
        )
