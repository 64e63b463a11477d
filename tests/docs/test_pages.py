"""The site is true: its Python runs, its links lead somewhere, and it names everything public."""

import re

import command_page
import pytest
from mdit_py_plugins.anchors.index import slugify
from running_pages import ROOT, blocks, run_page

from mettl_async import MettlClient

DOCS = ROOT / "docs"
PAGES = sorted(
    str(page.relative_to(DOCS))
    for page in DOCS.rglob("*.md")
    if not {"_build", "examples"} & set(page.relative_to(DOCS).parts)
)
HAS_A_TEST = "how-to/whole-integration.md"
WITH_CODE = [
    name
    for name in PAGES
    if name != HAS_A_TEST and blocks((DOCS / name).read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("name", WITH_CODE)
async def test_the_python_of_every_page_runs(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    await run_page(name, blocks((DOCS / name).read_text(encoding="utf-8")), monkeypatch)


async def test_the_whole_integration_says_what_its_page_promises(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    page = (DOCS / HAS_A_TEST).read_text(encoding="utf-8")
    (told,) = await run_page("whole-integration.md", blocks(page), monkeypatch)
    mapped, resumed, link, marks, report, exported = told.splitlines()
    assert mapped.endswith("among them: True")
    assert (resumed, link) == ("can be resumed: True", "the same link: True")
    assert marks.endswith(", Completed")
    assert (report, exported) == ("asha.pdf b'%PDF-'", "exported: 1")


def test_the_nineteen_endpoints_stand_on_their_page():
    page = (DOCS / "reference" / "endpoints.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \|.*`mettl\.(\w+)\.(\w+)\(.*\)` \|$", page, re.MULTILINE)
    assert [int(number) for number, _, _ in rows] == list(range(1, 20))
    for _, resource, method in rows:
        assert callable(getattr(getattr(MettlClient, resource), method))


def test_each_page_is_in_the_tree_of_the_site():
    listed = {"index.md"}
    for name in PAGES:
        text = (DOCS / name).read_text(encoding="utf-8")
        for tree in re.findall(r"^```\{toctree\}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            for line in tree.splitlines():
                if line and not line.startswith(":"):
                    target = (DOCS / name).parent / f"{line.split('<')[-1].rstrip('>').strip()}.md"
                    assert target.exists(), f"{name}: {line}"
                    listed.add(str(target.resolve().relative_to(DOCS)))
    assert set(PAGES) == listed


def anchors(page):
    """Give the anchors of a page: its headings, as MyST makes them of three levels."""
    text = re.sub(
        r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    return {
        slugify(one.replace("`", "")) for one in re.findall(r"^#{1,3} (.+)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    text = (DOCS / name).read_text(encoding="utf-8")
    for file, anchor in re.findall(r"\]\((?!https?://|mailto:)([^)#\s]*)#?([^)\s]*)\)", text):
        target = (DOCS / name).parent / file if file else DOCS / name
        assert target.exists(), file
        assert not anchor or anchor in anchors(target), f"{file}#{anchor}"


def test_the_help_of_each_command_is_on_its_page():
    """``python tests/docs/command_page.py`` writes it anew."""
    assert command_page.PAGE.read_text(encoding="utf-8") == command_page.page()


def test_llms_txt_has_every_page():
    listed = re.findall(r"\]\((.*)\.html\)", (DOCS / "llms.txt").read_text(encoding="utf-8"))
    indexes = {name for name in PAGES if name.endswith("index.md")}
    assert sorted(f"{name}.md" for name in listed) == sorted(set(PAGES) - indexes)
