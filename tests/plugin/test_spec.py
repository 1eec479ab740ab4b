from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta

from gitopsd.plugin import Spec, SpecError, spec


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Part(Spec, frozen=True, kw_only=True):
    colour: Colour = Colour.RED
    size: Literal["small", "large"] | None = None
    label: Annotated[str, Meta(pattern="^[a-z]+$", description="a word; use letters")] = "a"
    plain: Annotated[str, Meta(pattern="^[a-z]+$")] = "a"


class Even(int):
    pass


class Own(Spec, frozen=True, kw_only=True):
    number: Even


class Whole(Spec, frozen=True, kw_only=True):
    part_list: tuple[Part, ...] = ()
    part_table: dict[str, Part] | None = None
    part: Part | None = None


@pytest.mark.parametrize(
    ("document", "path", "message"),
    [
        ({"part": {"color": "red"}}, ("part", "color"), "unknown field 'color'; did you mean 'colour'?"),
        ({"partList": [{}, {"zzz": 1}]}, ("partList", 1, "zzz"), "unknown field 'zzz'"),
        (
            {"partTable": {"x": {"sizes": 1}}},
            ("partTable", "...", "sizes"),
            "unknown field 'sizes'; did you mean 'size'?",
        ),
        ({"part": {"colour": "green"}}, ("part", "colour"), "Invalid enum value 'green'; use red, blue"),
        ({"partList": [{"size": "huge"}]}, ("partList", 0, "size"), "Invalid enum value 'huge'; use large, small"),
        ({"part": {"label": "1"}}, ("part", "label"), "is not a word; use letters"),
        ({"part": {"plain": "1"}}, ("part", "plain"), "Expected `str` matching regex '^[a-z]+$'"),
        ({"part": {"label": 1}}, ("part", "label"), "Expected `str`, got `int`"),
    ],
)
def test_a_misfit_is_told_with_its_path_and_what_fits(document, path, message):
    with pytest.raises(SpecError) as caught:
        spec.decode(document, Whole)
    assert (caught.value.path, str(caught.value)) == (path, message)


def test_a_type_of_the_callers_own_is_read_by_its_hook():
    def even(kind: Any, value: Any) -> Even:
        if value % 2:
            raise ValueError(f"{value} is odd")
        return Even(value)

    assert spec.decode({"number": 2}, Own, even).number == 2
    with pytest.raises(SpecError, match=r"^3 is odd$"):
        spec.decode({"number": 3}, Own, even)


@pytest.mark.parametrize("text", ["9" * 20 + "h", "9" * 400 + "h"])
def test_a_duration_that_no_clock_can_hold_is_a_misfit(text):
    with pytest.raises(SpecError, match="is longer than any time"):
        spec.duration(text)
