"""What checking a user model or a policy found: one `Check` a rule."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Outcome = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True)
class Check:
    """One rule and how the model or the policy stands to it.

    Attributes:
        rule: its name.
        outcome: "passed", "failed" or "skipped".
        detail: where it fails (array, row, step, value), or why it was skipped; empty where it passed.
        cause: the likely cause of a failure, and its remedy.
    """

    rule: str
    outcome: Outcome
    detail: str = ""
    cause: str = ""


@dataclass(frozen=True)
class Report:
    """All rules for one user model or policy.

    Attributes:
        model: what it is called.
        checks: one a rule, in the order in which they were tried.
    """

    model: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether no rule failed."""
        return not self.failures

    @property
    def failures(self) -> list[Check]:
        """The rules that failed."""
        return [check for check in self.checks if check.outcome == "failed"]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"model": self.model, "ok": self.ok, "checks": [asdict(check) for check in self.checks]}

    def __str__(self) -> str:
        """The failures, a line each."""
        passed = sum(check.outcome == "passed" for check in self.checks)
        lines = [f"{self.model}: {len(self.failures)} rules failed, {passed} passed."]
        return "\n".join([*lines, *(f"- {check.rule}: {check.detail}. {check.cause}." for check in self.failures)])


class BrokenRules(AssertionError):
    """A user model or a policy breaks rules.

    Attributes:
        report: on all rules.
    """

    def __init__(self, report: Report) -> None:
        """The report's failures as a message."""
        super().__init__(str(report))
        self.report = report


@dataclass(frozen=True)
class Broken:
    """A rule that does not hold; the fields are those of `Check`."""

    detail: str
    cause: str


@dataclass(frozen=True)
class Untested:
    """A rule that has nothing to be tested on."""

    reason: str
