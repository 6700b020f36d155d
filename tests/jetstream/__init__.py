"""A NATS server in memory, as far as the journal uses one, for the simulation.

It speaks NATS's own protocol, so the client, and all of `orders/journal/nats`, is the real one.
`contract/test_engines.py` asks of both servers the same.

streams.py  streams: what is stored in them, on what condition, and what is given out
api.py      what is asked of JetStream, and consumers
server.py   connections: who publishes, who subscribes, and who hears what

Left out: clusters, accounts, memory and other limits, acks of consumers, flow control; and a disk
that loses something: what was accepted is there after the server ended.
"""
