"""The card of a catalogue as HTML: nothing in it acts."""

import pytest

from recsim.report.card import card_html


@pytest.mark.parametrize(
    ("card", "html"),
    [
        ("a <script>alert(1)</script>", "<p>a &lt;script&gt;alert(1)&lt;/script&gt;</p>\n"),
        ("<div onclick=x>\n\nb", "<p>&lt;div onclick=x&gt;</p>\n<p>b</p>\n"),
        ("[a](javascript:x)", "<p>[a](javascript:x)</p>\n"),
        ("[a](data:text/html;x)", "<p>[a](data:text/html;x)</p>\n"),
        ("[a](file:///etc/passwd)", "<p>[a](file:///etc/passwd)</p>\n"),
        ("[a](other.md)", "<p>[a](other.md)</p>\n"),
        ("[a](https://b.org)", '<p><a href="https://b.org" rel="noopener noreferrer">a</a></p>\n'),
        ("![a](https://b.org)", '<p>!<a href="https://b.org" rel="noopener noreferrer">a</a></p>\n'),
        (
            '[a](https://b.org "on<b>")',
            '<p><a href="https://b.org" title="on&lt;b&gt;" rel="noopener noreferrer">a</a></p>\n',
        ),
        ("# one\n\n###### six", "<h3>one</h3>\n<h6>six</h6>\n"),
        ("`<b>`", "<p><code>&lt;b&gt;</code></p>\n"),
        ("a\x1b[31mb\x07\u202ec", "<p>abc</p>\n"),
    ],
)
def test_nothing_in_a_card_acts(card: str, html: str) -> None:
    assert card_html(card) == html
