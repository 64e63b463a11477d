"""The pages can be read by somebody with English at level B1: short sentences, few long words."""

import re
import statistics

import pytest
import textstat
from running_pages import ROOT
from test_pages import PAGES

FEWEST = 5  # sentences; with fewer a median says nothing
ENOUGH = 12  # sentences; with fewer a few names of the field decide the index
MEDIAN, MOST = 15, 45  # words of a sentence; design: median at most 20
LIX = 42  # "normal" texts, such as newspapers, are below 50, and easy ones below 40


def paragraphs(text):
    """Give the running text of Markdown: no code, tables, headings or pictures."""
    text = re.sub(r"^(```|:::).*?^\1\s*$", "\n", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"^\s*([|#!<].*)$", "\n", text, flags=re.MULTILINE)
    text = re.sub(r"^\s*(?:[-*]|\d+\.)\s+", "\n\n", text, flags=re.MULTILINE)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("`", "").replace("**", "")
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]


def sentences(text):
    return [
        sentence
        for part in paragraphs(text)
        for sentence in re.split(r"(?<=[.!?:])\s+(?=[A-Z])", part)
    ]


@pytest.mark.parametrize("name", [*PAGES, "../README.md", "../CONTRIBUTING.md"])
def test_sentences_are_short_and_words_are_plain(name):
    found = sentences((ROOT / "docs" / name).read_text(encoding="utf-8"))
    if name == "changelog.md" or len(found) < FEWEST:
        return
    words = [len(one.split()) for one in found]
    assert statistics.median(words) <= MEDIAN
    assert max(words) <= MOST, max(found, key=lambda one: len(one.split()))
    assert len(found) < ENOUGH or textstat.lix("\n".join(found)) <= LIX
