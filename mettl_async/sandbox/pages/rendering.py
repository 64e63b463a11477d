"""Answers with a page: the templates, and the headers that go with them."""

from base64 import b64encode
from hashlib import sha256
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from mettl_async.sandbox.pages import figures

_ENVIRONMENT: Final = Environment(
    loader=PackageLoader("mettl_async.sandbox.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_ENVIRONMENT.filters |= {one.__name__: one for one in figures.FILTERS}


def _hash_of(file: str) -> str:
    """Put a file of the package into every page as it is, and give its hash for the policy."""
    text = _ENVIRONMENT.get_template(file).render()
    _ENVIRONMENT.globals[file.partition(".")[0]] = Markup(text)  # noqa: S704 - our own file
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


_POLICY: Final = (
    f"default-src 'none'; style-src {_hash_of('style.css')}; "
    f"script-src {_hash_of('countdown.js')}; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self'"
)
_HEADERS: Final = {
    "cache-control": "no-store",
    # Links are secrets of candidates. "no-referrer" would also take the Origin from our own forms.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def render(template: str, **values: Any) -> bytes:
    """Render a template.

    Raises:
        UndefinedError: The template needs a value that is not given.
    """
    # What came in JSON may have half a surrogate pair, which UTF-8 has no place for.
    return _ENVIRONMENT.get_template(template).render(values).encode(errors="replace")


def page(template: str, status: int = 200, *, form_target: str = "", **values: Any) -> Response:
    """Answer with a page.

    Args:
        template: Name of the template.
        status: HTTP status.
        form_target: Origin outside of the sandbox to which the answer to a form may redirect; a
            browser holds the form to the policy there, too.
        values: What the template shows.
    """
    policy = f"{_POLICY} {form_target}".rstrip()
    headers = _HEADERS | {"content-security-policy": policy}
    return HTMLResponse(render(template, **values), status, headers)


def problem(status: int, title: str, text: str, way: tuple[str, str] | None = None) -> Response:
    """Answer with a page that says what is wrong; ``way`` is an address to go on to, and its name."""
    return page("problem.html", status, title=title, text=text, way=way)


def see_other(location: str) -> Response:
    """Send the browser on with a GET, so that reloading repeats nothing."""
    return RedirectResponse(location.encode(errors="replace").decode(), 303, _HEADERS)
