"""Titles and texts of other people turned into plain text; what had to be repaired is told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from typing import Any

# Commands to a terminal (ECMA-48, 5.4 and 5.6): colours and the cursor; titles and the like, with what ends them; and
# sets of letters (ECMA-35, 13.2.2), which `tput sgr0` names before it ends colours.
COMMAND = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)|\x1b[()*+][0-~]")
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

    Letters that were read in the wrong encoding are mended by ftfy (Speer 2019, https://doi.org/10.5281/zenodo.2591652).

    >>> clean_text("<b>Caf\u00c3\u00a9</b> &amp; bar")
    Cleaned(text='Café & bar', repaired=('mojibake', 'markup'))
    """
    if _CLEAN.fullmatch(text):
        return Cleaned(" ".join(text.split()))
    repaired = []
    for kind, mend in _MENDING.items():
        if (mended := mend(text)) != text:
            text = mended
            repaired.append(kind)
    return Cleaned(" ".join(text.split()), tuple(repaired))


def _without_commands(text: str) -> str:
    return COMMAND.sub("", text)


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
    """What a browser would show, twice, as feeds escape what was escaped before."""
    for _ in range(2):
        if _MARKUP.search(text):
            reader = _TextOf()
            reader.feed(text)
            reader.close()
            text = "".join(reader.parts)
    return text


def _without_controls(text: str) -> str:
    return _CONTROL.sub("", text)


_MENDING = {
    "terminal command": _without_commands,
    "mojibake": _decoded,
    "markup": _without_markup,
    "control characters": _without_controls,
}


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
