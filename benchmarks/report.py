"""The table in markdown: medians of the rounds, and medians of the ratios within each round."""

from statistics import median, quantiles

from contenders import OTHERS, OURS
from measure import Turn

__all__ = ["table"]

Rounds = list[dict[str, Turn]]


def table(broker: str, rounds: Rounds) -> str:
    """Ratios compare contenders of the same round: the machine's own speed cancels out."""
    names = list(rounds[0])
    lines = [
        f"### {broker}",
        "",
        "| contender | jobs/s, enqueue to finish | enqueue alone /s | drain /s | idle latency, median | p95 |",
        "|---|---|---|---|---|---|",
        *(_row(name, [turns[name] for turns in rounds]) for name in names),
        "",
        "| ratio within a round | enqueue to finish | enqueue alone | drain |",
        "|---|---|---|---|",
        *(_ratios(one.name, other.name, rounds) for one in OURS for other in OTHERS),
    ]
    return "\n".join(lines)


def _row(name: str, turns: list[Turn]) -> str:
    rates = [median(getattr(turn, what) for turn in turns) for what in ("through", "enqueued", "drained")]
    milliseconds = [1000 * latency for turn in turns for latency in turn.latencies]
    latency = f"{median(milliseconds):.1f} ms | {quantiles(milliseconds, n=20)[-1]:.1f} ms"
    return f"| {name} | " + " | ".join(f"{rate:.0f}" for rate in rates) + f" | {latency} |"


def _ratios(one: str, other: str, rounds: Rounds) -> str:
    cells = []
    for what in ("through", "enqueued", "drained"):
        ratios = [getattr(turns[one], what) / getattr(turns[other], what) for turns in rounds]
        cells.append(f"{median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})")
    return f"| {one} / {other} | " + " | ".join(cells) + " |"
