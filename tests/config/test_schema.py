from __future__ import annotations

import pytest

from gitopsd.config import schema
from gitopsd.plugin import UsageError


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for below in value.values():
            yield from references(below)
    elif isinstance(value, list):
        for below in value:
            yield from references(below)


@pytest.mark.parametrize("kind", [None, "Settings", "Cluster", "Secret", "ConfigMap", "GitRepository", "Kustomization"])
def test_every_reference_leads_somewhere(registry, kind):
    found = schema.schema(registry, kind)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert {ref.removeprefix("#/$defs/") for ref in references(found)} <= found["$defs"].keys()


def test_the_schema_of_everything_offers_each_kind(registry):
    found = schema.schema(registry)
    assert [choice["$ref"] for choice in found["anyOf"]] == [
        f"#/$defs/{kind}" for kind in ("Cluster", "ConfigMap", "GitRepository", "Kustomization", "Secret", "Settings")
    ]


def test_settings_have_descriptions_and_defaults_as_users_write_them(registry):
    settings = schema.schema(registry, "Settings")["$defs"]["Settings"]["properties"]
    assert settings["holdTimeout"]["default"] == "1h"
    assert settings["readOnly"]["description"] == "Send no write to any cluster: plans only."
    limits = schema.schema(registry, "Settings")["$defs"]["Limits"]["properties"]
    assert limits["workerMemory"]["default"] == "1Gi"


def test_an_unknown_kind_is_a_mistake_of_the_user(registry):
    with pytest.raises(UsageError, match=r"no schema of 'Kustomisation'; did you mean 'Kustomization'\? \(known: "):
        schema.schema(registry, "Kustomisation")
