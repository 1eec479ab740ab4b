"""`gitopsd build kustomization DIR`: prints what `kustomize build DIR` prints, from a folder on disk."""

from __future__ import annotations

from pathlib import Path

import click

from gitopsd.plugin import GitopsdError, Tree, yaml
from gitopsd.plugin.folder import LocalFolder
from gitopsd_plugins.kustomize import build

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
def kustomization(folder: Path, load_restrictor: str, reorder: str) -> None:
    """Build the kustomization in DIR and print its objects.

    \b
    Examples:
      gitopsd build kustomization overlays/production
      gitopsd build kustomization . --load-restrictor none
    """
    resolved = folder.resolve()
    source = LocalFolder(Path(resolved.anchor))
    try:
        built = build.build(
            Tree(source, source.root),
            resolved.as_posix(),
            restricted=_RESTRICTORS[load_restrictor],
            reorder=reorder == "legacy",
        )
    except GitopsdError as error:
        raise click.ClickException(str(error)) from error
    for warning in built.warnings:
        click.echo(f"Warning: {warning}", err=True)
    click.echo(yaml.print_all(resource.body for resource in built.resources), nl=False)
