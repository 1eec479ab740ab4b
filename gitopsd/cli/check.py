"""`gitopsd check`: what would go wrong or be regretted, before it does. It writes nothing into a cluster."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

import anyio.to_thread
import click

from gitopsd.cli import advising, options, output, own_engine, plain_secrets
from gitopsd.cli.exits import Exit
from gitopsd.cli.findings import Findings
from gitopsd.config import chosen as choice
from gitopsd.config.advice.evidence import Evidence
from gitopsd.config.chosen import Chosen, Loaded
from gitopsd.config.settings import Settings
from gitopsd.daemon import compose
from gitopsd.model.declared import AppIntent, SourceIntent, Unserved
from gitopsd.model.errors import GitopsdError
from gitopsd.model.tree import Revision
from gitopsd.plugin.roles import Source
from gitopsd.plugin.tree import Tree
from gitopsd.runtime.asked import whatif
from gitopsd.runtime.asked.whatif import Question
from gitopsd.runtime.engine import Engine

T = TypeVar("T")


@click.command()
@click.option("--strict", is_flag=True, help="Exit code 2 where there are warnings.")
@click.option("--fix", is_flag=True, help="Make the safe edits in the declared files; comments and all else stay.")
@options.cluster
def check(chosen: Chosen, *, strict: bool, fix: bool) -> None:
    """Check settings, objects, credentials and cluster rights, and say what would go wrong or be regretted.

    Everything is planned, so that rights are asked for exactly what the plan needs. Nothing is written, but by --fix into the
    declared files. Exit code 1: something would go wrong.

    \b
    Examples:
      gitopsd check -c config.yaml
      gitopsd check -c config.yaml --sandbox --strict
      gitopsd check -c config.yaml --fix
    """
    options.run(lambda: _check(chosen, strict=strict, fix=fix))


async def _check(chosen: Chosen, *, strict: bool, fix: bool) -> Exit:
    found = Findings()
    loaded = choice.load(chosen)
    choice.need_cluster(loaded)
    found.good(f"{len(loaded.declared.objects)} objects in {', '.join(map(str, loaded.paths))}")
    for problem in loaded.declared.warnings:
        found.warn(str(problem))
    _objects(loaded, found)

    async def look(engine: Engine) -> None:
        found.mask = engine.world.ctx.masked
        reached = [await _cluster(name, engine, loaded.settings, found) for name in sorted(loaded.declared.clusters)]
        await _sources(engine, found)
        seen = None
        if all(reached):
            seen = await _tried(whatif.asked(engine, Question(), advising.looked), found)
        if seen is not None:
            advising.wrong(seen, found)
            await advising.rights(seen, engine, found, write=not loaded.settings.read_only)
        declared = Evidence(
            objects=loaded.declared.objects, intents=loaded.declared.intents, newest=advising.newest(loaded.registry)
        )
        advising.advise(loaded, seen.evidence if seen else declared, found, fix=fix)

    await compose.engaged(
        loaded, own_engine.mode(write=False, watch=False, work=False), look, on_outcome=lambda _: None
    )
    return found.code(strict=strict)


def _objects(loaded: Loaded, found: Findings) -> None:
    for ref, intent in sorted(loaded.declared.intents.items()):
        match intent:
            case Unserved():
                found.info(f"{ref}: not served yet")
            case SourceIntent() | AppIntent():
                for text in intent.warnings:
                    found.warn(f"{ref}: {text}")
                if intent.unsupported:
                    found.bad(f"{ref}: {', '.join(intent.unsupported)}: not served yet; remove to go on")


async def _sources(engine: Engine, found: Findings) -> None:
    for ref, intent in sorted(engine.board.intents.items()):
        if isinstance(intent, SourceIntent) and not (intent.suspended or intent.reads or intent.bare):
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


async def _cluster(name: str, engine: Engine, settings: Settings, found: Findings) -> bool:
    """Whether it is reached; what gitopsd's own records need is asked for here."""
    target = await _tried(engine.clusters.target(name), found)
    if target is None:
        return False
    cluster = next(c for c in engine.cluster_views() if c.name == name)
    found.good(output.cluster_line(cluster))
    if not settings.read_only:
        sentences = await _tried(advising.rights_of_records(target, settings.inventory_namespace), found)
        for sentence in sentences or ():
            found.bad(f"cluster {name}: this identity {sentence}")
    return True


async def _tried(asked: Awaitable[T], found: Findings) -> T | None:
    try:
        return await asked
    except GitopsdError as error:
        found.bad(str(error))
        return None
