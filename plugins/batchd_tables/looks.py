"""How a workbook looks: widths of columns, formats of numbers, the style of the header. Kept for the results."""

from __future__ import annotations

import colorsys
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from xml.etree.ElementTree import Element

from batchd import Json

from .number_formats import Format, built_in, format_of
from .xml_text import local

LOOKED_AT = 200
"""Rows at the beginning whose cells tell the formats of their columns."""
_MAX_CELLS = 100_000
"""Cells at the beginning that are looked at, which takes a second."""
_MAX_CODE = 255
_COLUMN = re.compile(r"<(?:[\w.-]+:)?col\s([^<>]{0,1000})>")
_ROW = re.compile(r"<(?:[\w.-]+:)?row\b([^<>]{0,1000})>")
_CELL = re.compile(r"<(?:[\w.-]+:)?c\s([^<>]{0,1000})>")
_ATTRIBUTE = re.compile(r"""([\w:]+)\s*=\s*["']([^"']*)["']""")
_PLACE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_TEXT_FORMAT = "@"
_BASIC = ("000000", "FFFFFF", "FF0000", "00FF00", "0000FF", "FFFF00", "FF00FF", "00FFFF")
_THEME = ("lt1", "dk1", "lt2", "dk2", *(f"accent{number}" for number in range(1, 7)), "hlink", "folHlink")
_LINES = ("none", "thin", "medium", "dashed", "dotted", "thick", "double", "hair")
"""The first kinds of cell borders, by XlsxWriter's numbers."""


class SheetLook:
    """What is seen of a sheet while it is read: its columns, and the styles of the cells of its first rows."""

    def __init__(self) -> None:
        self._columns: list[tuple[int, int, float | None, bool]] = []
        self._styles: dict[int, dict[int, int]] = {}
        self._looked_at = 0
        self._cells = _MAX_CELLS

    @property
    def wants_more(self) -> bool:
        """Whether more rows are to be looked at."""
        return self._looked_at < LOOKED_AT and self._cells > 0

    def head(self, text: str) -> None:
        """Read the columns from the XML before the rows."""
        for match in _COLUMN.finditer(text):
            said = dict(_ATTRIBUTE.findall(match[1]))
            first, last = _whole(said.get("min")), _whole(said.get("max"))
            if first and last and len(self._columns) < 16_384:
                self._columns.append((first, last, _width(said.get("width")), said.get("hidden") in {"1", "true"}))

    def rows(self, piece: str, places: Mapping[str, int]) -> None:
        """Read the styles of cells from the XML of some rows. `places` are the columns by their letters."""
        row = _ROW.search(piece)
        while row is not None and self.wants_more:
            self._looked_at += 1
            following = _ROW.search(piece, row.end())
            number = _whole(dict(_ATTRIBUTE.findall(row[1])).get("r")) or max(self._styles, default=0) + 1
            styles = self._styles.setdefault(number, {})
            end = following.start() if following is not None else len(piece)
            for cell in islice(_CELL.finditer(piece, row.end(), end), self._cells):
                self._cells -= 1
                said = dict(_ATTRIBUTE.findall(cell[1]))
                place, style = _PLACE.fullmatch(said.get("r", "")), said.get("s", "")
                if place is not None and place[1] in places and style.isdecimal() and len(style) < 8:
                    styles[places[place[1]]] = int(style)
            row = following

    def details(self, styles: Styles, *, header: int, width: int) -> dict[str, Json]:
        """What a sink needs so that a table of this width looks the same. `header` is the number of its header row."""
        above = self._styles.get(header, {})
        formats: list[Json] = []
        for place in range(width):
            seen = Counter(row[place] for number, row in self._styles.items() if number > header and place in row)
            formats.append(styles.code(seen.most_common(1)[0][0]) if seen else None)
        widths: list[float | None] = [None] * width
        hidden = []
        for first, last, wide, unseen in self._columns:
            for place in range(first - 1, min(last, width)):
                widths[place] = wide
                if unseen:
                    hidden.append(place)
        common = Counter(styles.header(style) for style in above.values()).most_common(1)
        return {
            "formats": formats if any(formats) else [],
            "widths": widths if any(widths) else [],
            "hidden": hidden,
            "header": dict(common[0][0]) if common else {},
        }


