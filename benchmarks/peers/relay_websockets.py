"""A relay with `websockets`, in its own idiom: `broadcast()` to all connections; on uvloop."""

import asyncio

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

peers: set[ServerConnection] = set()


async def relay(peer: ServerConnection) -> None:
    peers.add(peer)
    try:
        async for message in peer:
            broadcast(peers, message)
    finally:
        peers.discard(peer)


async def main() -> None:
    async with serve(relay, "127.0.0.1", 0, compression=None) as server:
        print(f"http://localhost:{server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
