"""The imperative shell: clock, ids and the one loop, around the pure broker and an engine.

Each knows only those before it:

context.py       what all parts share: journal, rooms, options
inbox.py         what waits for the next append, and the one way to wait for it
queues.py        hand queued events to those whose turn it is; leases, acks, dead letters
once.py          what many ask for at the same time, worked out once
replay.py        what somebody missed, in order, then live (replay_cache.py: read once for many)
delivery.py      make records true, and write them to those who hear them
presence.py      who comes and goes: rooms, names, sessions
host.py          modes, pause, step, resume, reset, kick, mute
pump.py          take all that waits → one append → answers → delivery
node.py          a node: all of them together, and what participants ask of it
"""

from orders.server.context import Options
from orders.server.node import Node

__all__ = ["Node", "Options"]
