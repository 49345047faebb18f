"""How templates, style sheets and scripts become one HTML page that needs no network."""

from __future__ import annotations

import base64
import gzip
import hashlib

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from recsim.report.format import compact, number, percent
from recsim.report.plain_text import line


def environment() -> Environment:
    """Where templates are found, what they may call, and that everything is escaped."""
    found = Environment(
        loader=PackageLoader("recsim.report"),
        autoescape=select_autoescape(enabled_extensions=("j2",), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.policies["json.dumps_kwargs"] = {"sort_keys": True, "allow_nan": False, "separators": (",", ":")}
    found.filters |= {
        "percent": percent,
        "compact": compact,
        "thousands": "{:,}".format,
        "inline": line,
        "price": number,
    }
    return found


def source(found: Environment, name: str) -> str:
    """The text of a template, a style sheet or a script."""
    assert found.loader is not None
    return found.loader.get_source(found, name)[0]


def inlined(script: str) -> Markup:
    """A script that can stand inside a page, as the browser will read it."""
    return Markup(script.replace("\r\n", "\n").replace("\r", "\n").replace("</script", "<\\/script"))


def packed(script: str) -> str:
    """A large script as text, compressed to a third: the same bytes for the same script."""
    return base64.b64encode(gzip.compress(script.encode(), 9, mtime=0)).decode("ascii")


def script_hash(script: str) -> str:
    """The source expression with which the page's content security policy allows one script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii')}"
