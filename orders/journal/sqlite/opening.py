"""Opening a journal: every way in which a file can be wrong, in one sentence."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orders.errors import CannotStart, StorageFailed
from orders.files import check_file
from orders.journal.sqlite.contents import Contents
from orders.journal.sqlite.inspection import damaged
from orders.journal.sqlite.rows import MIGRATIONS, checksum

BEGINNING = b"SQLite format 3\0"  # of every file that SQLite wrote
APPLICATION_ID = 0x4F524452  # "ORDR": how a journal is told from somebody else's database
VERSION = len(MIGRATIONS)
CACHE = 8 * 1024  # KiB of pages that each connection keeps
QUICK = 64 * 1024 * 1024  # journals up to this size are checked through at start


@contextmanager
def closed_if_refused(db: sqlite3.Connection) -> Iterator[None]:
    """Close a connection if what it was made for fails."""
    try:
        yield
    except BaseException:
        db.close()
        raise


def connect(path: Path | None) -> sqlite3.Connection:
    """A connection to the journal; None is one in memory."""
    db = sqlite3.connect(
        path or ":memory:", isolation_level=None, check_same_thread=False, timeout=5
    )
    with closed_if_refused(db):
        db.execute("PRAGMA mmap_size = 0")  # of a mapped file a failed read would end the process
        db.execute(f"PRAGMA cache_size = -{CACHE}")
    return db


def lock(path: Path) -> sqlite3.Connection:
    """Held as long as the process lives: one server a journal. `OSError` where it is no file."""
    check_file(path)
    if not path.parent.is_dir():
        raise unusable(path, f"there is no folder {path.parent}")
    if path.exists() and path.stat().st_nlink > 1:
        raise CannotStart(
            "bad_journal",
            f"The journal {path} has a second name (a hard link), and SQLite would keep a log for"
            " each: copy it with cp, and choose the copy with --journal.",
        )
    beside = path.with_name(path.name + ".lock")
    check_file(beside)
    in_use = CannotStart(
        "journal_in_use",
        f"The journal {path} is in use by another Orders server: stop that one, or choose"
        " another file, such as --journal class-b.db.",
    )
    try:
        held = sqlite3.connect(beside, isolation_level=None, check_same_thread=False, timeout=0)
        with closed_if_refused(held):
            held.execute("PRAGMA journal_mode = memory")
            held.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        if "locked" in str(error):
            raise in_use from None
        raise unusable(beside, error) from None
    if not is_writable(beside):  # SQLite would open it read-only, and lock nothing
        held.close()
        raise unusable(beside, "it is readonly")
    return held


def open_journal(path: Path | None) -> sqlite3.Connection:
    """A journal of this version, ready to be written."""
    if path is not None and path.exists():
        with path.open("rb") as file:  # SQLite itself takes a file of one byte for an empty one
            if file.read(len(BEGINNING)) not in (b"", BEGINNING):
                raise CannotStart(
                    "foreign_journal",
                    f"{path} is no database, and so no journal of Orders: choose another file, such"
                    " as --journal orders.db. If it was one, restore it from a copy.",
                )
    if path is not None and (ahead := write_ahead(path)).exists():
        write_again(ahead)  # a sync may have failed before the last process ended
    db = connect(path)
    with closed_if_refused(db):
        _prepare(db, path)
    return db


def _prepare(db: sqlite3.Connection, path: Path | None) -> None:
    db.create_function("record_checksum", 9, checksum, deterministic=True)
    application = db.execute("PRAGMA application_id").fetchone()[0]
    tables = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application != APPLICATION_ID and (application or tables):
        raise CannotStart(
            "foreign_journal",
            f"{path} is somebody else's database, not a journal of Orders: choose another file,"
            " such as --journal orders.db.",
        )
    _migrate(db, path)
    db.execute("PRAGMA journal_mode = wal")
    db.execute("PRAGMA synchronous = full")
    db.execute("PRAGMA secure_delete = fast")  # see `Log.erase`
    db.execute("PRAGMA fullfsync = on")  # macOS: through the drive's cache, too
    if path is not None and path.stat().st_size < QUICK:
        problem = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise sqlite3.DatabaseError(f"it is damaged: {problem}")
        if found := next(filter(None, damaged(db)), None):
            raise sqlite3.DatabaseError(str(found))


def _migrate(db: sqlite3.Connection, path: Path | None) -> None:
    """Bring a journal to this version's schema, each step in one transaction."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise CannotStart(
            "newer_journal",
            f"{path} was written by a newer Orders (schema {version}, this one knows {VERSION}):"
            " upgrade Orders, or choose another file.",
        )
    for step in MIGRATIONS[version:]:
        db.executescript(f"BEGIN IMMEDIATE; {step}; PRAGMA application_id = {APPLICATION_ID};")
        version += 1
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("COMMIT")
    db.execute("BEGIN IMMEDIATE")  # a file that cannot be written is found out now, not later
    db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")


