"""`gitopsd completion`: scripts for shells, and the names that they offer: live ones of a daemon, else those of the files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import click
from click.shell_completion import CompletionItem, get_completion_class

from gitopsd.model.errors import GitopsdError

PATIENCE = 2.0
"""Seconds that somebody who pressed the tab key waits at most."""
_VARIABLE = "_GITOPSD_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a SHELL: verbs, options, and the names of objects as they are now.

    \b
    Examples:
      gitopsd completion bash > /etc/bash_completion.d/gitopsd
      gitopsd completion zsh > "${fpath[1]}/_gitopsd"
      gitopsd completion fish > ~/.config/fish/completions/gitopsd.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(kind(ctx.find_root().command, {}, "gitopsd", _VARIABLE).source())


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of objects that begin so. A mistake in the configuration offers none: the verb itself will say it."""
    try:
        names = anyio.run(_names, tuple(ctx.params.get("paths") or ()))
    except GitopsdError:
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


NAME: Callable[[click.Context, click.Parameter, str], list[CompletionItem]] = _complete
"""For the arguments that name declared objects."""


async def _names(paths: Sequence[Path]) -> list[str]:
    # here, since the completion of verbs and options needs none of it
    from gitopsd.cli import client
    from gitopsd.config import chosen as choice
    from gitopsd.config.chosen import Chosen

    chosen = Chosen(
        paths=tuple(map(Path, paths)), environment=dict(os.environ), root=os.geteuid() == 0, here=Path.cwd()
    )
    files = choice.read(chosen)
    with anyio.move_on_after(PATIENCE):
        control = await client.running(files)
        if control is not None:
            return sorted(_short(view.ref.kind, view.ref.namespace, view.ref.name) for view in await control.views())
    return sorted(_short(ref.kind, ref.namespace, ref.name) for ref in choice.understood(files).declared.objects)


def _short(kind: str, namespace: str, name: str) -> str:
    return f"{kind.lower()}/{namespace}/{name}"
