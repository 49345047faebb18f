"""Texts of other people as plain text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsim.text_cleaning import Cleaned, clean_text


@pytest.mark.parametrize(
    ("text", "plain", "repaired"),
    [
        ("A plain  text,\n5 > 3?", "A plain text, 5 > 3?", ()),
        ("CafÃ© crÃ¨me", "Café crème", ("mojibake",)),
        ("<p>One</p><p>two &amp; three</p>", "One two & three", ("markup",)),
        ("Tom &amp; Jerry", "Tom & Jerry", ("markup",)),
        ("a&amp;amp;b, &lt;b&gt;bold&lt;/b&gt;", "a&b, bold", ("markup",)),  # escaped twice
        ("a &unknown; entity", "a &unknown; entity", ()),
        ("a<br/>b<script>alert(1)</script>c", "a bc", ("markup",)),
        ("Tom & Jerry, 3 < 4 and 5 > 2", "Tom & Jerry, 3 < 4 and 5 > 2", ()),
        ("\x1b[1;31mRed\x1b[0m hat", "Red hat", ("terminal command",)),
        ("\x1b]0;title\x07A \x1b[?25lhat\x1b(B\x1b[m [31m", "A hat [31m", ("terminal command",)),
        ("\x1b[31m\x1b hat", "hat", ("terminal command", "control characters")),
        ("bell\x07 and zero\u200bwidth", "bell and zerowidth", ("control characters",)),
        ("“Curly” ﬁne", "“Curly” ﬁne", ()),
        ("日本語のテキスト", "日本語のテキスト", ()),
        ("<b>FranÃ§ais\x00</b>", "Français", ("mojibake", "markup", "control characters")),
        ("one \n\t two\u00a0three", "one two three", ()),
        ("Bonjour !", "Bonjour !", ()),
        ("", "", ()),
    ],
)
def test_texts_are_repaired_and_told(text: str, plain: str, repaired: tuple[str, ...]) -> None:
    assert clean_text(text) == Cleaned(plain, repaired)
    assert clean_text(plain) == Cleaned(plain)


@given(st.text())
def test_what_was_cleaned_is_printable(text: str) -> None:
    cleaned = clean_text(text).text
    assert cleaned == " ".join(cleaned.split())
    assert not any(ord(letter) < 32 for letter in cleaned)
