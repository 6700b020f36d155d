"""How the stage looks: screenshots of rooms of every size, in each mode, at each pace.

python -m benchmarks.looks --out /tmp/looks
python -m benchmarks.looks --out /tmp/looks --people 60 --rates 20 --screens 1024x768 844x390

Measures nothing. Real servers, real participants, a real Chromium: one PNG for each, and for each
number of people a sheet with all of them. Light; with `--themes light dark forced` also the others.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import socket
import time
import urllib.request
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from benchmarks import servers, wire
from benchmarks.stage import FLAGS

MODES = {
    "relay": {"*": "relay"},
    "pubsub": {"*": "pubsub"},
    "queue": {"*": "pubsub", "order_placed": "queue"},
}
NAMES = ["alice", "ben", "carol", "dora", "erik", "fatima", "greta", "hannes", "ines", "jonas"]
NAMES += ["katharina-s", "leo", "mia", "noor"]
SEEN = 5.0  # seconds of one pace before the picture is taken
ITEMS = [b"espresso", b"tea", b"lungo"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the folder for the pictures")
    parser.add_argument("--people", type=int, nargs="+", default=[3, 12, 60, 300])
    parser.add_argument("--rates", type=float, nargs="+", default=[1, 20, 100], help="events/s")
    parser.add_argument("--modes", nargs="+", default=list(MODES), choices=MODES)
    parser.add_argument("--screens", nargs="+", default=["1920x1080"])
    parser.add_argument("--themes", nargs="+", default=["light"])
    parser.add_argument("--band", default="", help="tools, diagram or table, below the picture")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="(the one in PATH)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for people in options.people:
        with servers.orders(None, rate=0) as server:
            here, there = multiprocessing.Pipe()
            load = multiprocessing.Process(
                target=_crowd, args=(server.port, people, there), daemon=True
            )
            load.start()
            here.recv()  # everyone is there
            try:
                asyncio.run(_look(server.port, people, options, here))
            finally:
                load.kill()


async def _look(port: int, people: int, options: argparse.Namespace, load: Connection) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        page = await browser.new_page()
        await page.goto(f"http://localhost:{port}/stage?band={options.band}")
        await page.wait_for_selector('body[data-connection="open"]')
        taken = []
        for mode in options.modes:
            await asyncio.to_thread(_set, port, MODES[mode])
            for rate in options.rates:
                load.send(rate)
                await asyncio.sleep(SEEN)
                for screen in options.screens:
                    taken += await _shots(page, options, screen, f"{people}-{mode}-{rate:g}")
        await _sheet(browser, options.out / f"sheet-{people}.png", taken)
        await browser.close()


async def _shots(page: Page, options: argparse.Namespace, screen: str, name: str) -> list[Path]:
    width, height = (int(side) for side in screen.split("x"))
    await page.set_viewport_size({"width": width, "height": height})
    await asyncio.sleep(0.5)
    taken = []
    for theme in options.themes:
        await page.evaluate(
            "theme => { document.documentElement.dataset.theme = theme }",
            "dark" if theme == "dark" else "light",
        )
        await page.emulate_media(forced_colors="active" if theme == "forced" else "none")
        await asyncio.sleep(0.3)
        path = options.out / f"{name}-{screen}-{theme}.png"
        await page.screenshot(path=path)
        taken.append(path)
    return taken


async def _sheet(browser: Browser, path: Path, taken: list[Path]) -> None:
    """All of them in one picture, three in a row."""
    figures = "".join(
        f'<figure><img src="{one.name}"><figcaption>{one.stem}</figcaption></figure>'
        for one in taken
    )
    style = "body{display:grid;grid-template-columns:repeat(3,1fr);gap:8px;margin:8px}"
    style += "figure{margin:0}img{width:100%}figcaption{font:14px sans-serif}"
    source = path.with_suffix(".html")
    source.write_text(f"<!doctype html><meta charset=utf-8><style>{style}</style>{figures}")
    page = await browser.new_page(viewport={"width": 2400, "height": 1350})
    await page.goto(source.resolve().as_uri())
    await page.screenshot(path=path, full_page=True)
    await page.close()
    print(path)


def _set(port: int, modes: dict[str, str]) -> None:
    _ask(port, "GET", "/api/rooms/main")
    new = {**dict.fromkeys(_ask(port, "GET", "/api/rooms/main")["modes"]), **modes}
    _ask(port, "PUT", "/api/rooms/main/modes", new)


def _ask(port: int, method: str, path: str, body: object = None) -> dict[str, dict[str, str]]:
    data = None if body is None else json.dumps(body).encode()
    url, headers = f"http://127.0.0.1:{port}{path}", {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return dict(json.load(answer))


# ── the crowd: a process of its own ─────────────────────────────────────────────────────────────


def _crowd(port: int, people: int, pipe: Connection) -> None:
    """Customers who order, confirmers who answer, a few others: the pace is what the pipe says.

    One confirmer (in a larger room two) is a bot of the host, who takes two seconds for each.
    """
    for _ in range(1 if people < 10 else 2):
        _ask(port, "POST", "/api/rooms/main/bots", {"delay": 2})
    load, ids, pace = wire.Load(), wire.random_ids(), 0.0
    parts: dict[str, list[socket.socket]] = {"customers": [], "confirmers": []}
    for number in range(people):
        part, types = _part(number)
        name = NAMES[number % len(NAMES)] + (f"-{number // len(NAMES) + 1}" if number > 13 else "")
        sock, _ = wire.connect(port, f"/ws?name={name}&types={types}&quiet=true")
        load.add(sock, wire.staying(sock))
        parts.setdefault(part, []).append(sock)
    pipe.send("ready")
    events, due = _events(ids, parts), time.perf_counter()
    while True:
        if pipe.poll():
            pace, due = pipe.recv(), time.perf_counter()
        if not pace:
            load.turn(0.1)
            continue
        wait = due - time.perf_counter()
        if wait > 0:
            load.turn(wait)
            continue
        due += 1 / pace
        sock, text = next(events)
        sock.sendall(wire.frame(text))


def _part(number: int) -> tuple[str, str]:
    if number % 10 == 9:
        return "others", "*"
    if number % 3 == 1:
        return "confirmers", "order_placed"
    return "customers", "order_confirmed,order_rejected"


def _events(
    ids: Iterator[bytes], parts: dict[str, list[socket.socket]]
) -> Iterator[tuple[socket.socket, bytes]]:
    number = 0
    while True:
        number, id = number + 1, next(ids)
        customers, confirmers = parts["customers"], parts["confirmers"]
        item = ITEMS[number % 3]
        order = b'{"id":"%s","type":"order_placed","data":{"id":%d,"item":"%s"}}'
        yield customers[number % len(customers)], order % (id, number, item)
        if confirmers:
            kind = b"rejected" if number % 5 == 4 else b"confirmed"
            answer = b'{"type":"order_%s","data":{"id":%d,"event":"%s"}}' % (kind, number, id)
            yield confirmers[number % len(confirmers)], answer


if __name__ == "__main__":
    os.nice(5)
    main()
