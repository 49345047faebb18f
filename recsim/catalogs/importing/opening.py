"""Text files of any encoding, also compressed, and the place of the first byte that does not fit the encoding."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

_BLOCK = 1 << 20
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def open_bytes(path: Path) -> BinaryIO:
    """The file, uncompressed as it is read where its name ends in ``.gz``."""
    return cast(BinaryIO, gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb"))


def text_lines(path: Path, encoding: str) -> Iterator[str]:
    """The lines with their ends, of which all kinds are kept as they are.

    Raises:
        UnicodeDecodeError: at a byte that does not fit; `wrong_bytes` says where it stands.
        ValueError: if the file is compressed and broken.
    """
    with open_bytes(path) as file, io.TextIOWrapper(file, encoding=_with_mark(encoding), newline="") as text:
        try:
            yield from text
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path} is broken ({error}): compress or copy it again.") from error


def wrong_bytes(path: Path, encoding: str) -> ValueError:
    """The error that names the line and the byte at which a file is not what its encoding says."""
    decoder = codecs.getincrementaldecoder(_with_mark(encoding))()
    offset, line = 0, 1
    with open_bytes(path) as file:
        while True:
            block = file.read(_BLOCK)
            try:
                line += decoder.decode(block, final=not block).count("\n")
            except UnicodeDecodeError as error:
                pending = len(error.object) - len(block)
                line += error.object[: error.start].count(b"\n")
                likely = "utf-16" if error.object.startswith(_UTF_16) and offset == pending else "cp1252"
                return ValueError(
                    f"{path}, line {line}: byte {offset - pending + error.start:,} "
                    f"(0x{error.object[error.start]:02x}) is no {encoding}: say which encoding the file has, "
                    f"such as --encoding {likely}, or save it as UTF-8."
                )
            if not block:
                return ValueError(f"{path} changed while it was read: import it again.")
            offset += len(block)


def _with_mark(encoding: str) -> str:
    """UTF-8 with or without the byte order mark that Excel writes."""
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
