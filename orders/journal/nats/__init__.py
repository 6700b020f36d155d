"""The journal on NATS JetStream, shared by as many nodes as one likes.

link.py       the connection: publish and hear the answer, read a range, fetch from a queue
subjects.py   what streams, subjects and keys are called, and how a record is written
room.py       one room on this node: what it has followed, and the projections of that
follower.py   a stream, as it comes, without a gap
work.py       queue mode: a work-queue stream, its consumers, what this node fetched from them
people.py     names, sessions and nodes in key-value buckets; what nodes ask of one another
snapshots.py  projections with the position they stand for, so that nobody folds a whole stream
failures.py   what JetStream refuses, and what that is in words
reading.py    pages of a journal, one event, what is told of it
rooms.py      the rooms this node is in; where one begins anew
engine.py     the engine (see `base.Engine`) made of these

One stream a room and epoch, so that a sequence number is a position. An event's subject ends with
its id and is published on condition that nothing is there yet: so a room admits an id once,
however long ago. A queued event is journaled first and then put into the work queue; what becomes
of it is told by control records, and the work queue is acked when those are stored. So the journal
tells every node how things stand, and the work queue decides who may claim what.
"""

from orders.journal.nats.engine import NatsEngine

__all__ = ["NatsEngine"]
