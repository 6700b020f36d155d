"""What a seed makes of a class: who takes part, what the host does, what goes wrong, and when.

A plan is a list of acts with numbers. What one act does is left to a chance of its own, so others
can be left out and it does the same: that is how a failing plan is shrunk.
"""

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

#: An act without its number.
Drawn = tuple[float, str, str, dict[str, Any]]
LASTS = 16.0  # seconds in which things happen


@dataclass(frozen=True)
class Act:
    """`what` happens to, or is done by, `name` at a time in seconds."""

    number: int
    at: float
    what: str
    name: str
    options: dict[str, Any]

    @property
    def kind(self) -> str:
        """What it is counted as: `cut`, or with what it does to whom it may be, `disk full`."""
        more = self.options.get("trouble") or self.options.get("fault")
        return f"{self.what} {more}" if more else self.what

    def __str__(self) -> str:
        options = ", ".join(f"{key} {value}" for key, value in self.options.items())
        return f"{self.at:5.1f} s  {self.what} {self.name}{f' ({options})' if options else ''}"


#: What the host may do, and how likely it is.
HOST = {"pause": 4, "modes": 6, "step": 1, "mute": 2, "kick": 1, "fault": 4, "lock": 1}
#: What may go wrong, and how likely it is.
TROUBLES = {"cut": 4, "reset": 3, "forget": 2, "slow": 2, "kill": 2, "power": 3, "at sync": 4}
TROUBLES |= {"disk": 4, "jump": 2, "stop": 1, "bob dies": 2, "slow disk": 1}
#: The same for two nodes with their journal on NATS.
TROUBLES_OF_NODES = {"cut": 3, "reset": 2, "forget": 2, "slow": 1, "jump": 1, "bob dies": 2}
TROUBLES_OF_NODES |= {"node dies": 5, "nats dies": 3, "cut off": 6, "forgotten": 3, "slow nats": 1}
NODES = ("node1", "node2")
#: What may be wrong with the disk; what stands there twice is as much likelier.
DISK = ("full", "unwritable", "unsynced", "unsynced", "unreadable")
FAULTS = {
    "bob": ("lose_ack", "deliver_twice", "hold_in", "hold_out", "end_lease", "cut", "stall"),
    "worker": ("lose_ack", "deliver_twice", "hold_in", "hold_out", "end_lease", "cut", "stall"),
    "console": ("hold_in", "hold_out", "cut", "stall"),
}


def kinds(nodes: int) -> list[str]:
    """All that may happen to a class beside those who come, as `Act.kind` says it."""
    troubles = TROUBLES if nodes == 1 else TROUBLES_OF_NODES
    plain = [what for what in (*HOST, *troubles, "reset room") if what not in ("fault", "disk")]
    faults = sorted({f"fault {fault}" for some in FAULTS.values() for fault in some})
    return [*plain, *faults, *(f"disk {one}" for one in dict.fromkeys(DISK) if "disk" in troubles)]


def plan(seed: int, only: Collection[int] | None = None, *, nodes: int = 1) -> list[Act]:
    """The acts of a seed in the order of their times; `only` those with these numbers."""
    chance = random.Random(f"{seed}:plan")
    found: list[Drawn] = [*_people(chance)]
    names = [name for _, _, name, _ in found]
    has_resets = chance.random() < 0.25
    found += [_of_host(chance, names) for _ in range(chance.choice((0, 2, 4, 8)))]
    for _ in range(chance.choice((1, 2)) if has_resets else 0):
        found += [(chance.uniform(1, LASTS), "reset room", "host", {})]
    found += [_trouble(chance, names, nodes) for _ in range(chance.choice((0, 1, 2, 3, 5)))]
    acts = [Act(number, *act) for number, act in enumerate(found)]
    acts.sort(key=lambda act: (act.at, act.number))
    return [act for act in acts if only is None or act.number in only]


def _people(chance: random.Random) -> list[Drawn]:
    people: list[tuple[str, str, dict[str, Any]]] = [
        ("modes", "host", {"modes": {"task": "queue", "order_placed": chance.choice(MODES)}})
    ]

    def some(most: int, what: str, least: int = 0) -> list[str]:
        return [f"{what}{number}" for number in range(1, chance.randint(least, most) + 1)]

    def library() -> str:
        return chance.choice(("aiohttp", "websockets"))

    people += [
        ("customer", name, {"orders": chance.choice((1, 4, 8)), "tasks": chance.choice((0, 5))})
        for name in some(3, "alice", 1)
    ]
    people += [("bob", n, {"delay": chance.choice((0, 0.2, 1.0))}) for n in some(2, "bob", 1)]
    if chance.random() < 0.3:
        people.append(("bob", "naive", {"delay": 0.1, "naive": True}))
    for name in some(3, "console", 1):
        types, restless = chance.choice(("*", "order_*", "t*")), chance.choice((0, 0.03, 0.3))
        people.append(
            ("console", name, {"library": library(), "types": types, "restless": restless})
        )
    for name in some(3, "worker"):
        prefetch, care = chance.choice((1, 1, 3)), chance.choice((0.3, 0.8, 1.0))
        people.append(("worker", name, {"library": library(), "prefetch": prefetch, "care": care}))
    for name in some(2, "pusher"):
        events, rate = chance.choice((10, 60)), chance.choice((4, 30))
        people.append(("pusher", name, {"library": library(), "events": events, "rate": rate}))
    people += [("poster", name, {"events": 4}) for name in some(1, "poster")]
    people += [("observer", name, {"library": library()}) for name in some(1, "observer")]
    people += [("beacon", "beacon", {"room": "quiet"})] if chance.random() < 0.5 else []
    return [(round(chance.uniform(0, 2), 2), *one) for one in people]


