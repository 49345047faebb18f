"""Titles and texts as a shop exports them, turned into plain text; what had to be repaired is told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from typing import Any

from recsim.report.plain_text import COMMAND

LONGEST = 10_000  # characters that an encoder sees; the longest context of the built-in ones is 256 tokens
TITLE = 80  # characters of a text that may stand for a title
EMPTY_MARKERS = frozenset({"null", "none", "nan", "n/a", "#n/a", "<na>", "nil", "-", "--"})
_CLEAN = re.compile(r"[ -%'-;=?-~]*")  # printable ASCII without & < >
_MARKUP = re.compile(r"</?[A-Za-z][^<>]*>|<!--.*?-->|&(?:#\d+|#[xX][0-9A-Fa-f]+|[A-Za-z]\w{1,31});", flags=re.DOTALL)
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\ufeff\ufff9-\ufffc\ud800-\udfff]"
)
_BLOCKS = frozenset({"br", "p", "div", "li", "ul", "ol", "tr", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6", "hr"})
_HIDDEN = frozenset({"script", "style", "head", "template"})


@dataclass(frozen=True)
class Cleaned:
    """A text and the kinds of what was repaired in it."""

    text: str
    repaired: tuple[str, ...] = ()


def clean_text(text: str) -> Cleaned:
    r"""Plain text: decoded rightly, without markup, commands to a terminal and control characters, with single spaces.

    >>> clean_text("<b>Caf\u00c3\u00a9</b> &amp; bar")
    Cleaned(text='Café & bar', repaired=('mojibake', 'markup'))
    """
    if _CLEAN.fullmatch(text):
        return Cleaned(" ".join(text.split()))
    repaired = []
    if COMMAND.search(text):
        text = COMMAND.sub("", text)
        repaired.append("terminal command")
    if (fixed := _decoded(text)) != text:
        repaired.append("mojibake")
    if _MARKUP.search(fixed):
        fixed = _without_markup(fixed)
        repaired.append("markup")
    if _CONTROL.search(fixed):
        fixed = _CONTROL.sub("", fixed)
        repaired.append("control characters")
    return Cleaned(" ".join(fixed.split()), tuple(repaired))


def is_empty(text: str) -> bool:
    """Whether a cell says that there is nothing."""
    return not text or text.lower() in EMPTY_MARKERS


def beginning(text: str) -> str:
    """What stands for a missing title: the first `TITLE` characters, up to the end of a word."""
    if len(text) <= TITLE:
        return text
    head = text[: TITLE + 1].rpartition(" ")[0] or text[:TITLE]
    return f"{head}…"


@cache
def _repairs() -> Any:
    """Only the decoding is repaired: quotes, ligatures and the like are how somebody chose to write."""
    from ftfy import TextFixerConfig

    return TextFixerConfig(
        unescape_html=False,
        remove_terminal_escapes=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_line_breaks=False,
        remove_control_chars=False,
        normalization=None,
        explain=False,
    )


def _decoded(text: str) -> str:
    from ftfy import fix_text

    return str(fix_text(text, _repairs()))


def _without_markup(text: str) -> str:
    reader = _TextOf()
    reader.feed(text)
    reader.close()
    return "".join(reader.parts)


class _TextOf(HTMLParser):
    """Collects what a browser would show; an end of a paragraph becomes a space."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self._hidden += tag in _HIDDEN
        self._space(tag)

    def handle_endtag(self, tag: str) -> None:
        self._hidden = max(0, self._hidden - (tag in _HIDDEN))
        self._space(tag)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)

    def _space(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.parts.append(" ")
