"""The stage under load: frame times and the longest task in Chromium, beside an empty page's.

python -m benchmarks.stage --participants 40 --rate 15
python -m benchmarks.stage --participants 300 --rate 200

A server, a load process, and a browser with two windows: an empty page and the stage, measured
one after the other in the same run and under the same load. The room's latency (from sending an
event to receiving it) is measured with and without the stage watching. At the end: the memory
that the stage holds and how many nodes it has, of which `--seconds 60 --rate 1000` makes 60,000
events.
"""

import argparse
import asyncio
import multiprocessing
import os
import platform
import re
import shutil
import statistics
import time
from multiprocessing.connection import Connection

from playwright.async_api import CDPSession, Page, async_playwright

from benchmarks import servers, wire

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
SETTLE = 3.0  # seconds before anything is measured
TYPES = ["order_confirmed,order_rejected", "order_confirmed", "order_placed", "*"]

#: Frame times over a while, in milliseconds, and every task of 50 ms or more.
MEASURE = """async (seconds) => {
  const frames = [], tasks = [];
  const observer = new PerformanceObserver((list) => tasks.push(...list.getEntries()));
  observer.observe({ type: 'longtask' });
  const end = performance.now() + 1000 * seconds;
  await new Promise((resolve) => {
    let before = performance.now();
    requestAnimationFrame(function frame(now) {
      frames.push(now - before);
      before = now;
      if (now < end) requestAnimationFrame(frame); else resolve();
    });
  });
  observer.disconnect();
  return { frames: frames.slice(1), tasks: tasks.map((task) => task.duration) };
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--participants", type=int, default=40, help="(40)")
    parser.add_argument("--rate", type=float, default=15, help="events a second (15)")
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement (10)")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="(the one in PATH)")
    parser.add_argument("--screenshot", help="a file for a picture of the stage under this load")
    options = parser.parse_args()
    if not options.chromium:
        raise SystemExit("There is no chromium in PATH: say --chromium where it is.")
    core = min(os.sched_getaffinity(0))
    with servers.orders(core, rate=0) as server:
        here, there = multiprocessing.Pipe()
        load = multiprocessing.Process(
            target=_load, args=(server.port, options.participants, options.rate, there), daemon=True
        )
        load.start()
        try:
            asyncio.run(_measure(server.port, options, here))
        finally:
            load.kill()


async def _measure(port: int, options: argparse.Namespace, load: Connection) -> None:
    print(
        f"{options.participants} participants, {options.rate:g} events a second to all of them;"
        f" {platform.machine()}, {os.cpu_count()} cores for server, load and browser together"
    )
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        load.recv()  # everyone is there
        for name, path in (("an empty page", "/healthz"), ("the stage", "/stage")):
            page = await browser.new_page(viewport={"width": 1920, "height": 1080})
            await page.goto(f"http://localhost:{port}{path}")
            await asyncio.sleep(SETTLE)
            load.send("forget")
            devtools = await page.context.new_cdp_session(page)
            await devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
            before = await _metrics(devtools)
            print(f"{name}: {_told(await page.evaluate(MEASURE, options.seconds))}")
            print(f"  {_worked(before, await _metrics(devtools), options.seconds)}")
            load.send("tell")
            while not load.poll():
                await asyncio.sleep(0.05)
            print(f"  latency in the room meanwhile: {load.recv()}")
            if path == "/stage":
                await _check(page, devtools, options)
            await page.close()
        await browser.close()


async def _check(page: Page, devtools: CDPSession, options: argparse.Namespace) -> None:
    """That it was the stage under load which was measured."""
    drawn = await page.locator("#stage-flights").get_attribute("data-drawn")
    flown = await page.locator("#stage-flights").get_attribute("data-flown")
    print(f"  drawn as {drawn}; {flown or 0} ways drawn")
    await devtools.send("HeapProfiler.collectGarbage")
    held = await _metrics(devtools)
    print(f"  {held['JSHeapUsedSize'] / 2**20:.1f} MiB of memory, {held['Nodes']:.0f} nodes")
    if options.screenshot:
        await page.screenshot(path=options.screenshot)


async def _metrics(devtools: CDPSession) -> dict[str, float]:
    """What Chromium counts of the page: seconds of its main thread, bytes of memory, nodes."""
    told = (await devtools.send("Performance.getMetrics"))["metrics"]
    return {one["name"]: one["value"] for one in told}


def _worked(before: dict[str, float], after: dict[str, float], seconds: float) -> str:
    """Processor time of the page's main thread: on a busy machine this tells more than frames."""
    names = {"all": "Task", "script": "Script", "style": "RecalcStyle", "layout": "Layout"}
    spent = {
        words: 1000 * (after[f"{name}Duration"] - before[f"{name}Duration"]) / seconds
        for words, name in names.items()
    }
    return "main thread, ms of the processor a second: " + ", ".join(
        f"{w} {ms:.0f}" for w, ms in spent.items()
    )


