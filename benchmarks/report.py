"""The tables in markdown: medians of the rounds, and medians of the ratios within each round."""

from statistics import median, quantiles

from contenders import OURS
from entrants import Entrant
from measure import PACE, Turn

__all__ = ["table"]

Rounds = list[dict[str, Turn]]


def table(title: str, entrants: list[Entrant], rounds: Rounds) -> str:
    """Ratios compare contenders of the same round: the machine's own speed cancels out."""
    pace = f"{PACE} jobs/s"
    pairs = [
        (one.name, other.name)
        for one in entrants
        for other in entrants
        # Of another version of the template the same contender.
        if one.ours and not other.ours and (other.contender not in OURS or other.contender is one.contender)
    ]
    lines = [
        f"### {title}",
        "",
        "| contender | jobs/s, enqueue to finish | enqueue alone /s | drain /s "
        f"| ms to the start, idle | ms to the start, {pace} | ms to the finish, {pace} |",
        "|---|---|---|---|---|---|---|",
        *(_row(entrant.name, [turns[entrant.name] for turns in rounds]) for entrant in entrants),
        "",
        "Milliseconds: median / p95.",
        "",
        "| ratio within a round | enqueue to finish | enqueue alone | drain |",
        "|---|---|---|---|",
        *(_ratios(one, other, rounds) for one, other in pairs),
    ]
    return "\n".join(lines)


def _row(name: str, turns: list[Turn]) -> str:
    rates = [f"{median(getattr(turn, what) for turn in turns):.0f}" for what in ("through", "enqueued", "drained")]
    latencies = [
        _latency([second for turn in turns for second in getattr(turn, what)])
        for what in ("idle_starts", "paced_starts", "paced_finishes")
    ]
    return f"| {' | '.join([name, *rates, *latencies])} |"


def _latency(seconds: list[float]) -> str:
    return f"{1000 * median(seconds):.1f} / {1000 * quantiles(seconds, n=20)[-1]:.1f}"


def _ratios(one: str, other: str, rounds: Rounds) -> str:
    cells = []
    for what in ("through", "enqueued", "drained"):
        ratios = [getattr(turns[one], what) / getattr(turns[other], what) for turns in rounds]
        cells.append(f"{median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})")
    return f"| {one} / {other} | " + " | ".join(cells) + " |"
