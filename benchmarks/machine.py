"""What a figure was measured on: without it, none means anything."""

import os
import platform
import sqlite3
import statistics
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.results import Result


def describe(directory: str | None) -> Result:
    """The machine, as a line of the results: its words as `note`."""
    try:
        loop = f"uvloop {version('uvloop')}"
    except PackageNotFoundError:
        loop = "asyncio's own loop"
    words = (
        f"{platform.node()}: {os.cpu_count()} cores of {_cpu()}; {_system()}, Linux"
        f" {platform.release()}; Python {platform.python_version()}, {loop}, SQLite"
        f" {sqlite3.sqlite_version}; journals on {_file_system(directory)}"
    )
    figures = {"sync_ms": sync_time(directory) * 1e3}
    return Result("machine", "", figures=figures, note=words)


def sync_time(directory: str | None) -> float:
    """The median seconds of writing 4 KiB and waiting for the disk, where the journal will be."""
    times = []
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        for _ in range(50):
            start = time.perf_counter()
            os.pwrite(file.fileno(), b"x" * 4096, 0)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _file_system(directory: str | None) -> str:
    """The kind of file system that a journal is on: the mount with the longest matching path."""
    place = Path(directory or tempfile.gettempdir()).resolve()
    found = ("", "an unknown file system")
    for line in Path("/proc/mounts").read_text().splitlines():
        mount, kind = line.split()[1:3]
        if place.is_relative_to(mount) and len(mount) >= len(found[0]):
            found = (mount, kind)
    return found[1]
