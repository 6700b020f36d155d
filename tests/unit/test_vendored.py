"""What others made is served unchanged, named, and with its licence."""

import hashlib
import re
import tomllib
from pathlib import Path

STATIC = Path(__file__).parents[2] / "static"
VENDOR = STATIC / "vendor"
PACKAGES = tomllib.loads((VENDOR / "VENDOR.toml").read_text(encoding="utf-8"))["package"]
FILES = {entry["file"]: entry for package in PACKAGES for entry in package["file"]}


def test_every_vendored_file_is_listed_and_every_listed_file_is_there() -> None:
    there = {
        path.relative_to(VENDOR).as_posix()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "VENDOR.toml"
    }
    assert len(there) >= 8
    assert there == set(FILES)


def test_every_vendored_file_is_byte_for_byte_the_published_one() -> None:
    changed = [
        name
        for name, entry in FILES.items()
        if hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() != entry["sha256"]
    ]
    assert changed == []


def test_every_package_names_its_version_and_comes_with_its_licence() -> None:
    for package in PACKAGES:
        assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"]), package["name"]
        assert package["licence"] in {"MIT", "BSD-3-Clause", "OFL-1.1"}
        licences = [entry for entry in package["file"] if "LICENSE" in entry["file"]]
        assert len(licences) == 1, package["name"]
        assert len((VENDOR / licences[0]["file"]).read_text(encoding="utf-8")) > 500


def test_our_own_styles_and_modules_load_nothing_from_another_host() -> None:
    own = [
        path
        for path in STATIC.rglob("*")
        if path.suffix in {".css", ".js", ".svg"} and VENDOR not in path.parents
    ]
    assert len(own) >= 5
    loads = re.compile(r"""(?:import\s*\(?|from|url\(|src=|href=)\s*["']?(?:https?:)?//""")
    assert [str(path) for path in own if loads.search(path.read_text(encoding="utf-8"))] == []
