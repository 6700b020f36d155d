"""Orders: event-driven architecture, made visible.

Read it from the inside out; every layer imports only what stands above it in this list.

    errors.py, settings.py   what may be refused, and what may be set
    domain/                  an event's envelope; orders and where each stands; Bob's rules
    broker/                  who receives what: pure, no clock, no sockets
    journal/                 where the journal lies: SQLite (a file, or memory), or NATS JetStream
    server/                  take all that waits, one append, dispatch, write
    web/                     sockets, HTTP API, pages, the observers' feed
    clients/                 a client any program may use; the bot that plays Bob
    classroom/               the lesson, questions, faults, exercises, the wire, taking it home
    logs.py, app.py, cli/    put together, and started
"""

__version__ = "0.7.1"
