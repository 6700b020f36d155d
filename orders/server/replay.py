"""What somebody missed, in order, then live, without a gap or a repeat.

A participant that comes back with `after`, and one whose output grew too long, read on from the
journal in pages. Near its end what comes live is held back while the last page is read; so the
two meet at one position, however fast events flow.
"""

import asyncio
from typing import TYPE_CHECKING

from orders.broker.room import Participant
from orders.clock import now_ms
from orders.errors import StorageFailed
from orders.server.replay_cache import ReplayCache

if TYPE_CHECKING:
    from orders.server.node import Node

PAGE = 500
POLL = 0.02
AWAY = 0.3
MOST_LOOKS = 5000  # a second: a crowd looks less often, each of it, whether its output was read


async def replay(node: "Node", participant: Participant, caught_up: bool) -> None:
    """Write what lies after its `written` to a participant, until it is live.

    `caught_up`: it came back and hears how many events that were; else it was only slow.
    """
    with node.passages.reader():
        await _replay(node, node.passages, participant, caught_up)


async def _replay(
    node: "Node", passages: ReplayCache, participant: Participant, caught_up: bool
) -> None:
    room, events = participant.room, 0
    while not participant.gone:
        await until_read(node, passages, participant)
        if participant.gone:
            return  # it left while we waited: it must not listen again
        upto, epoch = room.cursor, room.epoch
        is_near = upto - participant.written < PAGE
        if is_near:
            participant.held = []
            participant.since = max(upto, participant.written)
            room.listen(participant)
        while participant.written < upto and not participant.gone:
            wishes = _wishes(participant)
            try:
                passage = await passages.read(room, participant.written, upto, PAGE, *wishes)
            except StorageFailed:  # the journal is away, and comes back
                await asyncio.sleep(AWAY)
                continue
            if room.epoch != epoch or passage.last == participant.written:
                break  # the room began anew, and so does this
            if wishes != _wishes(participant):
                continue  # it changed its mind while this was read
            events += passage.events
            participant.delivered += passage.events
            node.stats.delivered += passage.events
            if passage.events:
                participant.transport.write(passage.text)
            participant.written = passage.last
            await until_read(node, passages, participant)
        if not is_near:
            continue
        held, participant.held = participant.held or [], None
        if participant.live:
            if caught_up:
                participant.transport.write(node.frame(node.broker.caught_up(events, now_ms())))
            participant.transport.write(b"".join(held))
            node.queues.touch(room)
            return


def _wishes(participant: Participant) -> tuple[frozenset[str], str | None]:
    """The types it wants, and whose events it does not."""
    return participant.types, None if participant.echo else participant.name


async def until_read(node: "Node", passages: ReplayCache, participant: Participant) -> None:
    """Wait until what was written before has been read, so that memory stays bounded.

    One that reads as fast as we write lets others have their turn, too.
    """
    await asyncio.sleep(0)
    while not participant.gone and participant.transport.unread() > node.options.max_unread // 2:
        await asyncio.sleep(max(POLL, passages.readers / MOST_LOOKS))
