"""The card of a catalogue, which is Markdown of other people, for a page and for a terminal."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from recsim.report.plain_text import plain

ABOVE = 2  # levels of headings above the card's own
SCROLL = '<div class="scroll" role="region" tabindex="0" aria-label="Table of the card"><table>'


def card_html(card: str) -> Markup:
    """The card as HTML, whose headings stand below the page's.

    >>> print(card_html("# Mugs <b>"), end="")
    <h3>Mugs &lt;b&gt;</h3>
    """
    reader = _reader()
    reader.add_render_rule("table_open", lambda *_: SCROLL)
    reader.add_render_rule("table_close", lambda *_: "</table></div>")
    tokens = reader.parse(plain(card))
    for token in tokens:
        _fit(token)
    return Markup(reader.renderer.render(tokens, reader.options, {}))


def card_tokens(card: str) -> list[Token]:
    """The card as parsed Markdown: HTML in it is text, images are links, and only addresses of the web are links."""
    return _reader().parse(plain(card))


def _reader() -> MarkdownIt:
    return _Reader("commonmark", {"html": False, "xhtmlOut": False}).enable("table").disable("image")


class _Reader(MarkdownIt):
    def validateLink(self, url: str) -> bool:
        return url.startswith(("https://", "http://"))


def _fit(token: Token) -> None:
    """Lower a heading, and let a link tell the other side nothing."""
    if token.type in ("heading_open", "heading_close"):
        token.tag = f"h{min(int(token.tag[1:]) + ABOVE, 6)}"
    for child in token.children or ():
        if child.type == "link_open":
            child.attrSet("rel", "noopener noreferrer")
