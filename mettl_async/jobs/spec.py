"""What a job is, as JSON in its row; pure."""

from __future__ import annotations

import json
from typing import Final

from attrs import asdict, field, fields, frozen

from mettl_async.codec import dumps
from mettl_async.errors import ConfigurationError
from mettl_async.models import RegistrationOptions

REGISTER: Final = "register"
"""Kind of a job that registers people."""


@frozen(kw_only=True)
class RegisterSpec:
    """A registration of people in one schedule.

    Attributes:
        access_key: Of the schedule.
        options: Hold for all people.
    """

    access_key: str = field(repr=False)
    options: RegistrationOptions

    def to_text(self) -> str:
        """Write it; options that have their defaults are left out."""
        set_ = asdict(self.options, filter=lambda attribute, value: value != attribute.default)
        return dumps({"access_key": self.access_key, "options": set_})

    @classmethod
    def from_text(cls, text: str) -> RegisterSpec:
        """Read it.

        Raises:
            ConfigurationError: A newer version of this library has written an option that this one does
                not have.
        """
        found = json.loads(text)
        unknown = found["options"].keys() - {one.name for one in fields(RegistrationOptions)}
        if unknown:
            raise ConfigurationError(
                f"job: has options that this version does not know ({', '.join(sorted(unknown))});"
                " upgrade this worker"
            )
        return cls(access_key=found["access_key"], options=RegistrationOptions(**found["options"]))
