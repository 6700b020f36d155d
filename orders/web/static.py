"""What the pages load: small files, each compressed once and named by what is in it.

A class opens the same page within the same minute, through one access point. So a file travels
compressed, a browser that has it already hears so (HTTP 304) instead of being sent it again, and
the sheets that every page has are one.
"""

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

from aiohttp import web

#: What a browser insists on, whatever this machine believes of a file's ending.
_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_COMPRESSED = {".woff2"}  # as it is
#: What every page has to wear, in one: on a bad network each request costs more than its bytes.
SHEET = "ui.css"
#: A static import; what is imported on demand stays with those who want it.
_IMPORT = re.compile(r"""(?:^|;)\s*(?:im|ex)port\b[^;"'(=]*["']([./][^"']+\.js)["']""", re.M)


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it is sent; `changed` is that of each file it was read from, in nanoseconds."""

    body: bytes
    gzipped: bytes | None
    type: str
    etag: str
    changed: tuple[int, ...]
    imports: tuple[str, ...]


class Files:
    """The files of a folder: those that were there at the start, each as it is now."""

    def __init__(self, folder: Path) -> None:
        # A table of names: nothing else can be asked for, however a path is spelled.
        self._paths = {
            path.relative_to(folder).as_posix(): [path]
            for path in folder.rglob("*")
            if path.is_file()
        }
        self._paths[SHEET] = sorted(folder.glob("ui/*.css"))
        self._read: dict[str, _File] = {}
        self._prefix = ""

    def route(self, prefix: str) -> web.RouteDef:
        """`GET /static/ui/base.css`, for the prefix `/static`."""
        self._prefix = prefix
        return web.get(f"{prefix}/{{name:.+}}", self.send)

    def modules(self, name: str, *others: str) -> list[str]:
        """The addresses of all that a module imports, itself or by what it imports; and of others.

        A page that names them lets the browser fetch them at once, not one level after another.
        """
        found = [f"{self._prefix}/{one}" for one in (name, *others)]
        for one in found:
            imports = self._file(one.removeprefix(f"{self._prefix}/")).imports
            found += sorted({urljoin(one, to) for to in imports} - set(found))
        return found[1:]

    def body(self, name: str) -> bytes:
        """What is in a file, such as `ui/base.css`; `HTTPNotFound` if there is none."""
        return self._file(name).body

    async def send(self, request: web.Request) -> web.Response:
        """The file, compressed for those who take that; HTTP 404 if there is none, 304 if known."""
        file = self._file(request.match_info["name"])
        headers = {"ETag": f'"{file.etag}"', "Cache-Control": "no-cache"}
        if file.gzipped is not None:
            headers["Vary"] = "Accept-Encoding"
        if any(tag.value in (file.etag, "*") for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        body = file.body
        if file.gzipped is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
            body = file.gzipped
            headers["Content-Encoding"] = "gzip"
        charset = "utf-8" if file.gzipped is not None else None
        return web.Response(body=body, headers=headers, content_type=file.type, charset=charset)

    def _file(self, name: str) -> _File:
        paths = self._paths.get(name, [])
        try:
            changed = tuple(path.stat().st_mtime_ns for path in paths)
            known = self._read.get(name)
            if paths and (known is None or known.changed != changed):
                known = self._read[name] = _read(paths, changed)
        except FileNotFoundError:
            known = None
        if known is None:
            raise web.HTTPNotFound
        return known


def _read(paths: list[Path], changed: tuple[int, ...]) -> _File:
    path, body = paths[0], b"\n".join(path.read_bytes() for path in paths)
    etag = hashlib.sha256(body).hexdigest()[:16]
    gzipped = None if path.suffix in _COMPRESSED else gzip.compress(body, mtime=0)
    type = _TYPES.get(path.suffix, "text/plain")
    imports = tuple(_IMPORT.findall(body.decode())) if path.suffix == ".js" else ()
    return _File(body, gzipped, type, etag, changed, imports)


FILES = web.AppKey("files", Files)
