"""Warnings in an order for reading."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recsim.report.format import capitalised


def warnings_by_subject(names: Sequence[str], sentences: Iterable[str]) -> dict[str, list[str]]:
    """Warnings under the policy that they are about; those about none stand under "the log", each once."""
    found: dict[str, list[str]] = {}
    for sentence in dict.fromkeys(sentences):  # what is true of the log is said of every policy
        subject, colon, rest = sentence.partition(": ")
        if colon and subject.startswith(tuple(names)):
            found.setdefault(subject, []).append(capitalised(rest))
        else:
            found.setdefault("the log", []).append(sentence[:1].upper() + sentence[1:])
    return found