class Styles:
    """The styles of a workbook, by the number that cells give for their style. `theme` is the XML of its theme."""

    def __init__(self, root: Element | None = None, theme: Element | None = None) -> None:
        parts = {local(each.tag): list(each) for each in root} if root is not None else {}
        self._codes = {each.get("numFmtId", ""): each.get("formatCode", "") for each in parts.get("numFmts", ())}
        self._fonts, self._fills = parts.get("fonts", ()), parts.get("fills", ())
        self._borders, self._styles = parts.get("borders", ()), parts.get("cellXfs", ())
        self._theme = _theme(theme)

    @property
    def formats(self) -> Sequence[Format]:
        """For each style, what its format makes of a number."""
        return [self._format(style) for style in self._styles]

    def code(self, number: int) -> str | int | None:
        """The number format of a style: its code or, if it is built in, its number; None for the general format."""
        if not 0 <= number < len(self._styles):
            return None
        written = self._styles[number].get("numFmtId", "0")
        code = self._codes.get(written)
        if code is not None:
            return code if code.lower() != "general" and 0 < len(code) <= _MAX_CODE else None
        return int(written) or None if written.isdecimal() and len(written) < 4 else None

    def header(self, number: int) -> tuple[tuple[str, Json], ...]:
        """The look of a cell with this style, in XlsxWriter's words."""
        if not 0 <= number < len(self._styles):
            return ()
        style = self._styles[number]
        look: dict[str, Json] = {}
        font = _children(_at(self._fonts, style.get("fontId")))
        look |= {word: True for tag, word in (("b", "bold"), ("i", "italic"), ("u", "underline")) if _on(font.get(tag))}
        if (name := _value(font.get("name"))) and len(name) <= 31:
            look["font_name"] = name
        if size := _width(_value(font.get("sz"))):
            look["font_size"] = size
        if color := self._color(font.get("color")):
            look["font_color"] = color
        fill = _children(_at(self._fills, style.get("fillId"))).get("patternFill")
        if fill is not None and fill.get("patternType") == "solid":
            color = self._color(_children(fill).get("fgColor"))
            if color:
                look["bg_color"] = color
        for side, line in _children(_at(self._borders, style.get("borderId"))).items():
            kind = line.get("style", "none")
            if side in {"left", "right", "top", "bottom"} and kind in _LINES[1:]:
                look[side] = _LINES.index(kind)
        aligned = _children(style).get("alignment")
        if aligned is not None:
            if aligned.get("horizontal") in {"left", "center", "right"}:
                look["align"] = aligned.get("horizontal")
            if aligned.get("wrapText") in {"1", "true"}:
                look["text_wrap"] = True
        return tuple(look.items())

    def _format(self, style: Element) -> Format:
        number = style.get("numFmtId", "0")
        code = self._codes.get(number)
        if code is not None:
            return format_of(code)
        return built_in(int(number) if number.isdecimal() and len(number) < 9 else 0)

    def _color(self, element: Element | None) -> str | None:
        if element is None:
            return None
        rgb, theme, indexed = (element.get(key, "") for key in ("rgb", "theme", "indexed"))
        if re.fullmatch("(?:[0-9A-Fa-f]{2})?[0-9A-Fa-f]{6}", rgb):
            color = rgb[-6:]
        elif theme.isdecimal() and len(theme) < 3 and int(theme) < len(_THEME):
            color = self._theme.get(_THEME[int(theme)], "")
        elif indexed.isdecimal() and len(indexed) < 3 and int(indexed) < 16:
            color = _BASIC[int(indexed) % 8]
        else:
            return None
        return f"#{_tinted(color, _float(element.get('tint')))}" if color else None


def _theme(root: Element | None) -> Mapping[str, str]:
    scheme = next((each for each in root.iter() if local(each.tag) == "clrScheme"), None) if root is not None else None
    colors = {}
    for entry in scheme if scheme is not None else ():
        for color in entry:
            found = color.get("lastClr") or color.get("val") or ""
            if re.fullmatch("[0-9A-Fa-f]{6}", found):
                colors[local(entry.tag)] = found
    return colors


def _tinted(color: str, tint: float) -> str:
    """The color, lighter or darker as Excel makes it."""
    if not tint or not -1 <= tint <= 1:
        return color.upper()
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (0, 2, 4))
    hue, light, saturation = colorsys.rgb_to_hls(red, green, blue)
    light = light * (1 + tint) if tint < 0 else light * (1 - tint) + tint
    return "".join(
        f"{round(255 * each):02X}" for each in colorsys.hls_to_rgb(hue, min(max(light, 0.0), 1.0), saturation)
    )


def _at(elements: Sequence[Element], number: str | None) -> Element | None:
    place = _whole(number)
    return elements[place] if number is not None and place < len(elements) else None


def _children(element: Iterable[Element] | None) -> dict[str, Element]:
    return {local(each.tag): each for each in element} if element is not None else {}


def _value(element: Element | None) -> str:
    return element.get("val", "") if element is not None else ""


def _on(element: Element | None) -> bool:
    return element is not None and element.get("val", "1") not in {"0", "false", "none"}


def _whole(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 8 else 0


def _float(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def _width(text: str | None) -> float | None:
    width = _float(text)
    return round(width, 2) if 0 < width <= 409 else None
