"""Hostile texts end in an error, quickly, and never take the process with them."""

import re

import pytest

from gitopsd.plugin import yaml
from gitopsd.plugin.yaml import Limits


def error_of(text: str, **limits: int) -> yaml.YamlError:
    with pytest.raises(yaml.YamlError) as caught:
        yaml.read_all(text, file="x.yaml", limits=Limits(**limits))
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "\n".join(" " * level + "a:" for level in range(1_000)),
    ],
    ids=["brackets", "braces", "dashes", "maps"],
)
def test_deep_nesting_is_an_error(text: str) -> None:
    assert re.search(r"(more than 200 deep|maximum nesting depth .*); nest less", str(error_of(text)))


def test_nesting_up_to_the_limit_is_read() -> None:
    value = yaml.read("[" * 20 + "]" * 20, limits=Limits(max_depth=20))

    assert repr(value) == "[" * 20 + "]" * 20
    assert "more than 19 deep" in str(error_of("[" * 20 + "]" * 20, max_depth=19))


@pytest.mark.parametrize(("opening", "closing"), [("&a [", "]"), ("{a: &a ", "}")], ids=["lists", "maps"])
def test_the_deepest_limit_leaves_python_room(opening: str, closing: str) -> None:
    text = f"{opening * 299}[1]{closing * 299}"

    assert yaml.write(yaml.read(text, limits=Limits(max_depth=300)))


def test_aliases_count_as_deep_as_what_they_stand_for() -> None:
    assert "more than 5 deep" in str(error_of("a: &a [[[1]]]\nb: [[*a]]\n", max_depth=5))


def test_depth_is_never_allowed_beyond_what_python_can_build() -> None:
    with pytest.raises(ValueError, match="the most is 300"):
        Limits(max_depth=10_000)


def bomb(levels: int, width: int) -> str:
    lines = ["a0: &a0 [x]"]
    for level in range(1, levels + 1):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * width)}]")
    return "\n".join(lines)


def test_an_alias_bomb_is_an_error() -> None:
    error = error_of(bomb(levels=90, width=10))

    assert "aliases grow to more than 400,000 values" in str(error)
    assert error.line == 7


def test_an_alias_bomb_is_refused_the_sooner_the_shorter_it_is() -> None:
    text = bomb(levels=9, width=10)

    assert f"aliases grow to more than {99 * len(text):,} values" in str(error_of(text))


def test_aliases_may_copy_a_hundred_times_what_is_written() -> None:
    once, wide = [*"abcdefghij"], [["*once"] * 10] * 10
    text = f"once: &once {once}\nten: &ten {wide}\nall: [*ten{{more}}]".replace("'", "")

    assert len(yaml.read(text.format(more=", *ten" * 9))["all"]) == 10
    assert "aliases grow to more than" in str(error_of(text.format(more=", *ten" * 99)))


def test_a_bomb_of_merges_is_an_error() -> None:
    lines = ["a0: &a0 {x: 1}"]
    for level in range(1, 30):
        lines.append(f"a{level}: &a{level} {{<<: *a{level - 1}, l{level}: *a{level - 1}, r{level}: *a{level - 1}}}")

    assert "aliases grow" in str(error_of("\n".join(lines)))


def test_aliases_in_all_documents_share_one_budget() -> None:
    assert "aliases grow" in str(error_of("- &a [1, 2]\n- *a\n---\n- &a [1, 2]\n- *a\n", max_aliased=5))


@pytest.mark.parametrize(
    ("limits", "text", "place", "what"),
    [
        ({"max_bytes": 9}, "a: é\nb: 1", (1, 1), "the text has 10 bytes, more than 9"),
        ({"max_documents": 2}, "a\n--- b\n---\n--- c\n", (4, 5), "more than 2 documents"),
        ({"max_nodes": 4}, "a: {b: 1}\nc: [1]\n", (2, 4), "more than 4 values"),
    ],
)
def test_size_is_limited(limits: dict[str, int], text: str, place: tuple[int, int], what: str) -> None:
    error = error_of(text, **limits)

    assert (error.line, error.column) == place
    assert what in str(error)


def test_millions_of_digits_are_read_in_no_time() -> None:
    digits = "9" * 2_000_000

    assert yaml.read(f"[{digits}, 0x{digits}, 0.{digits}]") == [digits, f"0x{digits}", 1.0]
