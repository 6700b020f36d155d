"""The disk under a real SQLite: what was synced outlives a power cut, what was written may not.

SQLite reaches files through a table of functions, its VFS. Some of these are replaced here, so
that every write, sync and read of a journal passes by: it can fail, or find the disk full, and
chance decides what a power cut leaves of unsynced writes. SQLite itself is the real one.
"""

import _sqlite3
import ctypes
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from errno import EIO
from pathlib import Path

OK, FULL, READ, WRITE, FSYNC, TRUNCATE = 0, 13, 266, 778, 1034, 1546
SECTOR = 512
#: What may be wrong with the disk: the call that fails, and how.
TROUBLES = {"full": ("write", FULL), "unwritable": ("write", WRITE)}
TROUBLES |= {"unsynced": ("sync", FSYNC), "unreadable": ("read", READ)}

_POINTER, _INT, _LONG = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
_Open = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _POINTER, _INT, _POINTER)
_Close = ctypes.CFUNCTYPE(_INT, _POINTER)
_Move = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _INT, _LONG)  # read, write
_Truncate = ctypes.CFUNCTYPE(_INT, _POINTER, _LONG)
_Sync = ctypes.CFUNCTYPE(_INT, _POINTER, _INT)
_Delete = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _INT)
_Sleep = ctypes.CFUNCTYPE(_INT, _POINTER, _INT)
_Randomness = ctypes.CFUNCTYPE(_INT, _POINTER, _INT, _POINTER)


class _Vfs(ctypes.Structure):
    _fields_ = (
        *((name, _INT) for name in ("version", "file_size", "longest_path")),
        *((name, _POINTER) for name in ("next", "name", "data", "open", "delete", "access")),
        *((name, _POINTER) for name in ("path", "dl1", "dl2", "dl3", "dl4")),
        *((name, _POINTER) for name in ("randomness", "sleep")),
    )


class _Methods(ctypes.Structure):
    _fields_ = (
        ("version", _INT),
        *((name, _POINTER) for name in ("close", "read", "write", "truncate", "sync")),
        *((f"other{number}", _POINTER) for number in range(13)),
    )


class _File(ctypes.Structure):
    _fields_ = (("methods", ctypes.POINTER(_Methods)),)


#: A write: where, and what. A negative offset: the file is cut off to that size (-1: to 0).
Write = tuple[int, bytes]


