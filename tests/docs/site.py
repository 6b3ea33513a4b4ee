"""The docs site: all pages gathered into one folder, built by zensical, and every link in it followed.

`make site` writes it to .site/html. Pages of the repository that are not in docs/ come along; a link to anything else
leads to the repository on the web.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .pages import DOCS, PAGES, ROOT
from .reference import pages as made_pages

OTHERS = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "plugins/README.md": "built-in-plugins.md",
    "systemd/README.md": "systemd.md",
    "tests/README.md": "tests.md",
}
"""Where pages that are not in docs/ go."""
_PIECE = re.compile(
    r"(?P<fence>^```.*?^```$)|(?P<begin>!?\[[^\]]*\]\()(?P<target>[^)\s]+)(?P<end>\))|(?P<code>`[^`\n]+`)",
    re.MULTILINE | re.DOTALL,
)
"""A block of code, a link, which may have code in its text, or code in a line."""


def places() -> Mapping[Path, str]:
    """The place on the site of each page of the repository."""
    return {
        page: OTHERS.get(str(page.relative_to(ROOT))) or str(page.relative_to(DOCS))
        for page in PAGES
        if page.is_relative_to(DOCS) or str(page.relative_to(ROOT)) in OTHERS
    }


def gather(folder: Path) -> None:
    """Write all pages there, with their links as they must be there."""
    where = places()
    web = _repository()
    for page, place in where.items():
        _write(folder / place, _linked(page, place, where, web))
    for place, text in made_pages().items():
        _write(folder / place, text)
    for picture in DOCS.glob("*.svg"):
        shutil.copy(picture, folder)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def _linked(page: Path, place: str, where: Mapping[Path, str], web: str) -> str:
    def moved(match: re.Match[str]) -> str:
        if match["code"]:
            # GitHub wants a bar in it escaped in a table; here the backslash would be shown.
            return match[0].replace("\\|", "|")
        path, hash_sign, anchor = (match["target"] or "").partition("#")
        if not path or re.match(r"[a-z]+:", path):
            return match[0]
        target = Path(os.path.normpath(page.parent / path))
        if target in where:
            new = os.path.relpath(where[target], Path(place).parent)
        elif target.parent == DOCS and target.suffix == ".svg":
            new = os.path.relpath(target.name, Path(place).parent)
        else:
            new = f"{web}/{'tree' if target.is_dir() else 'blob'}/main/{target.relative_to(ROOT)}"
        return f"{match['begin']}{new}{hash_sign}{anchor}{match['end']}"

    return _PIECE.sub(moved, page.read_text("utf-8"))


def _repository() -> str:
    found: str = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]["repo_url"]
    return found


def nav_of(entries: object) -> Iterator[str]:
    """The pages that the navigation names, in its order."""
    if isinstance(entries, str):
        yield entries
    elif isinstance(entries, dict):
        for each in entries.values():
            yield from nav_of(each)
    elif isinstance(entries, list):
        for each in entries:
            yield from nav_of(each)


class _Links(HTMLParser):
    """What a page links to and shows, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)
                if tag in ("script", "img", "link") and "canonical" not in dict(attrs).values():
                    self.loaded.append(value)


def faults(site: Path) -> list[str]:
    """What is wrong with the built site: links that lead nowhere, and what is loaded from elsewhere."""
    read = {page: _Links(page.read_text("utf-8")) for page in sorted(site.rglob("*.html")) if page.name != "404.html"}
    found = []
    for page, seen in read.items():
        name = page.relative_to(site)
        found += [f"{name} loads {each}" for each in seen.loaded if urlsplit(each).netloc]
        for link in seen.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = Path(os.path.normpath(page.parent / unquote(parts.path))) if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                found.append(f"{name} links to {link}, which is not there")
            elif parts.fragment and target in read and unquote(parts.fragment) not in read[target].anchors:
                found.append(f"{name} links to {link}, and there is no such heading")
    return found


def build(folder: Path) -> list[str]:
    """Build the site below this folder; what is wrong with it."""
    shutil.rmtree(folder, ignore_errors=True)
    gather(folder / "pages")
    text = (ROOT / "zensical.toml").read_text("utf-8").replace('".site/', '"')
    (folder / "zensical.toml").write_text(text, "utf-8")
    command = [str(Path(sys.executable).with_name("zensical")), "build", "--strict"]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        return [f"{done.stdout}\n{done.stderr}"]
    return faults(folder / "html")


if __name__ == "__main__":
    wrong = build(ROOT / ".site")
    print("\n".join(wrong) or "The site is in .site/html.")
    sys.exit(1 if wrong else 0)
