"""What Orders is measured against: a relay as one writes it first, with nothing else in it.

It checks nothing, stores nothing, and awaits `send_str()` for each participant in turn.
"""

import asyncio
import socket

from aiohttp import WSMsgType, web

peers: set[web.WebSocketResponse] = set()


async def relay(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(compress=False)
    await ws.prepare(request)
    peers.add(ws)
    try:
        async for message in ws:
            if message.type is WSMsgType.TEXT:
                for peer in list(peers):
                    await peer.send_str(message.data)
    finally:
        peers.discard(ws)
    return ws


async def ready(_: web.Request) -> web.Response:
    return web.Response(text="ready")


async def main() -> None:
    app = web.Application()
    app.add_routes([web.get("/ws", relay), web.get("/readyz", ready)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    print(f"http://localhost:{listener.getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
