"""What comes from outside is never the key of a plain object: `make lint` has ESLint find it."""

import json
import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ESLINT = HERE.parents[1] / ".venv" / "eslint" / "node_modules" / ".bin" / "eslint"

BAD = {
    "a literal": "export const said = (type) => ({ order_placed: 1 })[type];",
    "a variable": "const seen = {};\nexport const find = (word) => seen[word];",
    "a write": "const seen = {};\nexport const keep = (word) => (seen[word] = 1);",
    "from entries": "const all = Object.fromEntries([]);\nexport const find = (word) => all[word];",
    "a parameter": "export const find = (orders, event) => orders[event.type];",
    "in": "export const has = (orders, word) => word in orders;",
    "its own method": "export const has = (orders, word) => orders.hasOwnProperty(word);",
}
GOOD = {
    "a Map": "const seen = new Map();\nexport const find = (word) => seen.get(word);",
    "an array": "const endings = ['th', 'st'];\nexport const of = (index) => endings[index];",
    "hasOwn": "export const has = (orders, word) => Object.hasOwn(orders, word);",
}


def test_foreign_text_as_the_key_of_an_object_is_found_and_what_is_safe_passes(
    tmp_path: Path,
) -> None:
    if not ESLINT.exists():
        if os.environ.get("ORDERS_REQUIRE_ESLINT"):
            pytest.fail("ESLint is missing: `make lint` installs it where npm is")
        pytest.skip("without ESLint")
    for name, code in (BAD | GOOD).items():
        (tmp_path / f"{name}.js").write_text(f"{code}\n", encoding="utf-8")
    (tmp_path / "eslint.config.mjs").write_bytes((HERE / "eslint.config.mjs").read_bytes())
    run = subprocess.run(
        [ESLINT, "--format", "json", "."], cwd=tmp_path, capture_output=True, check=False
    )
    found = {Path(one["filePath"]).stem for one in json.loads(run.stdout) if one["errorCount"]}
    assert found == set(BAD)
