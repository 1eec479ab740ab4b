"""`gitopsd build`: render without a cluster. What can be built is a matter of plugins."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

import click

from gitopsd.cli.plugin_verbs import PluginVerbs
from gitopsd.plugin.tree import Remotes

T = TypeVar("T")
GROUP = "gitopsd.commands.build"


@click.group(cls=PluginVerbs, group=GROUP)
@click.pass_context
def build(ctx: click.Context) -> None:
    """Render a folder and print the manifests; no cluster is needed.

    \b
    Examples:
      gitopsd build kustomization ./clusters/production
    """
    ctx.obj = _Fetching()


class _Fetching:
    """`Fetching`, imported when it is used."""

    def rendered(self, make: Callable[[Remotes], T], hosts: Sequence[str], *, plain: bool) -> T:
        """See there."""
        from gitopsd.daemon.fetching import Fetching

        return Fetching(os.environ).rendered(make, hosts, plain=plain)
