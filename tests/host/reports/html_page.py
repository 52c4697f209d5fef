"""Reading a page back: its text and tables, and whether it is well formed."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "hr", "img", "input"}
SOURCES = ("measured", "modelled", "computed", "recorded", "quoted")


class Page(HTMLParser):
    """Raises AssertionError at an element that is closed in the wrong place.

    tables : by caption: row name (without its source) to the cells
    sources : by caption: row name to the source beside it
    ids, references : of all elements; ``references`` is what could load something
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.tables: dict[str, dict[str, list[str]]] = {}
        self.sources: dict[str, dict[str, str]] = {}
        self.words: list[str] = []
        self._caption = ""
        self._row: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._note(attributes)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "caption":
            self._caption = ""
        elif tag == "tr":
            self._row = []
        elif tag in ("td", "th"):
            self._row.append("")

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._note(attributes)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()
        if tag == "caption":
            self.tables[self._caption], self.sources[self._caption] = {}, {}
        elif tag == "tr":
            name, _, source = self._row[0].rpartition(" ")
            if source not in SOURCES:
                name, source = self._row[0], ""
            self.tables[self._caption][name] = self._row[1:]
            self.sources[self._caption][name] = source

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if "caption" in self.open:
            self._caption += data
        elif "td" in self.open or "th" in self.open:
            self._row[-1] += data

    def _note(self, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name == "id":
                self.ids.append(str(value))
            elif name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
                self.references.append(str(value))
