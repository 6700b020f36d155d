"""A WebSocket that comes back by itself, as each close code asks."""

import logging
from collections.abc import Awaitable, Callable

import aiohttp
from yarl import URL

from orders.clients.address import pause_before
from orders.errors import FINAL_CLOSES, CannotStart, Close, Refused, WrongParameter

log = logging.getLogger("orders.client")

HEARTBEAT = 20.0  # seconds between our pings
CLOSE_GRACE = 1.0  # seconds in which the server may answer our goodbye

_LAST_WORDS = {
    Close.TAKEN_OVER: Refused("taken_over", "Another connection took over this session."),
    Close.REMOVED: Refused("removed", "The host removed you from the room."),
    Close.WRONG_PARAMETER: WrongParameter("wrong_parameter", "A parameter of the URL is wrong."),
}


class Connection:
    """Keeps one WebSocket open.

    `address` gives the URL for each attempt, `hear` takes each text and is waited for before the
    next one is read, `sleep` waits between attempts. Code that hears the welcome says so by
    setting `is_welcome`: it is cleared when the connection is lost.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        address: Callable[[], URL],
        hear: Callable[[str], Awaitable[None]],
        sleep: Callable[[float], Awaitable[None]],
        *,
        patient: bool,
    ) -> None:
        self.is_welcome = False
        self.close_code: int | None = None  # of the connection before, where the server gave one
        self._http, self._address, self._hear, self._sleep = http, address, hear, sleep
        self._patient = patient
        self._ws: aiohttp.ClientWebSocketResponse | None = None

    async def stay(self) -> None:
        """Be connected, again and again, until the server is done with us (close code 1000).

        Raises `Refused` when we must not come back, and `CannotStart` when nobody answered the
        first time and we are not patient.
        """
        attempt = 0
        while True:
            was_welcome = await self._connect()
            if self.close_code in FINAL_CLOSES:
                last_words = _LAST_WORDS.get(Close(self.close_code))
                if last_words is None:
                    return
                raise last_words
            attempt = 1 if was_welcome else attempt + 1
            pause = pause_before(attempt, self.close_code)
            if attempt == 2:  # the first was a server that was there again at once
                log.info("Not connected to %s: trying again.", self._server)
            log.debug("attempt %d, after close code %s, in %.1f s", attempt, self.close_code, pause)
            await self._sleep(pause)

    async def send(self, text: str) -> None:
        """Send, if there is someone to send to."""
        if self._ws is not None and self.is_welcome:
            try:
                await self._ws.send_str(text)
            except (ConnectionError, aiohttp.ClientError) as error:
                log.debug("not sent: %s", error)

    async def close(self) -> None:
        """Say goodbye (close code 1000)."""
        if self._ws is not None:
            await self._ws.close()

    @property
    def _server(self) -> URL:
        """What people call the server."""
        url = self._address().origin()
        return url.with_scheme("https" if url.scheme == "wss" else "http")

    async def _connect(self) -> bool:
        """One connection, from beginning to end: whether it was welcome."""
        close_code = None
        try:
            async with self._http.ws_connect(
                self._address(),
                heartbeat=HEARTBEAT,
                max_msg_size=0,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_GRACE),
            ) as self._ws:
                async for message in self._ws:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        await self._hear(message.data)
                close_code = self._ws.close_code
        except aiohttp.WSServerHandshakeError as error:
            self._explain_handshake(error)
        # aiohttp asserts that the connection outlived the answer to its handshake
        except (aiohttp.ClientError, OSError, AssertionError) as error:
            self._explain_silence(error)
        finally:
            was_welcome, self.is_welcome = self.is_welcome, False
            self.close_code = close_code
        self._patient = self._patient or was_welcome
        return was_welcome

    def _explain_handshake(self, error: aiohttp.WSServerHandshakeError) -> None:
        if error.status >= 500:  # a proxy whose server is away
            return
        raise Refused(
            "not_admitted",
            f"{self._server} does not let us in (HTTP {error.status}):"
            " is it an Orders server, and called by a name it knows?",
        )

    def _explain_silence(self, error: Exception) -> None:
        log.debug("connection failed: %s", error)
        if self._patient or self.is_welcome:
            return
        raise CannotStart(
            "no_server",
            f"No server answers at {self._server}: start one with `orders serve`,"
            " or give its address.",
        )
