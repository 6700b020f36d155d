"""The rows of `tests/mutants.toml` fit the source: `make mutants` can break what they name."""

import ast

import pytest

from tests.mutants import PAGE, ROOT, Mutant, broken, mutants, shown


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.guarantee)
def test_each_line_stands_once_breaks_into_python_and_its_test_exists(mutant: Mutant) -> None:
    source = (ROOT / mutant.file).read_text(encoding="utf-8")
    changed = broken(source, mutant)
    assert changed != source
    ast.parse(changed)
    file, _, name = mutant.test.partition("::")
    assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


def test_there_are_enough_of_them_and_each_guarantee_is_named_once() -> None:
    guarantees = [mutant.guarantee for mutant in mutants()]
    assert len(guarantees) == len(set(guarantees)) >= 20


def test_the_page_of_guarantees_shows_them_all() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == shown(page), "python -m tests.mutants --table"
