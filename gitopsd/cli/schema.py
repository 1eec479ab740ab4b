"""`gitopsd schema`: JSON Schema for editors."""

from __future__ import annotations

import click
import msgspec

from gitopsd.cli import options
from gitopsd.cli.exits import Exit
from gitopsd.config import schema as schemas
from gitopsd.plugin import registry


@click.command()
@click.argument("kind", required=False)
def schema(kind: str | None) -> None:
    """Print the JSON Schema of all known kinds, or of KIND.

    \b
    Examples:
      gitopsd schema > gitopsd.schema.json
      gitopsd schema Kustomization
    """
    options.run(lambda: _schema(kind))


async def _schema(kind: str | None) -> Exit:
    text = msgspec.json.encode(schemas.schema(registry.load(), kind))
    click.echo(msgspec.json.format(text, indent=2).decode())
    return Exit.READY
