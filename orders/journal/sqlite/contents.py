"""Whether the files of an open journal hold what SQLite wrote to them, and nobody else."""

import os
import struct
import zlib
from io import FileIO
from pathlib import Path

from orders.clock import monotonic

LOOK = 1.0  # seconds between two looks
#: How many seconds a finding must last: another process, such as a tool that copies the journal
#: all the time, may be in the middle of a checkpoint, and wait for its disk.
STANDS = 3.0
SAMPLE = 32  # pages of the journal that are compared, at most; of a smaller one, each
PAGE = 4096
# https://sqlite.org/walformat.html: the head of the index stands there twice, then how many pages
# of the log are in the journal; of the head, the size of a page, the number of pages in the log,
# the sum over them, and the salt of this round. The last two end each page in the log, too.
_HEAD, _HEADS_AND_COPIED = 48, 100
_SIZE, _PAGES, _SUM, _SALT = slice(14, 16), slice(16, 20), slice(24, 32), slice(32, 40)
_LOG_HEAD, _PAGE_HEAD = 32, 24


class Contents:
    """A sample of the journal, which only a checkpoint may change, and the log's last page.

    Nothing may close these files before SQLite does: that would end the locks that it has on them.
    """

    def __init__(self, journal: Path, ahead: Path, index: Path) -> None:
        self._journal, self._ahead = journal, ahead
        self._file, self._index = FileIO(journal), FileIO(index)
        self._checkpoint, self._sample = b"", 0
        self._suspect: tuple[Path, int] | None = None
        self._looked = self._since = 0.0

    def close(self) -> None:
        """After all connections of SQLite."""
        self._file.close()
        self._index.close()

    def foreign(self) -> Path | None:
        """The file that somebody else wrote to. For the writer's thread."""
        now = monotonic()
        if now < self._looked + LOOK:
            return None
        self._looked = now
        try:
            suspect = self._look()
        except OSError:  # SQLite says so, or `Files.lost`
            return None
        if suspect != self._suspect:
            self._suspect, self._since = suspect, now
        return suspect[0] if suspect and now >= self._since + STANDS else None

    def _look(self) -> tuple[Path, int] | None:
        index = _read(self._index, 0, _HEADS_AND_COPIED)
        head = index[:_HEAD]
        if len(index) < _HEADS_AND_COPIED or head != index[_HEAD : 2 * _HEAD]:
            return None  # it is being written
        if not self._ends_as(head):
            return self._ahead, 0
        sample, checkpoint = self._sampled(), head[_SALT] + index[2 * _HEAD :]
        if checkpoint != self._checkpoint:
            self._checkpoint, self._sample = checkpoint, sample
        return None if sample == self._sample else (self._journal, sample)

    def _sampled(self) -> int:
        pages = os.fstat(self._file.fileno()).st_size // PAGE
        step = 1 << max(0, pages.bit_length() - SAMPLE.bit_length() + 1)  # the same as it grows
        found = 0
        for page in range(0, pages, step):
            found = zlib.crc32(_read(self._file, page * PAGE, PAGE), found)
        return found

    def _ends_as(self, head: bytes) -> bool:
        """Whether the log ends with the page that this head of the index names."""
        (pages,), (size,) = struct.unpack("=I", head[_PAGES]), struct.unpack("=H", head[_SIZE])
        size = 65_536 if size == 1 else size
        if not pages:
            return True
        with self._ahead.open("rb", buffering=0) as log:
            last = _read(log, _LOG_HEAD + (pages - 1) * (_PAGE_HEAD + size), _PAGE_HEAD)
        sums = struct.pack(">2I", *struct.unpack("=2I", head[_SUM]))
        return last[8:] == head[_SALT] + sums


def _read(file: FileIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)
