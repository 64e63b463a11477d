"""Who may take the test of a schedule."""

from collections.abc import Iterable
from typing import Self

from attrs import field, fields, frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models import _check
from mettl_async.models._fold_email import fold_email
from mettl_async.models._open_enum import OpenStrEnum
from mettl_async.models._user_value import Email, UserValue
from mettl_async.models._wire import wire
from mettl_async.models.candidate import InvitedCandidate


class AccessType(OpenStrEnum):
    """Public, or private."""

    OPEN_FOR_ALL = "OpenForAll"
    BY_INVITATION = "ByInvitation"


def _invited(value: Iterable[InvitedCandidate]) -> tuple[InvitedCandidate, ...]:
    return _check.as_tuple(value)


@frozen(kw_only=True)
class _AccessSettings(UserValue):
    """What creating a schedule and editing one have in common of who may take its test."""

    field_prefix = "access."

    type: AccessType
    send_email: bool = False

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.type is AccessType.OPEN_FOR_ALL:
            for one in fields(type(self)):
                if one.name != "type" and getattr(self, one.name) != one.default:
                    raise InvalidInputError(
                        f"access.{one.name}",
                        "only works by invitation",
                        "leave it out, or use by_invitation(...)",
                    )

    @classmethod
    def open_for_all(cls) -> Self:
        """Admit anyone with the link."""
        return cls(type=AccessType.OPEN_FOR_ALL)


@frozen(kw_only=True)
class Access(_AccessSettings):
    """Who may take the test of a new schedule; build it with `open_for_all` or `by_invitation`.

    Checked when built; what was not asked for is not sent, so the server's default (false) holds.

    Example::

        Access.open_for_all()
        Access.by_invitation([InvitedCandidate(email="asha@example.org", name="Asha")])

    Raises:
        InvalidInputError: No candidates by invitation, one twice, or settings that only work by invitation.

    Vendor page: "Create Schedule".
    """

    is_candidate_crf_prefilled: bool = False
    candidates: tuple[InvitedCandidate, ...] = field(
        default=(), converter=_invited, repr=_check.size
    )

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        _check.distinct("access.candidates", [one.email for one in self.candidates], ".email")
        if self.type is AccessType.BY_INVITATION:
            _check.not_empty(
                "access.candidates",
                self.candidates,
                "invite at least one, or use Access.open_for_all()",
            )

    @classmethod
    def by_invitation(
        cls,
        candidates: Iterable[InvitedCandidate],
        *,
        send_email: bool = False,
        is_candidate_crf_prefilled: bool = False,
    ) -> Self:
        """Admit only these candidates.

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
class AccessEdit(_AccessSettings):
    """A change of who may take the test; build it with `open_for_all` or `by_invitation`.

    Checked when built; what was not asked for is not sent.

    Example::

        AccessEdit.open_for_all()
        dana = InvitedCandidate(email="dana@example.org", name="Dana")
        AccessEdit.by_invitation(add=[dana], remove=["asha@example.org"])

    Raises:
        InvalidInputError: An address twice, or both added and removed; extra time, which editing
            does not take; settings that only work by invitation.

    Vendor page: "Edit Schedule".
    """

    is_candidate_crf_prefilled: bool | None = None
    add: tuple[InvitedCandidate, ...] = field(
        default=(), converter=_invited, repr=_check.size, metadata=wire("candidates.add")
    )
    remove: tuple[Email, ...] = field(
        default=(), converter=_check.texts, repr=_check.size, metadata=wire("candidates.remove")
    )

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        _check.distinct("access.add", [one.email for one in self.add], ".email")
        _check.distinct("access.remove", self.remove)
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
    def by_invitation(
        cls,
        *,
        add: Iterable[InvitedCandidate] = (),
        remove: Iterable[str] = (),
        send_email: bool = False,
        is_candidate_crf_prefilled: bool | None = None,
    ) -> Self:
        """Admit only invited candidates; add some, remove some.

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
