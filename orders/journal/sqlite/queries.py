"""The statements of `queries.sql`, by their names."""

from pathlib import Path

_FOLDER = Path(__file__).parent

SCHEMA = (_FOLDER / "schema.sql").read_text(encoding="utf-8")
QUERIES = {
    name.strip(): statement.strip()
    for name, _, statement in (
        block.partition("\n")
        for block in (_FOLDER / "queries.sql").read_text(encoding="utf-8").split("-- name: ")[1:]
    )
}
