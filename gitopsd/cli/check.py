"""`gitopsd check`: what would go wrong, before it does. It writes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import anyio.to_thread
import click

from gitopsd.cli import options, output, plain_secrets
from gitopsd.cli.exits import Exit
from gitopsd.config import chosen as choice
from gitopsd.config.chosen import Chosen, Loaded
from gitopsd.daemon import compose
from gitopsd.model.declared import AppIntent, SourceIntent, Unserved
from gitopsd.model.errors import GitopsdError
from gitopsd.model.tree import Revision
from gitopsd.plugin.roles import Source
from gitopsd.plugin.tree import Tree
from gitopsd.runtime.engine import Engine

T = TypeVar("T")


@dataclass(slots=True)
class Findings:
    """Says what was looked at, one line each, and counts what would go wrong."""

    failed: int = 0
    mask: Callable[[str], str] = str
    """What is known to be secret is masked in all of it."""

    def good(self, text: str) -> None:
        """It is as it should be."""
        click.echo(self.mask(f"✔ {text}"))

    def warn(self, text: str) -> None:
        """Worth a look; stops nothing."""
        click.echo(self.mask(f"! {text}"))

    def bad(self, text: str) -> None:
        """It would go wrong."""
        self.failed += 1
        click.echo(self.mask(f"✗ {text}"))


@click.command()
@options.cluster
def check(chosen: Chosen) -> None:
    """Check settings, objects, credentials and cluster rights, and say what would go wrong. Nothing is written.

    Exit code 1: something would go wrong.

    \b
    Examples:
      gitopsd check -c config.yaml
      gitopsd check -c config.yaml --sandbox
    """
    options.run(lambda: _check(chosen))


async def _check(chosen: Chosen) -> Exit:
    found = Findings()
    loaded = choice.load(chosen)
    choice.need_cluster(loaded)
    found.good(f"{len(loaded.declared.objects)} objects in {', '.join(map(str, loaded.paths))}")
    for problem in loaded.declared.warnings:
        found.warn(str(problem))
    _objects(loaded, found)

    async def look(engine: Engine) -> None:
        found.mask = engine.world.ctx.masked
        for name in sorted(loaded.declared.clusters):
            await _cluster(name, engine, found)
        await _sources(engine, found)

    await compose.engaged(loaded, options.mode(write=False, watch=False, work=False), look, on_outcome=lambda _: None)
    return Exit.FAILED if found.failed else Exit.READY


def _objects(loaded: Loaded, found: Findings) -> None:
    for ref, intent in sorted(loaded.declared.intents.items()):
        match intent:
            case Unserved():
                found.warn(f"{ref}: not served yet")
            case SourceIntent() | AppIntent():
                for text in intent.warnings:
                    found.warn(f"{ref}: {text}")
                if intent.unsupported:
                    found.bad(f"{ref}: {', '.join(intent.unsupported)}: not served yet; remove to go on")


async def _sources(engine: Engine, found: Findings) -> None:
    for ref, intent in sorted(engine.board.intents.items()):
        if isinstance(intent, SourceIntent) and not intent.suspended:
            source = engine.world.registry.sources[ref.kind]
            revision = await _tried(source.resolve(intent, engine.world.ctx), found)
            if revision is not None:
                found.good(f"{ref}: {revision}")
                await _plain_secrets(intent, source, revision, engine, found)


async def _plain_secrets(
    intent: SourceIntent, source: Source, revision: Revision, engine: Engine, found: Findings
) -> None:
    """Warn of Secrets that lie there for everybody to read. The content is brought into the local store, where it is not yet."""
    store, last = engine.world.store, engine.world.store.artifact(intent.ref)
    if last is not None and last.revision == revision:
        tree = last.tree
    else:
        stored = await _tried(source.fetch(intent, revision, last, engine.world.ctx), found)
        if stored is None:
            return
        tree = stored.tree
    for text in await anyio.to_thread.run_sync(lambda: list(plain_secrets.warnings(Tree(store, tree)))):
        found.warn(f"{intent.ref}: {text}")


async def _cluster(name: str, engine: Engine, found: Findings) -> None:
    target = await _tried(engine.clusters.target(name), found)
    if target is None:
        return
    cluster = next(c for c in engine.cluster_views() if c.name == name)
    found.good(output.cluster_line(cluster))
    for sentence in await target.rights(
        [("", "v1", "ConfigMap"), ("", "v1", "Namespace"), ("coordination.k8s.io", "v1", "Lease")]
    ):
        found.bad(f"cluster {name}: {sentence}")


async def _tried(asked: Awaitable[T], found: Findings) -> T | None:
    try:
        return await asked
    except GitopsdError as error:
        found.bad(str(error))
        return None
