"""Everything that is declared at one moment: the value that loading makes and reloading replaces whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gitopsd.config.cluster import Cluster
from gitopsd.config.problems import Problem
from gitopsd.config.secrets import Data
from gitopsd.config.settings import Settings
from gitopsd.plugin import Declared, Intent, ObjectRef

Key = tuple[str, str]
"""(namespace, name)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredSet:
    """What the files declare. Each object has an intent, the ones of kinds that are not served `Unserved`."""

    settings: Settings = field(default_factory=Settings)
    clusters: Mapping[str, Cluster] = field(default_factory=dict)
    objects: Mapping[ObjectRef, Declared] = field(default_factory=dict)
    intents: Mapping[ObjectRef, Intent] = field(default_factory=dict)
    secrets: Mapping[Key, Data] = field(default_factory=dict)
    config_maps: Mapping[Key, Data] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    """What deserves a look and stops nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Children:
    """Declared objects among what an app rendered. The intent of one that does not decode is `Broken`."""

    objects: Mapping[ObjectRef, Declared] = field(default_factory=dict)
    intents: Mapping[ObjectRef, Intent] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    """What is wrong with single ones, those included that are not even named well."""
    left: frozenset[ObjectRef] = frozenset()
    """Objects that a file, or another app, declares already: they stay as declared there."""
