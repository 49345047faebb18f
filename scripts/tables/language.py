"""The tables of docs/language.md."""

from __future__ import annotations

from recsim.report.format import number
from tables.markdown import interval, markdown
from tables.results import result


def interests() -> str:
    """How well hidden interests are told from histories: one row for each policy, length and predictor."""
    found = result("interests")
    rows = [
        (
            one["policy"],
            str(one["slates"]),
            one["predictor"],
            *(number(one["scores"][metric]["mean"], 3) for metric in ("ndcg", "recall")),
            interval(one["scores"]["personal correlation"], decimals=3),
            number(one["scores"]["log loss"]["mean"], 2),
            interval(one["more_than_counts"] and one["more_than_counts"]["personal correlation"], decimals=3),
        )
        for one in found["rows"]
    ]
    header = ("slates by", "slates", "from", "NDCG", "recall@3", "personal correlation", "log loss", "more than counts")
    seeds = f"seeds {found['seed']} to {found['seed'] + found['seeds'] - 1}"
    about = f"{found['asked']:,} users in each of {found['seeds']} worlds ({seeds}) of {found['catalog']}, and"
    about += f" {found['taught']:,} others who were told; {found['level']:.0%} intervals over the worlds."
    model = found["language_model"]
    asked = f"The language model is {model['name']}." if model else "No language model was asked."
    return f"{markdown(header, rows, left=3)}\n\n{about} {asked}"
