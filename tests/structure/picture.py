"""Draws docs/layers.svg from the imports: `make picture`. A test compares the picture with the code.

Folders stand in their layers, as the import contract orders them. A line means that the upper folder imports the lower one;
lines that follow from two others are left out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "layers.svg"
FRONT_DOOR = "front door"
LOWEST = "secrets"

BOX, HIGH, GAP, LAYER = 132, 44, 18, 74
STYLE = """
.folder { fill: #eef3fb; stroke: #4a6fa5; rx: 6 } .door { fill: #f3efe4; stroke: #a5854a; rx: 6 }
text { font: 600 14px system-ui, sans-serif; fill: #1d2733; text-anchor: middle }
.lines { font: 400 11px system-ui, sans-serif; fill: #5a6675 } path { stroke: #8796a8; fill: none; stroke-width: 1.1 }
@media (prefers-color-scheme: dark) {
  .folder { fill: #1f2a3a; stroke: #7f9fd0 } .door { fill: #332d1f; stroke: #d0b47f }
  text { fill: #e6edf5 } .lines { fill: #9aa7b5 } path { stroke: #64748a }
}
"""


def layers() -> list[list[str]]:
    """The folders of each layer, the highest first, as pyproject.toml has them; the front door counts as one folder."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    named = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    modules = [[module.removeprefix("batchd.") for module in layer.split(" | ")] for layer in named]
    folders = [[name for name in layer if (ROOT / "daemon/batchd" / name).is_dir()] for layer in modules]
    above = [layer for layer in folders if layer not in ([], ["events"], [LOWEST])]
    return [*above, [FRONT_DOOR], [LOWEST]]


def imports(folders: Iterable[str]) -> dict[str, set[str]]:
    """Which folder imports which, without what follows from other imports."""
    graph = grimp.build_graph("batchd", exclude_type_checking_imports=True, cache_dir=None)
    known = set(folders)

    def folder(module: str) -> str | None:
        name = module.split(".")[1] if "." in module else FRONT_DOOR
        if name in {"testing", "__main__"}:
            return None
        return name if name in known else FRONT_DOOR

    found: dict[str, set[str]] = {name: set() for name in known}
    for module in graph.modules:
        for target in graph.find_modules_directly_imported_by(module):
            here, there = folder(module), folder(target)
            # The lowest folder takes the errors of the front door, which takes all else from it.
            if here and there and here not in {there, LOWEST}:
                found[here].add(there)
    return {name: {each for each in below if not _follows(name, each, found)} for name, below in found.items()}


def _follows(name: str, target: str, found: Mapping[str, set[str]]) -> bool:
    return any(_reaches(each, target, found) for each in found[name] - {target})


def _reaches(name: str, target: str, found: Mapping[str, set[str]]) -> bool:
    return target in found[name] or any(_reaches(each, target, found) for each in found[name])


def lines_of(folder: str) -> int:
    """How many lines of Python a folder has."""
    package = ROOT / "daemon" / "batchd"
    files = list((package / folder).rglob("*.py"))
    if folder == FRONT_DOOR:
        files = [*package.glob("*.py"), *(package / "events").rglob("*.py")]
    return sum(file.read_text("utf-8").count("\n") for file in files)


def draw() -> str:
    """The picture as SVG."""
    rows = layers()
    width = max(len(row) for row in rows) * (BOX + GAP) + GAP
    places = {name: place for number, row in enumerate(rows) for name, place in _places(row, number, width)}
    below = imports(places)
    paths = [_path(places[name], places[each]) for name in places for each in sorted(below[name])]
    boxes = [_box(name, *places[name]) for name in places]
    high = len(rows) * LAYER + GAP
    size = f'viewBox="0 0 {width} {high}" role="img" aria-label="The folders of batchd"'
    return "\n".join(
        [f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', f"<style>{STYLE}</style>", *paths, *boxes, "</svg>", ""]
    )


def _places(row: Sequence[str], number: int, width: int) -> Iterable[tuple[str, tuple[int, int]]]:
    # Every second layer stands a little aside, so that lines pass between the boxes.
    left = (width - len(row) * (BOX + GAP) + GAP) // 2 + (GAP * 3 if number % 2 else -GAP * 3) * (len(row) < 3)
    return [(name, (left + place * (BOX + GAP), GAP + number * LAYER)) for place, name in enumerate(row)]


def _path(upper: tuple[int, int], lower: tuple[int, int]) -> str:
    x1, y1, x2, y2 = upper[0] + BOX // 2, upper[1] + HIGH, lower[0] + BOX // 2, lower[1]
    bend = max(18, (y2 - y1) // 2)
    return f'<path d="M{x1} {y1} C{x1} {y1 + bend} {x2} {y2 - bend} {x2} {y2}"/>'


def _box(name: str, x: int, y: int) -> str:
    style = "door" if name == FRONT_DOOR else "folder"
    middle = x + BOX // 2
    # Rounded, so that the picture changes with the folders and not with every line.
    size = f"{max(0.1, round(lines_of(name) / 500) / 2):.1f}k lines"
    return (
        f'<rect class="{style}" x="{x}" y="{y}" width="{BOX}" height="{HIGH}"/>'
        f'<text x="{middle}" y="{y + 19}">{name}</text><text class="lines" x="{middle}" y="{y + 35}">{size}</text>'
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(), "utf-8")
