"""What is named as a file, and is none: to open a pipe may take for ever."""

import errno
import stat
from pathlib import Path

_KINDS = (
    (stat.S_ISDIR, "it is a folder"),
    (stat.S_ISFIFO, "it is a pipe"),
    (stat.S_ISSOCK, "it is a socket"),
    (stat.S_ISCHR, "it is a device"),
    (stat.S_ISBLK, "it is a device"),
)


def check_file(path: Path | str) -> None:
    """`OSError` with what is there instead, such as "it is a pipe", or that nobody may look."""
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:  # the code that opens it says so, or makes it
        return
    for is_kind, what in _KINDS:
        if is_kind(mode):
            raise OSError(errno.EINVAL, what, str(path))
