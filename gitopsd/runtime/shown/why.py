"""PURE. What an object is waiting for: the chain from it to the one at which it hangs, since when, and what would unblock it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gitopsd.model.declared import AppIntent, Intent, SourceIntent, Unserved
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Phase
from gitopsd.runtime.shown.view import Link, View

LONGEST = 1000
"""Links of a chain; dependencies go round in no circle, so it ends long before."""


def chain(
    ref: ObjectRef,
    look: Callable[[ObjectRef], View | None],
    intents: Mapping[ObjectRef, Intent],
    holding: Mapping[ObjectRef, frozenset[ObjectRef]],
    awaits: Callable[[ObjectRef], ObjectRef | None],
) -> tuple[Link, ...]:
    """From the object to the end of the chain; one link for an object that waits for nobody. `look` None: not declared.

    `awaits`: after whom an object looks, that is about to.
    """
    links: list[Link] = []
    at: ObjectRef | None = ref
    while at is not None and len(links) < LONGEST:
        view, intent = look(at), intents.get(at)
        first = awaits(at) if view and not view.suspended else None
        follows = first or _follows(view, intent, look)
        link = _link(at, view, intent, follows, holding.get(at, frozenset()))
        links.append(_later(link, first) if first else link)
        at = follows
    return tuple(links)


def _follows(view: View | None, intent: Intent | None, look: Callable[[ObjectRef], View | None]) -> ObjectRef | None:
    """The first one that this object waits for, in the order in which it needs them."""
    if view is None or view.ready or view.suspended or not isinstance(intent, AppIntent | SourceIntent):
        return None
    source = (intent.source,) if isinstance(intent, AppIntent) else ()
    needed: tuple[ObjectRef, ...] = (*source, *intent.depends_on)
    for index, ref in enumerate(needed):
        other = look(ref)
        is_source = index == 0 and isinstance(intent, AppIntent)
        if other is None or not (other.ready or (is_source and other.revision)):  # an old artifact serves on
            return ref
    return None


def _link(
    ref: ObjectRef, view: View | None, intent: Intent | None, follows: ObjectRef | None, held: frozenset[ObjectRef]
) -> Link:
    if view is None:
        return Link(ref=ref, state="missing", message="is not declared", unblock="declare it, or correct who names it")
    return Link(
        ref=ref,
        state=_state(view, follows),
        since=_since(view.document),
        message=view.message.removeprefix(f"{ref}: "),
        unblock=_unblock(view, intent, follows, held),
        place=view.place,
    )


def _later(link: Link, first: ObjectRef) -> Link:
    """An object that waits for another one's look, however it is itself."""
    message = f"looks at what is new after {first}, which may change or end its declaration"
    return replace(link, message=message, unblock=f"{first} having looked")


def _state(view: View, follows: ObjectRef | None) -> str:
    if view.suspended:
        return "suspended"
    if follows is not None:
        return "waiting"
    return str(view.phase) if view.phase else "ready" if view.ready else "unknown" if view.ready is None else "failed"


def _since(document: Mapping[str, Any]) -> str:
    """When its condition Ready came to say what it says."""
    conditions = (document.get("status") or {}).get("conditions") or ()
    ready: Mapping[str, Any] = next((c for c in conditions if c.get("type") == "Ready"), {})
    return str(ready.get("lastTransitionTime", ""))


def _unblock(view: View, intent: Intent | None, follows: ObjectRef | None, held: frozenset[ObjectRef]) -> str:
    name = str(view.ref)
    if view.suspended:
        in_git = isinstance(intent, AppIntent | SourceIntent) and (intent.suspended or intent.hold)
        return f"resume it in its declaration ({view.place})" if in_git else f"gitopsd resume {name}"
    if follows is not None:
        return f"{follows} becoming ready"
    if view.ready:
        waits = f"; its deletions wait for {', '.join(map(str, sorted(held)))}" if held else ""
        return f"nothing: it waits for nobody{waits}"
    return _own_trouble(view, intent)


def _own_trouble(view: View, intent: Intent | None) -> str:
    """What helps an object that waits for nobody and is not ready."""
    if isinstance(intent, Unserved) or view.phase is Phase.UNSERVED:
        return "nothing: its kind is not served yet"
    if view.plan or view.reason == "DeletionNotApproved":
        return f"gitopsd approve {view.ref}" + (f" --plan {view.plan}" if view.plan else "")
    match view.phase:
        case Phase.STALLED:
            return f"a corrected declaration ({view.place}), or a new revision"
        case Phase.PROGRESSING:
            return "its objects becoming healthy"
        case Phase.RETRYING:
            return f"what its message names; tried again in {view.due:.0f} s" if view.due else "what its message names"
        case Phase.ORPHANED:
            return f"declare it again, or gitopsd delete {view.ref}"
    return f"gitopsd reconcile {view.ref}" if view.ready is None else "what its message names"
