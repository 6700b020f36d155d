"""What somebody missed, in order, then live, without a gap or a repeat.

A participant that comes back with `after`, and one whose output grew too long, read on from the
journal in pages. Near its end what comes live is held back while the last page is read; so the
two meet at one position, however fast events flow.
"""

import asyncio
from typing import TYPE_CHECKING

from orders.broker.modes import Mode, matches
from orders.broker.records import Kind, Record
from orders.broker.room import Participant
from orders.node.clock import now_ms

if TYPE_CHECKING:
    from orders.node.node import Node

PAGE = 500
POLL = 0.02


async def replay(node: "Node", participant: Participant, caught_up: bool) -> None:
    """Write what lies after its `written` to a participant, until it is live.

    `caught_up`: it came back and hears how many events that were; else it was only slow.
    """
    room, events = participant.room, 0
    while not participant.gone:
        await until_read(node, participant)
        if participant.gone:
            return  # it left while we waited: it must not listen again
        upto, epoch = room.cursor, room.epoch
        is_near = upto - participant.written < PAGE
        if is_near:
            participant.held = []
            participant.since = max(upto, participant.written)
            room.listen(participant)
        while participant.written < upto and not participant.gone:
            page = await node.engine.read(room.name, participant.written, PAGE)
            if room.epoch != epoch:  # the room began anew, and so does this
                break
            page = [record for record in page if record.position <= upto]
            if not page:
                break
            events += _write(node, participant, page)
            participant.written = page[-1].position
            await until_read(node, participant)
        if not is_near:
            continue
        held, participant.held = participant.held or [], None
        if participant.live:
            if caught_up:
                participant.outlet.write(node.frame(node.broker.caught_up(events, now_ms())))
            participant.outlet.write(b"".join(held))
            node.queues.touch(room)
            return


def _write(node: "Node", participant: Participant, page: list[Record]) -> int:
    """Write the events of a page that are for this participant; returns how many."""
    wanted = [record for record in page if _is_for(participant, record)]
    if wanted:
        participant.delivered += len(wanted)
        node.stats.delivered += len(wanted)
        participant.outlet.write(b"".join([node.frame(record.body) for record in wanted]))
    return len(wanted)


def _is_for(participant: Participant, record: Record) -> bool:
    """Relay and pubsub events only: what waits in a queue is taken, not replayed."""
    if record.kind is not Kind.EVENT or record.mode == Mode.QUEUE:
        return False
    if not participant.echo and record.source == participant.name:
        return False
    return record.mode == Mode.RELAY or matches(participant.types, record.type)


async def until_read(node: "Node", participant: Participant) -> None:
    """Wait until what was written before has been read, so that memory stays bounded."""
    while not participant.gone and participant.outlet.unread() > node.options.max_unread // 2:
        await asyncio.sleep(POLL)
