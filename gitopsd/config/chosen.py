"""From what a person chose on the command line to everything that a run needs: paths, settings, plugins, objects, clusters.

In two steps: what the files say is enough to find a daemon that runs (`read`); what they mean takes the plugins (`understood`).
A cluster is never taken by accident: it is a `Cluster` object, a context that was named, or the sandbox that was asked for.
The environment is part of the choice and passed in; nothing here reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from msgspec import structs

from gitopsd.config import documents, home, places
from gitopsd.config.cluster import Cluster
from gitopsd.config.declared_set import DeclaredSet
from gitopsd.config.documents import Gathered
from gitopsd.config.settings import Settings
from gitopsd.plugin import Place, UsageError, registry
from gitopsd.plugin.registry import Registry

SANDBOX = "sandbox"
KUBECONFIG = "kubeconfig"
OFFLINE = Place(file="--offline")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The options that say what to work on. `paths` empty: the default places."""

    paths: tuple[Path, ...] = ()
    kubeconfig: Path | None = None
    context: str = ""
    sandbox: bool = False
    offline: bool = False
    """An empty sandbox stands for each cluster; nothing is known of the real one."""
    read_only: bool = False
    """As the setting `readOnly`."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    root: bool = False
    here: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What stands in the files, and the settings; no object of them was looked at."""

    chosen: Chosen
    paths: tuple[Path, ...]
    gathered: Gathered = field(repr=False)
    settings: Settings

    @property
    def socket(self) -> Path:
        """The control socket of a daemon that reads them."""
        return places.socket(self.settings, self.chosen.environment, root=self.chosen.root)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What was loaded, and the folders that belong to it."""

    chosen: Chosen
    paths: tuple[Path, ...]
    registry: Registry
    declared: DeclaredSet

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.declared.settings

    @property
    def state(self) -> Path:
        """The folder of the store."""
        return places.state(self.settings, self.chosen.environment, root=self.chosen.root)

    @property
    def socket(self) -> Path:
        """The control socket."""
        return places.socket(self.settings, self.chosen.environment, root=self.chosen.root)


def read(chosen: Chosen) -> Files:
    """Read the files, load no plugin. Raises `UsageError`, and `ConfigError` for settings that are wrong."""
    paths = chosen.paths or tuple(places.config(chosen.environment, chosen.here))
    gathered = documents.gather(paths)
    return Files(chosen=chosen, paths=paths, gathered=gathered, settings=home.settings(gathered))


def understood(files: Files, *, known: Registry | None = None) -> Loaded:
    """What they declare. `known`: the plugins that are loaded already, at a reload. Raises `ConfigError`, `UsageError`."""
    chosen = files.chosen
    plugins = known or registry.load(disabled=files.settings.plugins.disabled)
    declared = home.declare(files.gathered, plugins)
    if chosen.read_only:
        declared = replace(declared, settings=structs.replace(declared.settings, read_only=True))
    loaded = Loaded(chosen=chosen, paths=files.paths, registry=plugins, declared=declared)
    return replace(loaded, declared=replace(declared, clusters=_clusters(loaded)))


def load(chosen: Chosen, *, known: Registry | None = None) -> Loaded:
    """Read and understand everything. Raises as `read` and `understood` do."""
    return understood(read(chosen), known=known)


def without_files(chosen: Chosen) -> Loaded:
    """No files at all, only the cluster that was named: for looking into it. Raises `UsageError`."""
    loaded = Loaded(chosen=chosen, paths=(), registry=registry.load(), declared=DeclaredSet())
    return replace(loaded, declared=replace(loaded.declared, clusters=_clusters(loaded)))


def need_cluster(loaded: Loaded) -> None:
    """Raise `UsageError` when no cluster was named in any way."""
    if not loaded.declared.clusters:
        raise UsageError(
            "no cluster is named: declare a Cluster object, or name one with --context NAME (of --kubeconfig or $KUBECONFIG) "
            "or --sandbox; the current context of a kubeconfig is never taken by itself"
        )


def _clusters(loaded: Loaded) -> Mapping[str, Cluster]:
    chosen, declared = loaded.chosen, loaded.declared.clusters
    if chosen.offline and (chosen.sandbox or chosen.context):
        raise UsageError("--offline asks no cluster; leave out --sandbox and --context")
    if chosen.offline:
        return {n: Cluster(name=n, access=SANDBOX, spec={}, place=OFFLINE) for n in declared or (SANDBOX,)}
    if chosen.sandbox and chosen.context:
        raise UsageError("--sandbox and --context name two different clusters; choose one")
    if chosen.sandbox:
        return {name: _sandbox(name, loaded) for name in declared or (SANDBOX,)}
    if chosen.context:
        spec = {"path": _kubeconfig(chosen), "context": chosen.context}
        place = Place(file="--context")
        return {chosen.context: Cluster(name=chosen.context, access=KUBECONFIG, spec=spec, place=place)}
    if chosen.kubeconfig:
        raise UsageError("--kubeconfig names a file, not a cluster; add --context NAME")
    return declared


def _sandbox(name: str, loaded: Loaded) -> Cluster:
    spec = {"persist": str(loaded.state / SANDBOX / name)}
    return Cluster(name=name, access=SANDBOX, spec=spec, place=Place(file="--sandbox"))


def _kubeconfig(chosen: Chosen) -> str:
    if chosen.kubeconfig:
        return str(chosen.kubeconfig)
    if named := chosen.environment.get("KUBECONFIG"):
        return named
    home_folder = chosen.environment.get("HOME")
    if not home_folder:
        raise UsageError("--context needs a kubeconfig: name it with --kubeconfig or $KUBECONFIG")
    return str(Path(home_folder) / ".kube" / "config")
