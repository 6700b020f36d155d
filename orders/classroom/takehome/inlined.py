"""A page and all that it loads as one text, which opens from a disk, without a network.

The files are those that the other pages load. A module becomes a function that returns what it
exports; all stand in one script, each after those that it imports. The page's policy names that
script and the style sheets by their hashes, and lets the page load nothing.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable
from urllib.parse import urljoin

Read = Callable[[str], bytes]  # what is in a file, by its path below ROOT
ROOT = "/static/"

_COMMENT = re.compile(r"^[ \t]*(?:/\*\*.*?\*/|//[^\n]*)[ \t]*\n?", re.M | re.S)
_IMPORT = re.compile(
    r"""(?:^|(?<=;))import\b\s*([^"'();]*?)\s*(?:from\s*)?["']([^"']+)["'];?""", re.M
)
_ON_DEMAND = re.compile(r"""\bimport\(\s*["']([^"']+)["']\s*\)""")
_EXPORTED = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const) (\w+))", re.M)
_EXPORTS = re.compile(r"\bexport\s*\{([^}]*)\};?")
_CSS_COMMENT = re.compile(r"/\*.*?\*/\s*", re.S)
_URL = re.compile(r'url\("/static/([^"]+)"\)')
_STYLE = re.compile(r'<link rel="stylesheet" href="/static/([^"]+)">')
_SCRIPT = re.compile(r'<script type="module" src="/static/([^"]+)"></script>')
_ICON = re.compile(r'(<link rel="icon" href=")/static/([^"]+)"')
_HEAD = '<meta charset="utf-8">'


def inlined(page: str, read: Read) -> str:
    """The page with its style sheets, fonts, icon and script in it, and its policy."""
    styles: list[str] = []
    scripts: list[str] = []

    def style(found: re.Match[str]) -> str:
        styles.append(_sheet(found[1], read))
        return f'<style data-sheet="{ROOT}{found[1]}">{styles[-1]}</style>'

    def script(found: re.Match[str]) -> str:
        scripts.append(bundle(found[1], read))
        return f'<script type="module">{scripts[-1]}</script>'

    page = _ICON.sub(lambda found: f'{found[1]}{_data("image/svg+xml", read(found[2]))}"', page)
    page = _SCRIPT.sub(script, _STYLE.sub(style, page))
    policy = (
        f"default-src 'none'; script-src {_hashes(scripts)}; style-src {_hashes(styles)};"
        " font-src data:; img-src data:; base-uri 'none'; form-action 'none'"
    )
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    return page.replace(_HEAD, f"{_HEAD}\n  {meta}", 1)


def bundle(path: str, read: Read) -> str:
    """A module and all that it imports, itself or on demand, as one script."""
    order: dict[str, str] = {}  # path → code, those first that others import
    _add(path, read, order, ())
    script = "\n".join(order.values())
    if "</script" in script or "<!--" in script:
        raise ValueError(f"a module of {path} would end the script that it is put in")
    return script


def _add(path: str, read: Read, order: dict[str, str], within: tuple[str, ...]) -> str:
    """Put a module in its place, and return what it is called there."""
    if path in within:
        raise ValueError(f"{path} imports itself by way of {', '.join(within)}")
    names = list(order)
    if path in names:
        return f"m{names.index(path)}"

    def module(to: str) -> str:
        return _add(urljoin(ROOT + path, to).removeprefix(ROOT), read, order, (*within, path))

    def imported(found: re.Match[str]) -> str:
        name, what = module(found[2]), found[1]
        if what.startswith("*"):
            return f"const {what.split()[-1]} = {name};"
        return f"const {what.replace(' as ', ': ')} = {name};" if what else ""

    exports: list[str] = []

    def exported(found: re.Match[str]) -> str:
        for one in found[1].split(","):
            name, _, outside = one.strip().partition(" as ")
            exports.append(f"{outside or name}: {name}")
        return ""

    code = _COMMENT.sub(_licence, read(path).decode())
    code = _IMPORT.sub(imported, code)
    code = _ON_DEMAND.sub(lambda found: f"Promise.resolve({module(found[1])})", code)
    exports += _EXPORTED.findall(code)
    code = _EXPORTS.sub(exported, _EXPORTED.sub("", code))
    name = f"m{len(order)}"
    order[path] = f"const {name} = (() => {{\n{code}\nreturn {{ {', '.join(exports)} }};\n}})();"
    return name


def _licence(comment: re.Match[str]) -> str:
    """What stays of a comment: the licence of what others made."""
    return comment[0] if "@license" in comment[0] else ""


def _sheet(path: str, read: Read) -> str:
    def font(found: re.Match[str]) -> str:
        return f'url("{_data("font/woff2", read(found[1]))}")'

    sheet = _URL.sub(font, _CSS_COMMENT.sub("", read(path).decode()))
    if "</style" in sheet:
        raise ValueError(f"{path} would end the element that it is put in")
    return sheet


def _data(type: str, body: bytes) -> str:
    return f"data:{type};base64,{b64encode(body).decode()}"


def _hashes(texts: list[str]) -> str:
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return " ".join(f"'sha256-{b64encode(digest).decode()}'" for digest in digests) or "'none'"
