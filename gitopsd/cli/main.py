"""The entry point: finds a verb by its name and imports only that one, so that short commands start fast.

Built-in verbs stand in the table below; plugins add theirs by the entry-point group `gitopsd.commands`, listed without
being imported.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from gitopsd import __version__
from gitopsd.cli.lazy import LazyGroup

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

VERBS = {
    "approve": ("decisions", "Approve deletions that wait"),
    "build": ("build", "Render a folder and print the manifests"),
    "check": ("check", "Check settings, objects, credentials and cluster rights: what would go wrong"),
    "completion": ("completion", "Print the completion script of a shell"),
    "delete": ("decisions", "Delete an app with what it applied"),
    "demo": ("demo", "Show the main job on the embedded sandbox"),
    "diff": ("diff", "Show what a reconcile would change now"),
    "events": ("past", "Show what happens in the daemon, live"),
    "get": ("get", "List objects and how they are"),
    "history": ("past", "List what changed something, and who decided what"),
    "import": ("importing:imports", "Make Flux objects of what other tools keep: aks, flux, argocd"),
    "logs": ("past", "Show the daemon's log lines about one object"),
    "plan": ("plan", "Show what any revision, branch or local folder would change"),
    "plugins": ("plugins", "List plugins and what they offer"),
    "reconcile": ("reconcile", "Reconcile now: named objects, or everything once"),
    "resume": ("decisions", "End a suspension"),
    "run": ("run", "Run the daemon"),
    "schema": ("schema", "Print the JSON Schema of the objects, for editors"),
    "stats": ("stats", "Show the daemon in numbers"),
    "store": ("store", "Look after the local store"),
    "suspend": ("decisions", "Leave an app alone for a while"),
    "trace": ("inquiries", "Say where an object in a cluster comes from"),
    "tree": ("tree", "Show what was applied, as a tree with health"),
    "why": ("inquiries", "Say what an object waits for, and what would unblock it"),
}
GROUP = "gitopsd.commands"


def _plugins() -> EntryPoints:
    # 70 ms that `gitopsd --version` and the built-in verbs need not wait for
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)


class Verbs(LazyGroup):
    """A group that imports a verb when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every verb, the plugins' included."""
        return sorted({*VERBS, *(entry.name for entry in _plugins())})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb of this name, imported now."""
        if cmd_name in VERBS:
            module, _, function = VERBS[cmd_name][0].partition(":")
            command: click.Command = getattr(import_module(f"gitopsd.cli.{module}"), function or cmd_name)
            return command
        for entry in _plugins():
            if entry.name == cmd_name:
                loaded: click.Command = entry.load()
                return loaded
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs with one line each, without importing any."""
        rows = [(name, VERBS[name][1] if name in VERBS else "(plugin)") for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, message="gitopsd %(version)s")
def gitopsd() -> None:
    """Keep Kubernetes clusters equal to what Git says, with Flux's own objects.

    \b
    Examples:
      gitopsd check -c config.yaml                  what would go wrong
      gitopsd reconcile --once -c config.yaml       once, in dependency order
      gitopsd run -c /etc/gitopsd                   the daemon
      gitopsd get                                   how everything is

    Exit codes: 0 all ready, 1 something failed, 2 wrong configuration or usage, 3 timed out or held by another instance;
    diff and plan: 0 no change, 4 changes.
    """


def main() -> None:
    """Run the command line and exit."""
    sys.exit(gitopsd.main(prog_name="gitopsd", standalone_mode=True))
