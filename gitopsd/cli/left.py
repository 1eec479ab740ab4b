"""What the last run left behind in the state folder, for whoever asks while no daemon runs."""

from __future__ import annotations

from collections.abc import Sequence

from gitopsd.config.chosen import Loaded
from gitopsd.model.outcome import LedgerRow
from gitopsd.runtime import family, past
from gitopsd.runtime.shown import views as shown
from gitopsd.runtime.shown.view import View
from gitopsd.store import Store


def views(loaded: Loaded, names: tuple[str, ...]) -> Sequence[View]:
    """How these objects were, or all."""
    with Store.open(loaded.state) as store:
        statuses, kept = store.statuses(), store.children()
    objects, intents = dict(loaded.declared.objects), dict(loaded.declared.intents)
    for children in family.recalled(kept, loaded.declared, loaded.registry).values():
        objects |= children.objects
        intents |= children.intents
    found = [shown.stored(d, intents[ref], statuses.get(ref, {})) for ref, d in sorted(objects.items())]
    if not names:
        return found
    refs = {ref for name in names for ref in shown.find(name, objects, loaded.registry)}
    return [view for view in found if view.ref in refs]


def rows(loaded: Loaded, names: tuple[str, ...], limit: int) -> Sequence[LedgerRow]:
    """The ledger's latest rows about these objects, or all; of an object that is declared no more its whole name is needed."""
    with Store.open(loaded.state) as store:
        known = dict.fromkeys(loaded.declared.objects)
        for children in family.recalled(store.children(), loaded.declared, loaded.registry).values():
            known |= dict.fromkeys(children.objects)
        known |= dict.fromkeys(row.ref for row in store.ledger(10_000))
        refs = [ref for name in names for ref in shown.find(name, known, loaded.registry)]
        return past.rows(store, refs, limit)
