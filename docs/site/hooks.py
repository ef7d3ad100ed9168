"""What MkDocs does not do by itself: pages of the repository outside docs/ that are linked, and links to them."""

import os
import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = "repository"  # where they stand in the site
PAGES = (
    "studies/*/*.md",
    "studies/*/*.yaml",
    "studies/*/*.svg",
    "results/README.md",
    "notebooks/*.ipynb",
    "*.md",
    "LICENSE",
)
LINK = re.compile(r"(?P<before>\]\(|(?:src|srcset|href)=\")(?P<target>[^)\s\"#]+)(?P<anchor>#[^)\s\"]*)?(?=[)\"])")


def in_repository(page: str) -> str:
    """Where a page of the site stands in the repository: docs/install.md, studies/languages/README.md."""
    return page.removeprefix(f"{ELSEWHERE}/") if page.startswith(f"{ELSEWHERE}/") else f"docs/{page}"


def in_site(file: str) -> str:
    """Where a file of the repository stands in the site."""
    return file.removeprefix("docs/") if file.startswith("docs/") else f"{ELSEWHERE}/{file}"


def turned(markdown: str, page: str) -> str:
    """The text of a page with its links as they are in the site.

    Args:
        markdown: its text.
        page: where it stands in the site, such as 'how-to/predict.md'.
    """
    own = in_repository(page)

    def other(link: re.Match[str]) -> str:
        target = link["target"]
        if re.match(r"[a-z]+:", target):
            return link[0]
        file = posixpath.normpath(posixpath.join(posixpath.dirname(own), target))
        if (ROOT / file).is_dir():
            file = f"{file}/index.md" if file.startswith("docs/") else f"{file}/README.md"
        found = posixpath.relpath(in_site(file), posixpath.dirname(page) or ".")
        return f"{link['before']}{found}{link['anchor'] or ''}"

    return LINK.sub(other, markdown)


def list_of_decisions() -> str:
    """A page with a line for each note of docs/decisions/."""
    notes = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
    titles = [(note.name, note.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")) for note in notes]
    return "# Decisions\n\nWhy it is so: each on a page.\n\n" + "".join(
        f"- [{title}]({name})\n" for name, title in titles
    )


def on_files(files: Any, config: Any) -> Any:
    """Add the pages from outside docs/, and the list of decisions."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, "decisions/index.md", content=list_of_decisions()))
    for pattern in PAGES:
        for path in sorted(ROOT.glob(pattern)):
            name = f"{ELSEWHERE}/{path.relative_to(ROOT).as_posix()}"
            files.append(File.generated(config, name, abs_src_path=os.fspath(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn the links of each page."""
    return turned(markdown, page.file.src_uri)
