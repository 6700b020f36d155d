"""`orders serve`: the server, what it prints, and what is started with it."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from orders.cli.output import can_show, is_coloured, note, paint, say
from orders.settings import DEFAULT_PORT, Settings

if TYPE_CHECKING:
    from orders.web.keys import Server

SOURCES = Path(__file__).parents[1]


def serve_until_stopped(settings: Settings, *, open_browser: bool, with_bot: bool) -> None:
    """Serve until told to stop."""
    from orders.app import run

    bots: list[subprocess.Popen[bytes]] = []

    def on_ready(server: "Server") -> None:
        announce(server, settings)
        if with_bot:
            bots.append(start_bot(server.url))
        if open_browser:
            # Finding a browser can take its time, and ending must not wait for it.
            # Before a class it is the host's own: his URL leads to the stage.
            url = server.host_url if settings.lan else server.url
            threading.Thread(target=webbrowser.open, args=[url], daemon=True).start()

    try:
        run(settings, on_ready=on_ready)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # the loop's own is gone with it
        for bot in bots:
            end_bot(bot)


def announce(server: "Server", settings: Settings) -> None:
    """Say what to open, what a class opens, and how to end it."""
    if settings.lan:
        host = paint(server.host_url, "confirmed")
        say(f"Open {host} - this makes you the host, so keep it to yourself.")
        others = [url for url in server.urls if url != server.url]
        for url in others:
            say(f"  for the class: {paint(url, 'confirmed')}")
        if others:
            code = qr_code(others[0])
            if can_show(code):
                say(code)
            say(f"The way in, large, for the projector: {others[0]}/join")
    else:
        say(f"Open {paint(server.url, 'confirmed')}")
        say("  for a class: end this, and start it with --lan")
    note("Ctrl-C ends it.")
    if settings.port is None and server.port != DEFAULT_PORT:
        note(f"Port {DEFAULT_PORT} is taken, so this is port {server.port}.")


def qr_code(url: str) -> str:
    """The address as a QR code made of block characters."""
    import segno

    drawn = io.StringIO()
    segno.make(url, error="m", micro=False).terminal(out=drawn, border=2, compact=True)
    lines = drawn.getvalue().splitlines()
    if is_coloured(sys.stdout):  # light on dark, whatever the colours of this terminal
        lines = [f"\x1b[97;40m{line}\x1b[0m" for line in lines]
    return "\n".join(lines)


def start_bot(url: str, *options: str) -> subprocess.Popen[bytes]:
    """A real `orders bot` process that ends when we do, however we do: we hold its stdin open."""
    command = [sys.executable, "-m", "orders", "bot", url, "--until-stdin-closes", *options]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603


def end_bot(bot: subprocess.Popen[bytes]) -> None:
    """Let it say goodbye; do not wait for long, nor any longer at another Ctrl-C."""
    if bot.stdin:
        bot.stdin.close()
    try:
        bot.wait(1)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        bot.kill()
        bot.wait()


def serve_again_on_change(arguments: list[str]) -> int:
    """For developing: a server process that is started again whenever its source changes."""
    command = [sys.executable, "-m", "orders", "serve", *arguments]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    while True:
        server = subprocess.Popen(command)  # noqa: S603
        seen = changed_at()
        try:
            while changed_at() == seen:
                if server.poll() == 0:
                    return 0
                time.sleep(0.3)
            note("Something changed: starting again.")
            server.terminate()
            server.wait()
        except KeyboardInterrupt:
            server.terminate()
            server.wait()
            return 0


def changed_at() -> float:
    """When a file of our own was changed last."""
    folders = [SOURCES, SOURCES.parent / "templates", SOURCES.parent / "static"]
    files = (
        Path(folder, name)
        for top in folders
        for folder, _, names in os.walk(top)
        for name in names
        if name.endswith((".py", ".sql", ".html", ".css", ".js"))
    )
    return max(file.stat().st_mtime for file in files)
