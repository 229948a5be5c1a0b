"""One line for each combination as it ends, and at the end what one costs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from combinations import Answers

COLOURS = {"passed": "green", "failed": "red", "skipped": "yellow"}


@dataclass
class Combination:
    ring: str
    answers: Answers
    outcome: str
    seconds: float
    cpu_seconds: float


@dataclass
class Progress:
    """A plugin of the process that reports."""

    terminal: pytest.TerminalReporter
    total: int = 0
    started: float = field(default_factory=monotonic)
    ended: list[Combination] = field(default_factory=list)
    # Other tests, whose dots share the screen with our lines, and the machine with the combinations.
    others: int = 0
    within_a_line: bool = False

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._count([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:
        self._count(ids)
        self.started = monotonic()

    def _count(self, ids: Sequence[str]) -> None:
        self.total = sum("_suite_passes[" in name for name in ids)

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        if report.when == "call" and _measured(report):
            # Its line says more than a dot.
            return report.outcome, "", report.outcome.upper()
        return None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        what = _measured(report)
        if what is None:
            if report.when == "call" or not report.passed:
                self.others += 1
                self.within_a_line = True
        elif report.when == "call":
            one = Combination(what["ring"], what["answers"], report.outcome, report.duration, what["cpu_seconds"])
            self.ended.append(one)
            text = f"[{len(self.ended):>3}/{self.total}] {one.ring:<10} {_text(one.answers):<42}"
            self.terminal.write(("\n" if self.within_a_line else "") + text)
            self.within_a_line = False
            self.terminal.write(f"{one.outcome:<7}", **{COLOURS[one.outcome]: True})
            self.terminal.write(f"  {one.seconds:5.1f} s  {one.cpu_seconds:5.1f} CPU-s\n")

    def pytest_terminal_summary(self) -> None:
        tried = [one for one in self.ended if one.outcome != "skipped"]
        if not tried:
            return
        seconds = monotonic() - self.started
        self.terminal.section("Suites")
        for ring in dict.fromkeys(one.ring for one in tried):
            costs = [one.cpu_seconds for one in tried if one.ring == ring]
            plural = "s" * (len(costs) > 1)
            line = f"{ring}: {len(costs)} combination{plural}, {sum(costs) / len(costs):.1f} CPU-seconds each"
            self.terminal.write_line(
                line + (f"; {60 * len(costs) / seconds:.1f} per minute" if not self.others else "")
            )
        if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
            with Path(summary).open("a") as file:
                file.write(self._table())

    def _table(self) -> str:
        """In Markdown, for the page that GitHub shows of a run."""
        rows = ["| suite | combination | result | seconds | CPU-seconds |", "|---|---|---|---|---|"]
        for one in sorted(self.ended, key=lambda one: (one.ring, _text(one.answers))):
            rows.append(
                f"| {one.ring} | {_text(one.answers)} | {one.outcome} | {one.seconds:.1f} | {one.cpu_seconds:.1f} |"
            )
        return "\n".join(rows) + "\n\n"


def _text(answers: Answers) -> str:
    return " · ".join(answers.values())


def _measured(report: pytest.TestReport) -> dict[str, Any] | None:
    properties: dict[str, Any] = dict(report.user_properties)
    return properties.get("proof")
