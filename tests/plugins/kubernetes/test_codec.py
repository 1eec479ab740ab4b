"""The inventory record: what goes in comes out, and what is damaged is never read as less."""

from __future__ import annotations

import base64
import functools
import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.plugin import (
    Approval,
    Decision,
    Inventory,
    Misconfigured,
    ObjectRef,
    Owned,
    Rejected,
    ResourceId,
    Suspension,
)
from gitopsd_plugins.kubernetes import codec
from gitopsd_plugins.kubernetes.codec import Encoded

_TEXT = st.text(max_size=12)
_NAME = st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True)
_MOMENT = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))
_APP = st.builds(ObjectRef, kind=st.just("Kustomization"), namespace=_NAME, name=_NAME)
_OWNED = st.builds(
    Owned,
    id=st.builds(ResourceId, group=_TEXT, kind=_TEXT, namespace=_TEXT, name=_TEXT),
    version=_TEXT,
    intended=st.booleans(),
)
_DECISION = st.builds(
    Decision, verb=_TEXT, actor=_TEXT, at=_MOMENT, reason=_TEXT, until=st.none() | _MOMENT, plan=_TEXT
)
_INVENTORY = st.builds(
    Inventory,
    app=_APP,
    cluster_uid=_TEXT,
    owned=st.lists(_OWNED, max_size=8).map(lambda owned: {each.id: each for each in owned}),
    suspension=st.none() | st.builds(Suspension, actor=_TEXT, since=_MOMENT, reason=_TEXT, until=st.none() | _MOMENT),
    removal=st.none() | _DECISION,
    decisions=st.lists(_DECISION, max_size=3).map(tuple),
    approvals=st.lists(st.builds(Approval, plan=_TEXT, actor=_TEXT, at=_MOMENT, reason=_TEXT), max_size=3).map(tuple),
)
_SMALL = Inventory(app=ObjectRef(kind="Kustomization", namespace="flux-system", name="apps"), cluster_uid="c")


@functools.cache
def _large() -> Inventory:
    """One whose record needs several parts, however well it is compressed."""
    chance = random.Random(7)
    ids = [
        ResourceId(group="", kind="ConfigMap", namespace="web", name=chance.randbytes(32).hex()) for _ in range(25_000)
    ]
    return replace(_SMALL, owned={it: Owned(id=it, version="v1") for it in ids})


@given(_INVENTORY)
def test_what_is_encoded_is_decoded(inventory: Inventory) -> None:
    encoded = codec.encode(inventory, "prod")
    assert codec.decode(encoded, token="7") == replace(inventory, token="7")
    assert codec.encode(inventory, "prod") == encoded


@given(_INVENTORY, st.data())
def test_damage_is_an_error_and_never_an_empty_inventory(inventory: Inventory, data: st.DataObject) -> None:
    encoded = codec.encode(inventory, "prod")
    content = bytearray(base64.b64decode(encoded.binary["record"]))
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Rejected, match="damaged"):
        codec.decode(replace(encoded, binary={"record": base64.b64encode(content).decode()}))


def test_a_large_record_is_split_and_comes_together_again() -> None:
    inventory = _large()
    encoded = codec.encode(inventory, "prod")
    assert len(encoded.parts) > 1
    assert not encoded.binary
    assert all(len(part) < 1_000_000 for part in encoded.parts.values())
    assert all(len(name) <= 253 for name in encoded.parts)
    assert codec.decode(encoded) == inventory


def test_a_missing_or_exchanged_part_is_an_error() -> None:
    encoded = codec.encode(_large(), "prod")
    first, second, *rest = encoded.parts
    with pytest.raises(Rejected, match=r"part .* is missing"):
        codec.decode(replace(encoded, parts={name: encoded.parts[name] for name in (first, *rest)}))
    exchanged = {**encoded.parts, first: encoded.parts[second], second: encoded.parts[first]}
    with pytest.raises(Rejected, match="digest"):
        codec.decode(replace(encoded, parts=exchanged))


def test_a_newer_format_stalls_and_says_what_to_do() -> None:
    encoded = codec.encode(_SMALL, "prod")
    with pytest.raises(Misconfigured, match="upgrade it, nothing is pruned") as raised:
        codec.decode(replace(encoded, data={**encoded.data, "format": "2"}))
    assert raised.value.reason == "InventoryTooNew"


@pytest.mark.parametrize("data", [{}, {"format": ""}, {"format": "0"}, {"format": "x"}, {"format": "1"}])
def test_an_emptied_record_is_an_error(data: dict[str, str]) -> None:
    with pytest.raises(Rejected, match="damaged"):
        codec.decode(Encoded(name="inventory.x", data=data))


def test_a_record_under_another_apps_name_is_an_error() -> None:
    encoded = codec.encode(_SMALL, "prod")
    with pytest.raises(Rejected, match="it is the record of"):
        codec.decode(replace(encoded, data={**encoded.data, "app": "Kustomization/flux-system/other"}))


def test_a_record_that_unpacks_to_more_than_it_may_is_an_error() -> None:
    with pytest.raises(Rejected, match="too large"):
        codec.decode(codec.encode(_SMALL, "prod"), most=10)


def test_a_head_that_lists_endless_parts_is_an_error() -> None:
    with pytest.raises(Rejected, match="lists 201 parts"):
        codec.part_names("inventory.x", {"parts": " ".join(["sha256:0"] * 201)})


def test_names_are_readable_while_they_fit_and_different_when_they_do_not() -> None:
    app = ObjectRef(kind="Kustomization", namespace="flux-system", name="apps")
    assert codec.name("prod", app) == "inventory.prod.kustomization.flux-system.apps"
    long = [codec.name("prod", replace(app, name="a" * 200 + end)) for end in "xy"]
    assert long[0] != long[1]
    assert all(len(name) < 100 for name in long)