MODES = ("queue", "queue", "relay", "pubsub")


def _one(chance: random.Random, weights: dict[str, int]) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]


def _of_host(chance: random.Random, names: list[str]) -> tuple[float, str, str, dict[str, Any]]:
    what, at = _one(chance, HOST), round(chance.uniform(1, LASTS), 2)
    options: dict[str, Any] = {}
    if what == "pause":
        options = {"seconds": round(chance.uniform(0, 4), 1), "steps": chance.choice((0, 0, 2))}
    elif what == "modes":
        type = chance.choice(("order_placed", "order_placed", "tick", "order_confirmed", "*"))
        modes = MODES if type == "order_placed" else ("relay", "pubsub")
        options = {"modes": {type: chance.choice(modes)}}
    elif what in ("mute", "kick"):
        chosen = [name for name in names if name.startswith(("alice", "pusher"))]
        options = {"name": chance.choice(chosen), "seconds": round(chance.uniform(0, 3), 1)}
    elif what == "lock":
        options = {"seconds": round(chance.uniform(0, 3), 1)}
    elif what == "fault":
        chosen = [name for name in names if name.rstrip("123") in FAULTS]
        name = chance.choice(chosen)
        fault = chance.choice(FAULTS[name.rstrip("123")])
        options = {"name": name, "fault": fault, "seconds": round(chance.uniform(0.5, 7), 1)}
    return at, what, "host", options


def _trouble(chance: random.Random, names: list[str], nodes: int) -> Drawn:
    troubles, servers = (TROUBLES, ("server",)) if nodes == 1 else (TROUBLES_OF_NODES, NODES)
    what, at = _one(chance, troubles), round(chance.uniform(0.5, LASTS), 2)
    options: dict[str, Any] = {}
    people = [name for name in names if name not in ("host", "beacon")]
    some = sorted(set(chance.sample(people, chance.randint(1, len(people)))))
    if what in ("cut", "slow"):
        options = {"who": some, "seconds": chance.choice((0.2, 1, 4, 9))}
    elif what in ("reset", "forget"):
        # by whom it is forgotten: by those, or by the server
        options = {"who": some if chance.random() < 0.7 else list(servers)}
    elif what in ("kill", "power", "at sync", "stop"):
        options = {"seconds": round(chance.uniform(0.1, 5), 1)}
        if what == "at sync":
            options |= {"has_power": chance.random() < 0.5, "syncs": chance.choice((1, 2, 5))}
    elif what == "disk":
        trouble = chance.choice(DISK)
        options = {"trouble": trouble, "seconds": chance.choice((0.01, 0.3, 3))}
    elif what == "slow disk":
        options = {"seconds": 3.0, "slowness": chance.choice((10, 60))}
    elif what == "jump":
        options = {"seconds": chance.choice((-3600.0, -5.0, -0.5, 0.5, 5.0, 86400.0))}
    elif what == "bob dies":
        options = {"name": "bob1", "has_power": chance.random() < 0.5}
    else:
        options = _of_nodes(chance, what)
    return at, what, "disk" if "disk" in what or "sync" in what else "world", options


def _of_nodes(chance: random.Random, what: str) -> dict[str, Any]:
    """The options of what may go wrong with nodes and NATS."""
    if what == "node dies":
        options = {"node": chance.choice(NODES), "has_power": chance.random() < 0.5}
        return options | {"seconds": round(chance.uniform(0.1, 9), 1)}
    if what == "nats dies":
        return {"seconds": round(chance.uniform(0.1, 6), 1)}
    if what == "cut off":
        some = chance.choice((["node1"], ["node2"], ["node1", "node2"]))
        return {"nodes": some, "seconds": chance.choice((0.3, 2, 5, 11))}
    if what == "forgotten":
        return {"by": chance.choice((*NODES, "nats"))}
    return {"nodes": [chance.choice(NODES)], "seconds": 4.0} if what == "slow nats" else {}
