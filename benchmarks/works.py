"""What the report says of each work, and how it shows it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """A work's heading and method, and its figures with their names.

    `main` is the figure that is compared and drawn; the first, if it is not said.
    """

    title: str
    method: str
    figures: Mapping[str, str]
    more_is_better: bool = True
    plot: str = "bars"  # or "dots": all percentiles; or "lines": over the only case
    below: str = ""
    main: str = ""

    @property
    def compared(self) -> str:
        return self.main or next(iter(self.figures))


MILLISECONDS = {"p50_ms": "p50, ms", "p99_ms": "p99, ms", "p999_ms": "p99.9, ms"}

WORKS = {
    "fanout": Work(
        "Fan-out",
        "One publisher, 150-byte events, as fast as a window of 64 events that are not yet through"
        " allows. Through: accepted, which means checked and on disk, with Orders; echoed back with"
        " all others. A delivery is an event's bytes read by one subscriber. *Per second of its"
        " core* is what the server did with a second of processor time: others on the machine"
        " hardly change it, but waiting for the disk is forgiven.",
        {
            "deliveries_per_second": "deliveries/s",
            "deliveries_per_core_second": "per second of its core",
            "events_per_second": "events/s",
        },
        below="Deliveries a second, one core. Only Orders checks each event and has it on disk.",
    ),
    "latency": Work(
        "Latency at a fixed rate",
        "100 events a second to 500 subscribers, whatever the server does. From the moment at which"
        " an event was to be sent until a subscriber has read it: of every event at every"
        " subscriber. *Sent late* is how late the load itself was, which the others contain."
        " What had not come 5 s after the last was sent counts as 5 s.",
        {**MILLISECONDS, "late_p99_ms": "sent late, p99, ms"},
        more_is_better=False,
        plot="dots",
        main="p99_ms",
        below="Milliseconds from when it was to be sent until it is read; each step is ten times.",
    ),
    "workflow": Work(
        "The order workflow",
        "Placed, taken from a queue by a worker, its answer stored, then acknowledged, and heard by"
        " the customer: an order's time is from placing to hearing. A window of 64 or of 1 orders"
        " that are not yet answered. All clients are plain sockets in the load's process.",
        {"orders_per_second": "orders/s", **MILLISECONDS},
        below="Orders a second. Ours and those called synced have each write on disk.",
    ),
    "idle": Work(
        "Idle participants",
        "Connected, and saying nothing: what the server's resident memory grew by for each, and the"
        " time until all were connected.",
        {
            "memory_kib": "KiB each",
            "connect_seconds": "all connected, s",
            "cpu_us_per_connection": "processor each, µs",
            "server_mib": "server with all, MiB",
        },
        more_is_better=False,
        below="KiB of memory each.",
    ),
    "catchup": Work(
        "Catching up",
        "Clients that come back at once, each of which is sent the whole log.",
        {
            "events_per_second": "events/s",
            "seconds": "all caught up, s",
            "mb_per_second": "MB/s",
            "peak_mib": "server at most, MiB",
        },
        below="Events a second, to all of them together.",
    ),
}

GROWTH = {
    "deliveries_per_second": "deliveries/s",
    "cpu_us_per_append": "processor each, µs",
    "memory_mib": "memory, MiB",
}
WORKS |= {
    "growth_subscribers": Work(
        "Cost against growth: subscribers",
        "One room, one publisher, a window of 64 events.",
        GROWTH,
        plot="lines",
        below="Deliveries a second, over the number of subscribers.",
    ),
    "growth_rooms": Work(
        "Cost against growth: rooms",
        "Ever more rooms, each of 10 subscribers and a publisher with a window of 64 events.",
        GROWTH,
        plot="lines",
        below="Deliveries a second, over the number of rooms.",
    ),
    "growth_log": Work(
        "Cost against growth: the log",
        "A room whose log is so long already: how soon the server is ready, how many events a"
        " second are accepted, how soon who missed the last 1,000 has them. Memory is without what"
        " is mapped from files.",
        {
            "appends_per_second": "accepted/s",
            "slowest_second_appends": "in the slowest second",
            "start_seconds": "ready after, s",
            "resume_ms": "1,000 missed ones, ms",
            "cpu_us_per_append": "processor each, µs",
            "memory_mib": "memory, MiB",
        },
        plot="lines",
        below="Accepted events a second, over the length of the log.",
    ),
}

LABELS = {
    "per_second": "{} a second",
    "ms": "{}, ms",
    "seconds": "{}, s",
    "kib": "{}, KiB",
    "mib": "{}, MiB",
}
"""How a figure of a work that is not listed above is called, by its unit."""


def of(name: str, figures: Mapping[str, float]) -> Work:
    """A work by its name; one that is not listed has its figures' names as they are."""
    if name in WORKS:
        return WORKS[name]
    shown = {figure: label(figure) for figure in figures if figure != "others"}
    growth = name.startswith("growth_")
    what = name.removeprefix("growth_").replace("_", " ")
    title = f"Cost against growth: {what}" if growth else what.capitalize()
    return Work(
        title, "", shown, plot="lines" if growth else "bars", below=next(iter(shown.values()), "")
    )


def label(figure: str) -> str:
    """A figure's name in words: `append_events_per_second` is "append events a second"."""
    for unit, words in LABELS.items():
        if figure.endswith(f"_{unit}"):
            return words.format(figure.removesuffix(f"_{unit}").replace("_", " "))
    return figure.replace("_", " ")
