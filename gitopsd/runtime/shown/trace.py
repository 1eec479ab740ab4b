"""PURE. Where an object in a cluster comes from: the app that owns it, the apps that declared that, the source, the revision."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from gitopsd.model.declared import AppIntent, Intent
from gitopsd.model.errors import UsageError
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.inventory import Inventory
from gitopsd.runtime.shown.view import TraceStep, View


def of(
    name: str,
    inventories: Mapping[ObjectRef, Inventory],
    look: Callable[[ObjectRef], View | None],
    intents: Mapping[ObjectRef, Intent],
) -> tuple[TraceStep, ...]:
    """From the object up to its source. Raises `UsageError` for a name that no app owns, or several do."""
    owners = [(app, id) for app, inventory in inventories.items() for id in inventory.owned if name in _names(id)]
    if not owners:
        raise UsageError(f"{name}: no app owns it; name it as KIND/NAMESPACE/NAME, as `gitopsd tree -o name` does")
    if len({id for _, id in owners}) > 1:
        known = ", ".join(sorted({str(id) for _, id in owners}))
        raise UsageError(f"{name}: means several objects: {known}; name one of them whole")
    app, id = min(owners)
    return tuple(_steps(app, id, look, intents))


def _names(id: ResourceId) -> set[str]:
    kinds = (id.kind, id.kind.lower())
    return {f"{kind}/{rest}" for kind in kinds for rest in (id.name, f"{id.namespace}/{id.name}")} | {str(id)}


def _steps(
    app: ObjectRef, id: ResourceId, look: Callable[[ObjectRef], View | None], intents: Mapping[ObjectRef, Intent]
) -> Iterator[TraceStep]:
    yield TraceStep(what="object", name=str(id))
    at: ObjectRef | None = app
    last: AppIntent | None = None
    for _ in range(20):  # levels of apps within apps, as a tree shows them
        if at is None:
            break
        view, intent = look(at), intents.get(at)
        yield _step("applied by" if last is None else "declared by", at, view)
        last = intent if isinstance(intent, AppIntent) else last
        at = view.parent if view else None
    owner = intents.get(app)
    yield from _sources(owner if isinstance(owner, AppIntent) else None, look)


def _sources(owner: AppIntent | None, look: Callable[[ObjectRef], View | None]) -> Iterable[TraceStep]:
    if owner is not None:
        view = look(owner.source)
        yield _step("from", owner.source, view)
        if view is not None and view.revision:
            url = str((view.document.get("spec") or {}).get("url", ""))
            yield TraceStep(what="revision", name=view.revision, message=url)


def _step(what: str, ref: ObjectRef, view: View | None) -> TraceStep:
    if view is None:
        return TraceStep(what=what, name=str(ref), message="is not declared")
    ready = {True: "True", False: "False", None: "Unknown"}[view.ready]
    return TraceStep(
        what=what, name=str(ref), place=view.place, revision=view.revision, ready=ready, message=view.message
    )
