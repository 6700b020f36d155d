"""The journal on NATS JetStream, shared by as many nodes as one likes.

failures.py    what JetStream refuses, and what that is in words
connection.py  publish and hear the answer
client.py      the library's client, with a shorter way for what comes often
subjects.py    what streams, subjects and keys are called, and how a record is written
streams.py     streams on disk, and the mark of the format that they are written in
ranges.py      parts of a stream
follower.py    a stream, as it comes, without a gap
room.py        one room on this node: what it follows, and the orders that follow from that
snapshots.py   rooms with the position they stand at, so that nobody folds a whole stream
rooms.py       the rooms this node is in, and the next epoch of one
reading.py     pages of a journal, one event, what is said about it
appending.py   writing records, and what the answers mean
membership.py  names, sessions and nodes in key-value buckets; what nodes ask of one another
engine.py      the engine (see `base.Engine`) made of these

One stream a room and epoch, so that a sequence number is a position. An event's subject ends with
its id and is published on condition that nothing is there yet: so a room admits an id once,
however long ago. All records about a queued event share a subject, and each is published on
condition that the one before it is still the last: so of two nodes that claim an event one wins,
and a node that was away cannot settle what was given to another meanwhile.
"""

from orders.journal.nats.engine import NatsEngine

__all__ = ["NatsEngine"]
