"""Reads a page as strictly as a person with a screen reader would need it."""

import base64
import hashlib
import re
from html.parser import HTMLParser

VOID = {"br", "hr", "input", "link", "meta"}


class Markup(HTMLParser):
    """A page taken apart: every element closed in order, no handlers, nothing of another host."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.text, self.labels = [], [], "", set()
        self.headings, self.title = [], ""
        self.forms = []
        assert text.startswith("<!DOCTYPE html>\n<html ")
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice"
        values = dict(attrs)
        assert not [name for name in names if name.startswith("on") or name in ("src", "style")]
        assert tag not in ("img", "iframe", "object", "base")
        assert tag != "script" or not values, "only the page's own script"
        for name in ("href", "action"):
            assert re.match("/|#|https?://", values.get(name, "/")), "an address that is not http"
        self.elements.append((tag, values, tuple(self.open)))
        if tag == "label":
            self.labels.add(values["for"])
        if tag == "form":
            assert "form" not in self.open
            self.forms.append((values, []))
        if tag in ("button", "input"):
            assert "form" in self.open, f"a {tag} outside a form"
            self.forms[-1][1].append((tag, values))
        if tag in ("h1", "h2", "h3", "h4"):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if self.open[-1:] == ["title"]:
            self.title += data
        elif self.open[-1:] not in (["style"], ["script"]):
            self.text += data

    def all(self, tag, **wanted):
        return [
            values
            for name, values, _ in self.elements
            if name == tag and wanted.items() <= values.items()
        ]

    def buttons(self, action=None):
        """The values of the buttons that post, of one form's address or of all."""
        return [
            values["value"]
            for form, fields in self.forms
            for kind, values in fields
            if kind == "button" and "value" in values and action in (None, form["action"])
        ]

    def said(self):
        return [
            values["class"] for name, values, _ in self.elements if values.get("role") == "status"
        ]


def digest(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def read(answer):
    """Check an answer as a page, its headers too, and take it apart."""
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        for text in re.findall(f"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL):
            assert f"{directive} {digest(text)};" in policy
    assert "unsafe" not in policy
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    page = Markup(answer.text)
    assert page.all("html") == [{"lang": "en"}]
    assert page.title.strip()
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    steps = zip(page.headings, page.headings[1:], strict=False)
    assert all(later <= earlier + 1 for earlier, later in steps)
    assert len(page.all("main")) == 1
    assert page.all("meta", name="viewport")
    ids = [values["id"] for _, values, _ in page.elements if "id" in values]
    assert len(ids) == len(set(ids))
    for values in page.all("input"):
        assert values["type"] == "hidden" or values["id"] in page.labels
    for form, fields in page.forms:
        assert form["method"] in ("get", "post")
        posts = [values for kind, values in fields if kind == "button" and "name" in values]
        assert not posts or form["method"] == "post"
    return page


async def press(browser, link, action, **headers):
    return await browser.post(link, data={"action": action}, headers=headers)
