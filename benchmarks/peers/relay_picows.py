"""A relay with `picows`: `send()` to each listener's transport, on uvloop as its authors advise."""

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

peers: set[WSTransport] = set()


class Relay(WSListener):
    def on_ws_connected(self, transport: WSTransport) -> None:
        peers.add(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.TEXT:
            text = frame.get_payload_as_bytes()
            for peer in peers:
                peer.send(WSMsgType.TEXT, text)
        elif frame.msg_type is WSMsgType.CLOSE:
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        peers.discard(transport)


async def main() -> None:
    def listener(_: WSUpgradeRequest) -> Relay:
        return Relay()

    server = await ws_create_server(listener, "127.0.0.1", 0)
    print(f"http://localhost:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
