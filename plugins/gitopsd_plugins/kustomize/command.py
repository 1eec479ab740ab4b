"""`gitopsd build kustomization DIR`: prints what `kustomize build DIR` prints, from a folder on disk."""

from __future__ import annotations

from pathlib import Path

import click

from gitopsd.plugin import Fetching, GitopsdError, Remotes, Tree, yaml
from gitopsd.plugin.folder import LocalFolder
from gitopsd_plugins.kustomize import build
from gitopsd_plugins.kustomize.build import Built

_RESTRICTORS = {
    "root-only": True,
    "none": False,
    "LoadRestrictionsRootOnly": True,
    "LoadRestrictionsNone": False,
}


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--load-restrictor",
    type=click.Choice(list(_RESTRICTORS)),
    default="root-only",
    show_default=True,
    help="Whether files may lie outside of the folder whose kustomization names them.",
)
@click.option(
    "--reorder",
    type=click.Choice(["legacy", "none"]),
    default="legacy",
    show_default=True,
    help="The order of the output where the kustomization sets no sortOptions.",
)
@click.option(
    "--remote-host",
    "hosts",
    multiple=True,
    metavar="HOST",
    help="Fetch remote resources from this host, with * for any part of its name; may be repeated.",
)
@click.option("--remote-http", is_flag=True, help="With --remote-host: also by http.")
@click.pass_obj
def kustomization(
    fetching: Fetching, folder: Path, load_restrictor: str, reorder: str, hosts: tuple[str, ...], *, remote_http: bool
) -> None:
    """Build the kustomization in DIR and print its objects.

    \b
    Examples:
      gitopsd build kustomization overlays/production
      gitopsd build kustomization . --load-restrictor none
      gitopsd build kustomization . --remote-host github.com --remote-host '*.githubusercontent.com'
    """
    resolved = folder.resolve()
    source = LocalFolder(Path(resolved.anchor))

    def make(remotes: Remotes | None) -> Built:
        tree = Tree(source, source.root, remotes=remotes)
        restricted = _RESTRICTORS[load_restrictor]
        return build.build(tree, resolved.as_posix(), restricted=restricted, reorder=reorder == "legacy")

    try:
        built = fetching.rendered(make, hosts, plain=remote_http) if hosts else make(None)
    except GitopsdError as error:
        raise click.ClickException(str(error)) from error
    for warning in built.warnings:
        click.echo(f"Warning: {warning}", err=True)
    click.echo(yaml.print_all(resource.body for resource in built.resources), nl=False)