@dataclass
class Stored:
    """What lies on the disk of one file, and what was written since it was synced."""

    synced: bytearray
    waiting: list[Write] = field(default_factory=list)

    def after_power_cut(self, chance: random.Random) -> bytes:
        """Each unsynced write got there whole, in part, or not at all, in any order."""
        kept: list[Write] = []
        for offset, data in self.waiting:
            how = chance.choice(("whole", "torn", "dropped"))
            if how == "torn" and offset >= 0:
                kept.append((offset, data[: chance.randrange(len(data) + 1) // SECTOR * SECTOR]))
            elif how == "whole":
                kept.append((offset, data))
        return bytes(_apply(bytearray(self.synced), kept))

    def sync(self) -> None:
        _apply(self.synced, self.waiting)
        self.waiting.clear()


def _apply(content: bytearray, writes: list[Write]) -> bytearray:
    for offset, data in writes:
        if offset < 0:
            del content[-offset - 1 :]
            continue
        content.extend(b"\0" * (offset - len(content)))
        content[offset : offset + len(data)] = data
    return content


class Disk:
    """All files that SQLite has open below `folder`. `chance` decides what is left to it.

    A folder in `dead` belongs to a process that ended: nothing is read or written there any more.
    `on_sync` is told of each sync before it happens, so that the power can be cut right there.
    """

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder, self.chance = folder, chance
        self.files: dict[Path, Stored] = {}
        self.dead: set[Path] = set()
        self.trouble: str | None = None
        self.on_sync: Callable[[], None] = lambda: None
        self.counts = {"read": 0, "write": 0, "sync": 0}
        self._open: dict[int, tuple[Path, Path]] = {}  # each with its folder
        _vfs.install(self)

    def opened(self, file: int, path: Path) -> None:
        self._open[file] = path, path.parent
        if path not in self.files:
            self.files[path] = Stored(bytearray(path.read_bytes() if path.exists() else b""))

    def closed(self, file: int) -> None:
        self._open.pop(file, None)

    def deleted(self, path: Path) -> None:
        self.files.pop(path, None)

    def fails(self, file: int, call: str) -> int:
        """The error with which a call on a file fails now, 0 if it does not."""
        if file not in self._open:
            return OK
        path, folder = self._open[file]
        self.counts[call] += 1
        if call == "sync":
            self.on_sync()
        if folder in self.dead:
            return {"read": READ, "write": WRITE, "sync": FSYNC}[call]
        failing, error = TROUBLES.get(self.trouble or "", ("", OK))
        if failing != call:
            return OK
        if call == "sync":  # what is not synced then may be dropped without a further word
            stored = self.files[path]
            stored.waiting = [one for one in stored.waiting if self.chance.random() < 0.5]
        return error

    def write_again(self, path: Path) -> None:
        """What Orders does itself after a sync that failed."""
        if self.trouble or path.parent in self.dead:
            raise OSError(EIO, "disk I/O error")
        self.files[path] = Stored(bytearray(path.read_bytes()))

    def written(self, file: int, offset: int, data: bytes) -> None:
        if file in self._open:
            self.files[self._open[file][0]].waiting.append((offset, data))

    def synced(self, file: int) -> None:
        if file in self._open:
            self.files[self._open[file][0]].sync()


class _Interposed:
    """The functions that stand before SQLite's own; they do nothing for files of no `Disk`."""

    def __init__(self) -> None:
        self.disk: Disk | None = None
        library = ctypes.CDLL(_sqlite3.__file__)
        try:
            find = library.sqlite3_vfs_find
        except AttributeError:
            raise SystemExit(
                "The simulation watches SQLite at work, and this Python has SQLite built in:"
                " use one that loads it as a library, such as that of Debian or pyenv."
            ) from None
        find.restype = ctypes.POINTER(_Vfs)
        self._vfs = find(None).contents
        self._open_file, self._delete_file = _Open(self._vfs.open), _Delete(self._vfs.delete)
        self._methods: dict[int, _Methods] = {}
        self._kept: list[object] = []  # whatever SQLite points to must stay

    def install(self, disk: Disk) -> None:
        self.disk = disk
        if self._kept:
            return
        for name, function in (
            ("open", _Open(self._open)),
            ("delete", _Delete(self._delete)),
            ("sleep", _Sleep(lambda vfs, microseconds: microseconds)),
            ("randomness", _Randomness(self._randomness)),
        ):
            self._kept.append(function)
            setattr(self._vfs, name, ctypes.cast(function, _POINTER))

    def _randomness(self, vfs: int, size: int, to: int) -> int:
        assert self.disk is not None
        ctypes.memmove(to, self.disk.chance.randbytes(size), size)
        return size

    def _delete(self, vfs: int, name: int, sync: int) -> int:
        if self.disk is not None:
            self.disk.deleted(Path(ctypes.string_at(name).decode()))
        return int(self._delete_file(vfs, name, sync))

    def _open(self, vfs: int, name: int | None, file: int, flags: int, out: int | None) -> int:
        result: int = self._open_file(vfs, name, file, flags, out)
        path = Path(ctypes.string_at(name).decode()) if name else Path()
        if result == OK and self.disk is not None and self.disk.folder in path.parents:
            self.disk.opened(file, path)
            opened = ctypes.cast(file, ctypes.POINTER(_File)).contents
            address = ctypes.addressof(opened.methods.contents)
            if address not in self._methods:
                self._methods[address] = self._replaced(opened.methods.contents)
            opened.methods = ctypes.pointer(self._methods[address])
        return result

    def _replaced(self, real: _Methods) -> _Methods:
        close, read, write = _Close(real.close), _Move(real.read), _Move(real.write)
        truncate, sync = _Truncate(real.truncate), _Sync(real.sync)

        def disk() -> Disk:
            assert self.disk is not None
            return self.disk

        def on_close(file: int) -> int:
            disk().closed(file)
            return int(close(file))

        def on_read(file: int, to: int, size: int, offset: int) -> int:
            return disk().fails(file, "read") or int(read(file, to, size, offset))

        def on_write(file: int, data: int, size: int, offset: int) -> int:
            error = disk().fails(file, "write") or int(write(file, data, size, offset))
            if not error:
                disk().written(file, offset, ctypes.string_at(data, size))
            return error

        def on_truncate(file: int, size: int) -> int:
            error = disk().fails(file, "write") or int(truncate(file, size))
            if not error:
                disk().written(file, -1 - size, b"")
            return error

        def on_sync(file: int, flags: int) -> int:
            error = disk().fails(file, "sync")
            if not error:
                disk().synced(file)
            return error

        replaced = _Methods.from_buffer_copy(real)
        for name, function in (
            ("close", _Close(on_close)),
            ("read", _Move(on_read)),
            ("write", _Move(on_write)),
            ("truncate", _Truncate(on_truncate)),
            ("sync", _Sync(on_sync)),
        ):
            self._kept.append(function)
            setattr(replaced, name, ctypes.cast(function, _POINTER))
        self._kept += [close, read, write, truncate, sync]
        return replaced


_vfs = _Interposed()
