"""`gitopsd plugins`: what is installed, what it offers, and what did not load."""

from __future__ import annotations

import click
from rich.table import Table

from gitopsd.cli import options, output
from gitopsd.cli.exits import Exit
from gitopsd.plugin import registry


@click.command()
@click.option("-o", "--output", "shape", type=click.Choice(["table", "json", "yaml"]), default="table")
def plugins(shape: str) -> None:
    """List plugins: name, version, state, what they offer. Exit code 1: one of them did not load.

    \b
    Examples:
      gitopsd plugins
      gitopsd plugins -o yaml
    """
    options.run(lambda: _plugins(shape))


async def _plugins(shape: str) -> Exit:
    found = registry.load().plugins
    if shape != "table":
        output.machine(list(found), shape)
        return Exit.READY
    table = Table("NAME", "VERSION", "STATE", "OFFERS", box=None, pad_edge=False, header_style="bold")
    for info in found:
        offers = "; ".join(_offer(role, names) for role, names in info.offers.items())
        table.add_row(info.name, f"{info.distribution} {info.version}", info.state, info.error or offers)
    output.console().print(table)
    return Exit.FAILED if any(info.state == "failed" for info in found) else Exit.READY


def _offer(role: str, names: tuple[str, ...]) -> str:
    if role == "health":
        return f"health of {len(names)} kinds"
    return f"{role}: {', '.join(names)}"
