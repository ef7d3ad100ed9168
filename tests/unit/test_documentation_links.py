"""Every link of the documentation leads somewhere: files, headings, pictures; and the site has every page."""

import importlib.util
import re
from pathlib import Path

import pytest
import yaml

from temper.report.page.glossary import glossary_markdown

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
GIVEN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "results/README.md"]
PAGES = sorted([*GIVEN, *ROOT.glob("studies/*/*.md"), *DOCS.rglob("*.md")])
CODE = re.compile(r"^```.*?^```|`[^`\n]*`|<!--.*?-->", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
BARE = re.compile(r"(?<![\w/(\"\[])docs/(?!decisions/\d)[\w/-]+\.md|docs/decisions/\d{4}(?![\w-])")


def prose(page: Path) -> str:
    """Its text without code and comments."""
    return CODE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The names of its headings, as a site and a forge make them."""
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S), re.M
    ):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        name = re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")
        names.add(f"{name}-{found[name]}" if name in found else name)
        found[name] = found.get(name, 0) + 1
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_of_this_checkout_and_a_heading_of_it(page):
    dead = []
    for target in (one or other for one, other in LINK.findall(prose(page))):
        if re.match(r"(https?|mailto):", target):
            continue
        file, _, anchor = target.partition("#")
        found = (page.parent / file).resolve() if file else page
        if not found.exists() or not found.is_relative_to(ROOT) or (anchor and anchor not in anchors(found)):
            dead.append(target)
    assert dead == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.parent != DOCS / "decisions"], ids=lambda page: page.stem
)
def test_a_page_that_is_named_is_linked(page):
    marked = re.sub(r"<!-- [a-z -]+ of .*?<!-- end of table -->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert BARE.findall(CODE.sub("", marked)) == []


# figures.md of a study has every column; the table of benchmarks/busy.py is its record, line by line
MOST_COLUMNS, WIDE = 9, ("figures.md", "measuring.md")


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.parent != DOCS / "decisions" and page.name not in WIDE],
    ids=lambda page: page.stem,
)
def test_a_table_fits_a_screen(page):
    rules = re.findall(r"^\|(?: *:?-+:? *\|)+$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert max((rule.count("|") - 1 for rule in rules), default=0) <= MOST_COLUMNS


def test_code_and_messages_name_pages_that_are_there():
    named = {}
    for file in [
        *ROOT.glob("src/temper/**/*"),
        *ROOT.glob("workflow/**/*"),
        ROOT / "Makefile",
        ROOT / "Snakefile",
        ROOT / "params.yaml",
    ]:
        if file.suffix in (".py", ".yaml", ".smk", ".j2", "") and file.is_file():
            for name in re.findall(r"docs/[\w/-]+\.md", file.read_text(encoding="utf-8")):
                named[name] = file
            for number in re.findall(r"docs/decisions/(\d{4})(?![\w-])", file.read_text(encoding="utf-8")):
                if not list(DOCS.glob(f"decisions/{number}-*.md")):
                    named[f"docs/decisions/{number}"] = file
    assert len(named) > 3
    assert {name: str(file) for name, file in named.items() if not (ROOT / name).is_file()} == {}


def nav() -> list[str]:
    """Pages that the site's contents name."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    found: list[str] = []

    def walk(entry):
        if isinstance(entry, str):
            found.append(entry)
        for each in entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else []:
            walk(each)

    walk(yaml.safe_load(text[text.index("\nnav:") :])["nav"])
    return found


def test_the_sites_contents_have_every_page_once():
    own = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md") if path.parent.name != "decisions")
    assert sorted(nav()) == sorted([*own, "decisions/index.md"])


def test_the_site_turns_links_out_of_docs_and_back():
    spec = importlib.util.spec_from_file_location("hooks", DOCS / "site/hooks.py")
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    page = (
        "[s](../../studies/languages/README.md) [d](../decisions/) [i](../install.md#gpu-backends) [w](https://a.org)"
    )
    assert hooks.turned(page, "how-to/predict.md") == (
        "[s](../repository/studies/languages/README.md) [d](../decisions/index.md) [i](../install.md#gpu-backends) [w](https://a.org)"
    )
    back = hooks.turned("[r](../../docs/results.md)", "repository/studies/languages/README.md")
    assert back == "[r](../../../results.md)"
    first = hooks.list_of_decisions().splitlines()[4]
    assert first == "- [0001 Rows are encoded once, while the data is prepared](0001-rows-are-encoded-once.md)"


def test_the_glossary_is_the_reports():
    assert glossary_markdown() in (DOCS / "glossary.md").read_text(encoding="utf-8")
