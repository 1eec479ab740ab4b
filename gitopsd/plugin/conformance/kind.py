"""What every declared kind promises. A plugin's tests subclass `KindSuite` and fill in its fields.

class TestMine(KindSuite):
    kind = MyKind()
    document = {"apiVersion": "example.org/v1", "kind": "Mine", "metadata": {"name": "a", "namespace": "b"}, "spec": {...}}
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import msgspec
import pytest

from gitopsd.model import digest
from gitopsd.model.declared import AppIntent, Declared, Intent, Place, SourceIntent, Treatment
from gitopsd.model.digest import Digest
from gitopsd.model.errors import Misconfigured
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.inventory import Inventory, Owned
from gitopsd.model.outcome import Outcome, Phase, Step
from gitopsd.model.tree import Artifact, Revision
from gitopsd.plugin.roles import Kind
from gitopsd.plugin.spec import SpecError

# ruff: noqa: D102 - the name of a test states the promise

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REVISION = Revision(digest="sha1:0123456789abcdef0123456789abcdef01234567", name="main")
THING = ResourceId(group="", kind="ConfigMap", namespace="default", name="a")
STRANGE: tuple[Any, ...] = (None, True, -1, 1e300, "", "\x00", "x" * 5000, [], [None], {}, {"a": None})
"""What a careless or hostile hand may write in the place of anything."""


class KindSuite:
    """`document` is a whole document of the kind's newest version, as complete as the core hands it over."""

    kind: ClassVar[Kind]
    document: ClassVar[Mapping[str, Any]]

    def declared(self, document: Mapping[str, Any] | None = None) -> Declared:
        """The document as the core hands it over."""
        whole = copy.deepcopy(dict(self.document if document is None else document))
        metadata = self.document["metadata"]
        return Declared(
            ref=ObjectRef(kind=self.kind.kind, namespace=metadata["namespace"], name=metadata["name"]),
            document=whole,
            place=Place(file="test.yaml", line=1),
            spec=digest.of_value(whole.get("spec")),
        )

    def outcome(self, phase: Phase, step: Step, **more: Any) -> Outcome:
        """What an attempt may come to, with all that an object of this kind would have by then."""
        plain = Outcome(
            ref=self.declared().ref, phase=phase, step=step, generation=1, message="all is said",
            started=AT, finished=AT + timedelta(seconds=2), attempted=REVISION,
            applied=REVISION if phase is Phase.READY else None,
        )  # fmt: skip
        return replace(plain, **_possessions(self.kind.read(self.declared()), plain.ref), **more)

    def status(self, outcome: Outcome, previous: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """The status after an outcome, through JSON, as it is kept."""
        made = self.kind.status(self.declared(), outcome, previous or {})
        kept: Mapping[str, Any] = msgspec.json.decode(msgspec.json.encode(made))
        return kept

    def _refusal(self, document: Mapping[str, Any]) -> str | None:
        """The words of the refusal; None where the document is read."""
        try:
            self.kind.read(self.declared(document))
        except Misconfigured as error:
            return str(error)
        return None

    def test_it_has_names_that_can_be_typed(self) -> None:
        assert self.kind.kind.isalnum()
        assert self.kind.kind[0].isupper()
        assert self.kind.versions
        assert [a for a in self.kind.aliases if a != a.lower() or "/" in a or not a] == []

    def test_a_document_means_an_intent_of_its_own_object(self) -> None:
        found = self.kind.read(self.declared())
        assert found.ref == self.declared().ref
        if isinstance(found, AppIntent | SourceIntent):
            assert min(found.interval, found.timeout) > timedelta()

    def test_equal_documents_mean_equal_intents_and_are_left_alone(self) -> None:
        declared = self.declared()
        assert self.kind.read(declared) == self.kind.read(self.declared())
        assert declared.document == self.document

    def test_every_version_is_read_alike(self) -> None:
        newest = _apart_from_warnings(self.kind.read(self.declared()))
        for version in self.kind.versions:
            document = {**self.document, "apiVersion": f"{self.kind.group}/{version}"}
            assert _apart_from_warnings(self.kind.read(self.declared(document))) == newest, version

    def test_an_unknown_field_is_an_error_that_names_it(self) -> None:
        document = {**self.document, "spec": {**self.document.get("spec", {}), "noSuchField": 1}}
        with pytest.raises(SpecError) as caught:
            self.kind.read(self.declared(document))
        assert caught.value.path == ("spec", "noSuchField")

    def test_whatever_is_written_it_is_read_or_refused(self) -> None:
        spec = self.document.get("spec", {})
        documents: list[Mapping[str, Any]] = [{k: v for k, v in self.document.items() if k != "spec"}]
        documents.extend({**self.document, "spec": value} for value in STRANGE)
        documents.extend({**self.document, "spec": {**spec, f: v}} for f, v in itertools.product(spec, STRANGE))
        assert [document for document in documents if self._refusal(document) == ""] == []

    def test_every_outcome_has_a_status_that_can_be_kept(self) -> None:
        for phase, step in itertools.product(Phase, Step):
            previous = self.status(self.outcome(Phase.READY, Step.GATE))
            before = copy.deepcopy(previous)
            assert isinstance(self.status(self.outcome(phase, step), previous), dict), (phase, step)
            assert previous == before

    def test_ready_is_true_when_it_is_ready_and_never_else(self) -> None:
        for phase in (Phase.READY, Phase.PROGRESSING, Phase.WAITING, Phase.RETRYING, Phase.STALLED):
            for previous in ({}, self.status(self.outcome(Phase.READY, Step.GATE))):
                said = _ready(self.status(self.outcome(phase, Step.ACCEPT), previous))
                assert (said["status"] == "True") is (phase is Phase.READY), phase

    def test_what_failed_is_told_in_the_words_of_the_outcome(self) -> None:
        for phase in (Phase.WAITING, Phase.RETRYING, Phase.STALLED):
            failed = self.outcome(phase, Step.ACCEPT, message="the reason, in words")
            assert "the reason, in words" in _ready(self.status(failed))["message"]

    def test_a_time_of_transition_moves_with_the_status_only(self) -> None:
        first = self.status(self.outcome(Phase.READY, Step.GATE))
        later = AT + timedelta(hours=1)
        again = self.status(self.outcome(Phase.READY, Step.GATE, started=later, finished=later), first)
        assert _ready(again).get("lastTransitionTime") == _ready(first).get("lastTransitionTime")

    def test_whatever_is_written_on_an_object_its_treatment_is_known(self) -> None:
        intent = self.kind.read(self.declared())
        if not isinstance(intent, AppIntent):
            return
        for metadata in ({}, *({"labels": value, "annotations": value} for value in ({}, {"a": "b"}, None))):
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", **metadata}}
            assert isinstance(self.kind.treatment(intent, THING, body), Treatment)

    def test_its_schema_is_json(self) -> None:
        assert isinstance(msgspec.json.decode(msgspec.json.encode(self.kind.schema())), dict)


def _possessions(intent: Intent, ref: ObjectRef) -> dict[str, Any]:
    match intent:
        case SourceIntent(content=content):
            tree = Digest("sha256:" + "0" * 64)
            artifact = Artifact(source=ref, revision=REVISION, tree=tree, size=1, files=1, stored=AT, spec=content)
            return {"artifact": artifact}
        case AppIntent():
            owned = {THING: Owned(id=THING, version="v1")}
            return {"inventory": Inventory(app=ref, cluster_uid="uid", owned=owned), "rendered": "sha256:1"}
    return {}


def _apart_from_warnings(intent: Intent) -> Intent:
    return replace(intent, warnings=()) if isinstance(intent, AppIntent | SourceIntent) else intent


def _ready(status: Mapping[str, Any]) -> Mapping[str, Any]:
    [found] = [c for c in status["conditions"] if c["type"] == "Ready"]
    return dict(found)