def is_writable(path: Path) -> bool:
    """Whether we may write to it; what nobody has the right to, the superuser leaves alone, too."""
    try:
        return os.access(path, os.W_OK) and bool(path.stat().st_mode & 0o222)
    except OSError:
        return False


def write_ahead(path: Path) -> Path:
    """The file to which SQLite writes before it writes to the journal."""
    return path.with_name(path.name + "-wal")


def write_again(path: Path) -> None:
    """Write to a file what it holds, and sync it: the system may know more of it than the disk."""
    with path.open("r+b") as file:
        while block := file.read(CACHE * 1024):
            file.seek(-len(block), os.SEEK_CUR)
            file.write(block)
            file.flush()
        os.fsync(file.fileno())


class Files:
    """The files of a journal that is open: whether what is written to them now is kept.

    To close one before SQLite does would end the locks that it has on it.
    """

    def __init__(self, path: Path) -> None:
        endings = ("", "-wal", "-shm", ".lock")
        beside = [path.with_name(path.name + ending) for ending in endings]
        self._opened = {file: file.stat().st_ino for file in beside if file.exists()}
        self._folder, self._log = path.parent, beside[1]
        self._sizes = {file: file.stat().st_size for file in self._opened}
        self._shrinking = 0  # how many of us cut them off now
        # on Windows SQLite could not remove what we have open
        self._contents = Contents(*beside[:3]) if os.name != "nt" else None

    def close(self) -> None:
        """After all connections of SQLite."""
        if self._contents:
            self._contents.close()

    def overwritten(self) -> StorageFailed | None:
        """Why nothing in the files can be relied on. For the writer's thread."""
        if self._contents is None or (file := self._contents.foreign()) is None:
            return None
        return self._spoilt(file, "was overwritten")

    def problem(self) -> StorageFailed | None:
        """Why what is written now would be lost; None while it would not."""
        for file in self._opened:
            if lost := self.lost(file):
                return lost
        for there in (*self._opened, self._folder):
            if not is_writable(there):
                return StorageFailed(
                    "storage_failed",
                    f"{there}, where the journal lies, may not be written to any more: nothing is"
                    " accepted until it may be again.",
                )
        return None

    def lost(self, file: Path | None = None) -> StorageFailed | None:
        """Why this file is not the one that we write to: the log, if none is named."""
        file = file or self._log
        try:
            seen = os.stat(file)
        except FileNotFoundError:
            return _lost(file, "was removed")
        except OSError as error:
            return StorageFailed(
                "storage_failed",
                f"The file {file} of the journal cannot be looked at ({error.strerror}): nothing is"
                " accepted until it can be again.",
            )
        if seen.st_ino != self._opened.get(file):
            return _lost(file, "was replaced")
        if seen.st_size < self._sizes.get(file, 0) and not self._shrinking:
            return self._spoilt(file, "was cut off")
        self._sizes[file] = seen.st_size
        return None

    def _spoilt(self, file: Path, what: str) -> StorageFailed:
        copy = f"Stop the server, remove {self._log}, put a copy of the journal in its place, and"
        return _lost(file, what, f"{copy} start the server again.")

    @contextmanager
    def shrinking(self) -> Iterator[None]:
        """For as long as we cut them off ourselves."""
        self._shrinking += 1
        try:
            yield
        finally:
            self._shrinking -= 1
            self._sizes.clear()

    def shrink_later(self) -> None:
        """We cut them off ourselves at a later checkpoint, nobody knows which."""
        self._shrinking += 1


def _lost(
    file: Path, what: str, then: str = "Put back what was there, or start the server again."
) -> StorageFailed:
    return StorageFailed(
        "journal_lost",
        f"The file {file} of the journal {what} while it was in use: nothing more is accepted."
        f" {then}",
    )


def unusable(path: Path, error: object) -> CannotStart:
    """Why a journal cannot be used, and what to do."""
    if isinstance(error, OSError):
        path, error = Path(error.filename or path), error.strerror
    reason = " ".join(str(error).split())
    if "unable to open" in reason or "no folder" in reason:
        hint = "the folder must exist, and you must be allowed to write in it"
    elif "readonly" in reason:
        hint = "make the file and its folder writable, or choose another with --journal"
    elif "not a database" in reason or "malformed" in reason or "damaged" in reason:
        hint = (
            "restore it from a copy, or choose another file with --journal;"
            f" `orders doctor --journal {path}` says what can be saved"
        )
    else:
        hint = "choose another file with --journal, or `--journal memory`"
    return CannotStart("bad_journal", f"The journal {path} cannot be used ({reason}): {hint}.")
