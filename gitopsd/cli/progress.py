"""What goes on, while it goes on: one moving line per object on a terminal, a plain line per outcome elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
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


@contextmanager
def shown() -> Iterator[Callable[[Outcome], None]]:
    """A display for the time of a command, on standard error; hand each outcome to what is lent."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _plain
        return
    latest: dict[ObjectRef, Text] = {}
    with Live(console=console, refresh_per_second=10, transient=True) as live:

        def note(outcome: Outcome) -> None:
            latest.pop(outcome.ref, None)
            latest[outcome.ref] = line(outcome)
            live.update(Text("\n").join(list(latest.values())[-MOST:]))

        yield note


def line(outcome: Outcome) -> Text:
    """One outcome in one line."""
    sign, style = _STYLES.get(outcome.phase, ("✗", "red"))
    counts = ", ".join(f"{number} {action}" for action, number in outcome.changed.items())
    message = outcome.message.removeprefix(f"{outcome.ref}: ")
    return Text.assemble((f"{sign} ", style), f"{outcome.ref} ", message, f" ({counts})" if counts else "")


def _plain(outcome: Outcome) -> None:
    if outcome.phase is not Phase.PROGRESSING:
        print(line(outcome).plain, file=sys.stderr)
