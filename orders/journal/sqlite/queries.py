"""The statements of `queries.sql`, by their names."""

from pathlib import Path

_FOLDER = Path(__file__).parent

#: The step from each version of a journal to the next; the first makes an empty file one.
MIGRATIONS = tuple(
    (_FOLDER / name).read_text(encoding="utf-8") for name in ("schema.sql", "version2.sql")
)
QUERIES = {
    name.strip(): statement.strip()
    for name, _, statement in (
        block.partition("\n")
        for block in (_FOLDER / "queries.sql").read_text(encoding="utf-8").split("-- name: ")[1:]
    )
}
