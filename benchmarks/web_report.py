"""The tables of the benchmark of requests, in markdown: the best and the median of the rounds, and ratios to bare."""

from collections.abc import Callable
from statistics import median

from applications import BARE
from turns import KINDS, Turn

__all__ = ["requests_table", "resident_table", "starts_table"]

Rounds = list[dict[str, Turn]]
Figure = Callable[[Turn], float]


def requests_table(colour: str, rounds: Rounds) -> str:
    lines = [
        f"### {colour}",
        "",
        "| request | application | CPU µs, best / median | ÷ bare: best, median (least–most) "
        "| requests/s, best / median | ÷ bare: best, median (least–most) |",
        "|---|---|---|---|---|---|",
    ]
    for kind in KINDS:

        def microseconds(turn: Turn, kind: str = kind) -> float:
            return turn.microseconds[kind]

        def rate(turn: Turn, kind: str = kind) -> float:
            return turn.rates[kind]

        for name in _names(rounds):
            cells = [kind, name, *_two(rounds, name, microseconds, min), *_two(rounds, name, rate, max)]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def starts_table(rounds: Rounds) -> str:
    lines = [
        "| application | ms to the first 200, best / median | ÷ bare: best, median (least–most) "
        "| CPU ms, best / median | ÷ bare: best, median (least–most) | MiB at rest | MiB after the load |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in _names(rounds):
        cells = [
            name,
            *_two(rounds, name, lambda turn: turn.first_milliseconds, min),
            *_two(rounds, name, lambda turn: turn.first_cpu_milliseconds, min),
            f"{median(turns[name].rested for turns in rounds):.0f}",
            f"{median(turns[name].loaded for turns in rounds):.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def resident_table(resident: dict[str, dict[str, float]]) -> str:
    """Of the processes of each service, by its name."""
    names = list(next(iter(resident.values())))
    lines = [
        f"| MiB at rest | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
        *(f"| {name} | {' | '.join(f'{each[what]:.0f}' for what in names)} |" for name, each in resident.items()),
    ]
    return "\n".join(lines)


def _names(rounds: Rounds) -> list[str]:
    """In the order of the first round, which is the same whatever the turn."""
    return list(rounds[0])


def _two(rounds: Rounds, name: str, figure: Figure, best: Callable[[list[float]], float]) -> list[str]:
    """Two cells: the figure, and its ratio to that of the bare application."""
    these = [figure(turns[name]) for turns in rounds]
    told = f"{best(these):.0f} / {median(these):.0f}"
    if name == BARE:
        return [told, ""]
    those = [figure(turns[BARE]) for turns in rounds]
    # Within a round: the machine's own speed cancels out.
    ratios = [one / other for one, other in zip(these, those, strict=True)]
    return [told, f"{best(these) / best(those):.2f}, {median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"]