def _told(seen: dict[str, list[float]]) -> str:
    frames = sorted(seen["frames"])
    p95 = frames[int(len(frames) * 0.95)]
    longest = f"{max(seen['tasks']):.0f} ms" if seen["tasks"] else "below 50 ms"
    return (
        f"{1000 / statistics.mean(frames):.1f} frames a second,"
        f" frame p50 {frames[len(frames) // 2]:.1f} ms, p95 {p95:.1f} ms,"
        f" longest {frames[-1]:.0f} ms; longest task {longest}"
        f" ({len(seen['tasks'])} of 50 ms or more)"
    )


# ── the load: a process of its own ──────────────────────────────────────────────────────────────


class Timed:
    """Hears what comes to one participant, and how long each event took to come."""

    ID = re.compile(rb'"id":"([0-9a-f-]{36})"')

    def __init__(self) -> None:
        self.sent: dict[bytes, float] = {}
        self.seconds: list[float] = []
        self._tail = b""

    def __call__(self, piece: memoryview) -> None:
        text = self._tail + bytes(piece)
        end = 0
        for found in self.ID.finditer(text):
            began, end = self.sent.pop(found[1], None), found.end()
            if began is not None:
                self.seconds.append(time.perf_counter() - began)
        self._tail = text[end:][-50:]

    def told(self) -> str:
        found = sorted(self.seconds)
        if not found:
            return "nothing came"
        p50, p99 = found[len(found) // 2], found[int(len(found) * 0.99)]
        return f"p50 {1000 * p50:.1f} ms, p99 {1000 * p99:.1f} ms, of {len(found)} events"


def _load(port: int, participants: int, rate: float, pipe: Connection) -> None:
    """Customers, confirmers and a few others, each of whom sends in turn, and hears everything."""
    load, timed, ids = wire.Load(), Timed(), wire.random_ids()
    sockets = []
    for number in range(participants):
        path = f"/ws?name=p-{number}&types={TYPES[number % len(TYPES)]}&quiet=true"
        sock, _ = wire.connect(port, path)
        load.add(sock, wire.staying(sock, timed) if number == 0 else wire.staying(sock))
        sockets.append(sock)
    pipe.send("ready")
    due, number = time.perf_counter(), 0
    while True:
        wait = due - time.perf_counter()
        if wait > 0:
            load.turn(wait)
            continue
        number, due, id = number + 1, due + 1 / rate, next(ids)
        timed.sent[id] = time.perf_counter()
        data = b'{"id":"%s","type":"order_placed","data":{"id":%d}}' % (id, number % 100 + 1)
        sockets[number % participants].sendall(wire.frame(data))
        while pipe.poll():
            if pipe.recv() == "forget":
                timed.seconds.clear()
            else:
                pipe.send(timed.told())


if __name__ == "__main__":
    main()
