"""What every health rule promises. A plugin's tests subclass `HealthSuite` and fill in its two fields.

class TestMine(HealthSuite):
    rule = MyRule()
    bodies = {Health.CURRENT: [{...}], Health.IN_PROGRESS: [{...}], Health.FAILED: [{...}]}
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from gitopsd.model.health import Health, Verdict
from gitopsd.model.manifest import Body
from gitopsd.plugin.roles import HealthRule

# ruff: noqa: D102 - the name of a test states the promise

STRANGE: tuple[Any, ...] = (
    None, True, -1, "", "x" * 5000, [], [None], {}, {"a": None}, {"conditions": "x"}, {"conditions": [None, "x", 7]},
    {"conditions": [{}]}, {"conditions": [{"type": "Ready"}]}, {"observedGeneration": "x"},
)  # fmt: skip
"""What may stand in the place of `spec` and `status`: only the definition of a kind, if any, says what they are."""


class HealthSuite:
    """`bodies` are objects of the kind by the health that they have, at least one that is current."""

    rule: ClassVar[HealthRule]
    bodies: ClassVar[Mapping[Health, Sequence[Body]]]

    def each(self) -> Iterator[tuple[Health, dict[str, Any]]]:
        """Every object, each time as a value of its own."""
        for health, bodies in self.bodies.items():
            yield from ((health, copy.deepcopy(dict(body))) for body in bodies)

    def test_objects_have_the_health_that_they_should_have(self) -> None:
        assert self.bodies[Health.CURRENT]
        for health, body in self.each():
            assert self.rule.assess(body).health is health, body

    def test_what_is_not_current_says_why(self) -> None:
        for health, body in self.each():
            assert health is Health.CURRENT or self.rule.assess(body).message, body

    def test_equal_objects_get_equal_verdicts_and_are_left_alone(self) -> None:
        for (_, one), (_, other) in zip(self.each(), self.each(), strict=True):
            assert self.rule.assess(one) == self.rule.assess(other)
            assert one == other

    def test_what_is_being_deleted_is_terminating_whatever_else_it_says(self) -> None:
        for _, body in self.each():
            body["metadata"] = {**body.get("metadata", {}), "deletionTimestamp": "2026-01-01T00:00:00Z"}
            assert self.rule.assess(body).health is Health.TERMINATING, body

    def test_a_status_of_an_older_generation_is_not_current(self) -> None:
        for _, body in self.each():
            body["metadata"] = {**body.get("metadata", {}), "generation": 2}
            body["status"] = {**body.get("status", {}), "observedGeneration": 1}
            assert self.rule.assess(body).health is Health.IN_PROGRESS, body

    def test_whatever_an_object_holds_there_is_a_verdict(self) -> None:
        for _, body in self.each():
            for strange in STRANGE:
                for changed in ({"status": strange}, {"spec": strange}, {"spec": strange, "status": strange}):
                    assert isinstance(self.rule.assess({**body, **changed}), Verdict), changed
