"""The imperative shell: clock, ids and the one loop, around the pure broker and an engine.

node.py       rooms and participants, and what they ask
pump.py       take all that waits → one append → dispatch → write
queues.py     hand queued events to whoever's turn it is; leases, acks, dead letters
replay.py     what somebody missed, in order, then live without a gap or a repeat
replay_cache.py  read once what many catch up with
host.py       pause, step, resume, reset, kick, mute
"""

from orders.server.node import Node, Options

__all__ = ["Node", "Options"]
