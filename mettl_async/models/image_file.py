"""Pictures to upload."""

from typing import ClassVar

from attrs import field, frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models import _check
from mettl_async.models._user_value import UserValue

# Form: content type, extensions, how the file begins.
_FORMS = {
    "JPEG": ("image/jpeg", ("jpeg", "jpg"), (b"\xff\xd8\xff",)),
    "PNG": ("image/png", ("png",), (b"\x89PNG\r\n\x1a\n",)),
    "GIF": ("image/gif", ("gif",), (b"GIF87a", b"GIF89a")),
    "ICO": ("image/x-icon", ("ico",), (b"\x00\x00\x01\x00",)),
}
# [assumed] The pages say "Kb"; the larger meaning, so that nothing is refused that the server may take.
_KB = 1024


@frozen(kw_only=True)
class ImageFile(UserValue):
    """A picture to upload: its bytes and its name. Use `Logo`, `Favicon` or `CoverImage`.

    Checked when built: the format, known by the first bytes, is one of those allowed, the
    name's extension goes with it, and it is not too large. Pixels are not looked at.

    Attributes:
        content: The file.
        filename: With an extension; no directories.

    Raises:
        InvalidInputError: A rule is broken.

    Vendor pages: "Update Logo", "Update White Label".
    """

    forms: ClassVar[tuple[str, ...]] = tuple(_FORMS)
    most_bytes: ClassVar[int] = 2000 * _KB

    field_prefix = "image."

    content: bytes = field(repr=_check.size)
    filename: str

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if not self.filename.isprintable() or set(self.filename) & set('/\\"'):
            raise InvalidInputError(
                "image.filename",
                "has a slash, a quotation mark or a control character",
                "give a plain file name",
            )
        form = self._form
        if form is None:
            raise InvalidInputError(
                "image.content",
                f"is none of {', '.join(self.forms)} ({_check.shape(self.content)})",
                "convert it",
            )
        extensions = _FORMS[form][1]
        stem, _, extension = self.filename.rpartition(".")
        if not stem or extension.lower() not in extensions:
            raise InvalidInputError(
                "image.filename",
                f"has not the extension of its content, which is {form}",
                f"end it with .{' or .'.join(extensions)}",
            )
        if len(self.content) > self.most_bytes:
            raise InvalidInputError(
                "image.content",
                f"has {len(self.content)} bytes",
                f"make it {self.most_bytes} at most",
            )

    @property
    def content_type(self) -> str:
        """Content type such as ``image/png``, by the first bytes."""
        return _FORMS[self._form or ""][0]

    @property
    def _form(self) -> str | None:
        for form in self.forms:
            if self.content.startswith(_FORMS[form][2]):
                return form
        return None


@frozen(kw_only=True)
class Logo(ImageFile):
    """The account's logo: JPEG, PNG or GIF, at most 100 kB; 160 x 60 pixels are recommended."""

    forms: ClassVar[tuple[str, ...]] = ("JPEG", "PNG", "GIF")
    most_bytes: ClassVar[int] = 100 * _KB


@frozen(kw_only=True)
class Favicon(ImageFile):
    """The little picture in a browser's tab: PNG or ICO, at most 10 kB; 8 x 8 pixels."""

    forms: ClassVar[tuple[str, ...]] = ("PNG", "ICO")
    most_bytes: ClassVar[int] = 10 * _KB


@frozen(kw_only=True)
class CoverImage(ImageFile):
    """The test's background: JPEG, PNG or GIF, at most 2000 kB; 1920 x 1080 pixels.

    The API's page is cut off before the limits; these are the product guide's.
    """

    forms: ClassVar[tuple[str, ...]] = ("JPEG", "PNG", "GIF")
    most_bytes: ClassVar[int] = 2000 * _KB
