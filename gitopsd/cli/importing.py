"""`gitopsd import`: objects made of what other tools keep. What can be imported is a matter of plugins; nothing is applied."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import click

from gitopsd.cli import own_engine
from gitopsd.cli.plugin_verbs import PluginVerbs
from gitopsd.config import chosen as choice
from gitopsd.config.chosen import Chosen
from gitopsd.daemon import compose
from gitopsd.model.errors import UsageError
from gitopsd.model.identity import ResourceId
from gitopsd.model.manifest import Body
from gitopsd.plugin.imports import Reader
from gitopsd.plugin.roles import Lister, Target, Versioned
from gitopsd.runtime.engine import Engine

T = TypeVar("T")
GROUP = "gitopsd.commands.import"


@click.group(cls=PluginVerbs, group=GROUP)
@click.pass_context
def imports(ctx: click.Context) -> None:
    """Make Flux objects of what other tools keep, and print them. Nothing is applied; a cluster is only read.

    \b
    Examples:
      gitopsd import aks flux.bicep --to cluster
      gitopsd import flux --context staging
      gitopsd import argocd applications.yaml
    """
    ctx.obj = reach


async def reach(kubeconfig: Path | None, context: str, look: Callable[[Reader], Awaitable[T]]) -> T:
    """Look into the cluster that was named."""
    if not context:
        raise UsageError("no cluster is named; name one with --context NAME (of --kubeconfig or $KUBECONFIG)")

    async def with_engine(engine: Engine) -> T:
        return await look(_Reading(await engine.clusters.target(context)))

    with TemporaryDirectory(prefix="gitopsd-") as state:
        environment = {**os.environ, "STATE_DIRECTORY": state}
        here = Chosen(kubeconfig=kubeconfig, context=context, environment=environment, here=Path.cwd())
        mode = own_engine.mode(write=False, watch=False, work=False)
        return await compose.engaged(choice.without_files(here), mode, with_engine, on_outcome=lambda _: None)


class _Reading:
    """A connected cluster as imports see it."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.server = target.access.server

    async def listed(self, group: str, version: str, kind: str) -> Sequence[Body]:
        """All objects of a kind."""
        if not isinstance(self._target, Lister):
            raise UsageError(f"cluster {self._target.access.cluster}: its plugin cannot list objects")
        return await self._target.listed(group, version, kind)

    async def found(self, ids: Collection[Versioned]) -> Mapping[ResourceId, Body]:
        """These objects."""
        return {id: live.body for id, live in (await self._target.observe(ids)).items()}
