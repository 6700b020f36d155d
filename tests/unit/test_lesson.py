"""The lesson is data: what is wrong in it is explained, and docs/lesson.md says what it says."""

import re
from pathlib import Path

import pytest

from orders.classroom.lesson import BUNDLED, CUTS, Lesson, Scene, read
from orders.errors import CannotStart

DOC = (Path(__file__).parents[2] / "docs" / "lesson.md").read_text(encoding="utf-8")
LESSON = read(BUNDLED)
MODES = {"relay": "Relay", "pubsub": "Publish–subscribe", "queue": "Queue"}


def cuts(lesson: Lesson) -> str:
    """The table of the minutes of each scene in each cut."""
    head = [
        "| scene | " + " | ".join(f"{cut} minutes" for cut in CUTS) + " |",
        "|---|" + "---|" * 3,
    ]
    rows = [
        f"| {number} · {scene.caption} | "
        + " | ".join(str(scene.minutes.get(str(cut), "")) for cut in CUTS)  # type: ignore[call-overload]
        + " |"
        for number, scene in enumerate(lesson.scenes, 1)
    ]
    return "\n".join([*head, *rows])


def setup(scene: Scene) -> str:
    """What a scene sets, in a line."""
    bots = [
        f"a {'naive' if one.naive else 'careful'} Bob who thinks {one.thinks:g} s"
        for one in scene.bots
    ]
    lease = [f"a lease of {scene.lease:g} s"] if scene.lease else []
    return "*" + " · ".join([MODES[scene.mode], *(bots or ["no bots"]), *lease]) + "*"


def test_the_page_has_the_table_of_the_cuts() -> None:
    assert cuts(LESSON) in DOC


@pytest.mark.parametrize("number", range(1, len(LESSON.scenes) + 1))
def test_the_page_says_of_each_scene_what_the_stage_says(number: int) -> None:
    scene = LESSON.scenes[number - 1]
    heading = f"\n## {number} · {scene.caption}\n"
    assert heading in DOC
    section = DOC.partition(heading)[2].partition("\n## ")[0]
    assert section.startswith(f"\n{setup(scene)}\n")
    assert f"**Seen.** {' '.join(scene.seen)}\n" in section
    assert f"**Ask.** {scene.question} (*{scene.answer}*)\n" in section
    assert ("**Predict.** `a` asks" in section) == (scene.asks is not None)


def test_the_page_has_no_scene_that_the_stage_lacks() -> None:
    assert len(re.findall(r"^## \d+ · ", DOC, re.MULTILINE)) == len(LESSON.scenes)


GOOD = """title = "A short one"
[[scenes]]
caption = "One"
question = "Why?"
answer = "So."
mode = "relay"
seen = ["Something."]
minutes = { 20 = 20 }
"""


def test_a_lesson_of_ones_own_is_read(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text(GOOD, encoding="utf-8")
    assert read(file).cuts == {"20": [1], "45": [], "90": []}


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        (
            '"One"',
            f'"{"word " * 13}"',
            "scene 1, `caption`: it has 13 words, and must have 1 to 12",
        ),
        ('"relay"', '"really"', "scene 1, `mode`: input should be 'relay', 'pubsub' or 'queue'"),
        ("mode =", "speed = 2\nmode =", "scene 1, `speed`: it is 2, and must be 1, 0.5 or 0.25"),
        ("mode =", 'asks = "why"\nmode =', "scene 1, `asks`: input should be 'receivers' or"),
        ("mode =", "colour = 2\nmode =", "scene 1, `colour`: extra inputs are not permitted"),
        ("mode =", "bots = [{ thinks = 99 }]\nmode =", "scene 1, `bots.0.thinks`: input should be"),
        ('answer = "So."', "", "scene 1, `answer`: field required"),
        ("20 = 20", "20 = 21", "its cut of 20 minutes takes 21: shorten or leave out scenes"),
        ("[[scenes]]", "[scenes", "(at line 2, column 8)"),
    ],
)
def test_what_is_wrong_in_a_lesson_is_explained(
    tmp_path: Path, right: str, wrong: str, said: str
) -> None:
    file = tmp_path / "my.toml"
    file.write_text(GOOD.replace(right, wrong), encoding="utf-8")
    with pytest.raises(CannotStart) as caught:
        read(file)
    assert caught.value.code == "wrong_lesson"
    assert str(file) in caught.value.message
    assert said in caught.value.message


def test_a_lesson_that_is_not_there_is_explained(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="No such file"):
        read(tmp_path / "none.toml")
