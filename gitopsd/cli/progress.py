"""What goes on, while it goes on: one moving line per object on a terminal, a plain line per outcome elsewhere.

The display moves only while a command waits (`moving`), and is gone before anything is printed: two writers on one terminal
would overwrite each other.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Outcome, Phase

_STYLES = {
    Phase.READY: ("✔", "green"),
    Phase.PROGRESSING: ("◎", "yellow"),
    Phase.WAITING: ("◎", "yellow"),
    Phase.SUSPENDED: ("·", "dim"),
    Phase.UNSERVED: ("·", "dim"),
    Phase.DELETED: ("✔", "green"),
}
MOST = 20
"""Lines of a moving display; the latest are shown."""


class Progress:
    """Hears outcomes; shows them on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._latest: dict[ObjectRef, Outcome] = {}

    def note(self, outcome: Outcome) -> None:
        """Show an outcome; without a terminal, and but for what is only under way, as a line of its own."""
        self._latest.pop(outcome.ref, None)
        self._latest[outcome.ref] = outcome
        if self._live:
            self._live.update(self._shown())
        elif not self._console.is_terminal and outcome.phase is not Phase.PROGRESSING:
            print(line(outcome).plain, file=sys.stderr)
        if outcome.trace:  # a bug of ours: whoever reports it needs this
            self._console.print(outcome.trace, markup=False)

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Show what goes on for as long as this lasts."""
        if not self._console.is_terminal:
            yield
            return
        with Live(self._shown(), console=self._console, refresh_per_second=10, transient=True) as self._live:
            try:
                yield
            finally:
                self._live = None

    def _shown(self) -> RenderableType:
        grid = Table.grid()
        for outcome in list(self._latest.values())[-MOST:]:
            grid.add_row(line(outcome))
        ready = sum(1 for o in self._latest.values() if o.phase is Phase.READY)
        grid.add_row(Spinner("dots", Text(f"{ready} of {len(self._latest)} ready")))
        return grid


def line(outcome: Outcome) -> Text:
    """One outcome in one line."""
    sign, style = _STYLES.get(outcome.phase, ("✗", "red"))
    counts = ", ".join(f"{number} {action}" for action, number in outcome.changed.items())
    message = outcome.message.removeprefix(f"{outcome.ref}: ")
    parts = ((f"{sign} ", style), f"{outcome.ref} ", message, f" ({counts})" if counts else "")
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")
