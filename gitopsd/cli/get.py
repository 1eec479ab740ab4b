"""`gitopsd get`: every object and how it is."""

from __future__ import annotations

from collections.abc import Sequence

import click

from gitopsd.cli import client, exits, options, output
from gitopsd.cli.completion import NAME
from gitopsd.cli.exits import Exit
from gitopsd.config import chosen as choice
from gitopsd.config.chosen import Chosen, Loaded
from gitopsd.runtime import family
from gitopsd.runtime.shown import views
from gitopsd.runtime.shown.view import ClusterView, View
from gitopsd.store import Store


@click.command()
@click.argument("names", nargs=-1, shell_complete=NAME)
@options.OUTPUT
@options.cluster
def get(chosen: Chosen, names: tuple[str, ...], *, output: str) -> None:
    """List objects and how they are, all or NAMES; as YAML or JSON with the status that Flux would write.

    Asks the daemon when one runs; otherwise shows what the last run left behind.

    \b
    Examples:
      gitopsd get
      gitopsd get ks/apps -o yaml
      gitopsd get -o name
    """
    options.run(lambda: _get(chosen, names, output))


async def _get(chosen: Chosen, names: tuple[str, ...], shape: str) -> Exit:
    loaded = choice.load(chosen)
    control = await client.running(loaded)
    if control is None:
        found = _stored(loaded, names)
        clusters: Sequence[ClusterView] = [ClusterView(name=name) for name in sorted(loaded.declared.clusters)]
    else:
        found, clusters = await control.views(names), await control.clusters()
    if shape == "table":
        output.clusters(clusters)
    output.views(found, shape)
    return exits.of_views(found)


def _stored(loaded: Loaded, names: tuple[str, ...]) -> Sequence[View]:
    """What the last run left behind."""
    with Store.open(loaded.state) as store:
        statuses, kept = store.statuses(), store.children()
    objects, intents = dict(loaded.declared.objects), dict(loaded.declared.intents)
    for children in family.recalled(kept, loaded.declared, loaded.registry).values():
        objects |= children.objects
        intents |= children.intents
    found = [views.stored(d, intents[ref], statuses.get(ref, {})) for ref, d in sorted(objects.items())]
    if not names:
        return found
    refs = {ref for name in names for ref in views.find(name, objects, loaded.registry)}
    return [view for view in found if view.ref in refs]
