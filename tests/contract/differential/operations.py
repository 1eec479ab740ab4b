"""What a random sequence is made of: one operation is one request, or a read and the write that follows from it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from contract.differential import trees
from contract.differential.kinds import METADATA, NAMED, Kind
from contract.differential.servers import Answer, Json, Server
from hypothesis import strategies as st

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"

NAMES = st.sampled_from(["a", "a", "a", "b"])
APPLIERS = st.sampled_from(["one", "one", "two", "kubectl"])
EDITORS = st.sampled_from(["editor", "editor", "kubectl-edit", "one"])
APPLIED_SCALES = (2, 3)
"""No number that an update sets: what comes of sharing one with an updater stands in the table of differences."""
FORCED = st.sampled_from([{}, {}, {"force": "true"}])
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "dryRun": st.just("All"),
        "fieldValidation": st.sampled_from(["Strict", "Warn", "Ignore"]),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One request to an object of the sequence's kind. `follow` reads the object first and sends it changed by `body`."""

    verb: str
    name: str = ""
    subresource: str = ""
    body: Any = None
    content_type: str = "application/json"
    query: dict[str, str] = field(default_factory=dict)
    follow: bool = False

    def run(self, server: Server, kind: Kind, namespace: str) -> Answer:
        """Ask one server."""
        where = "/".join(part for part in (kind.path(namespace), self.name, self.subresource) if part)
        body = self.body
        if self.follow:
            found = server.ask("GET", where)
            if found.status != 200:
                return found
            body = _merged(found.body, self.body)
        query = f"?{urlencode(self.query)}" if self.query else ""
        text = b"" if body is None else json.dumps(body).encode()
        return server.ask(self.verb, where + query, text, self.content_type if text else "")


def _merged(value: Any, patch: Any) -> Any:
    if not isinstance(patch, dict) or not isinstance(value, dict):
        return patch
    result = {name: item for name, item in value.items() if patch.get(name, "") is not None}
    return result | {name: _merged(value.get(name), item) for name, item in patch.items() if item is not None}


def sequences(kind: Kind) -> st.SearchStrategy[list[Operation]]:
    """Up to ten operations on objects of one kind, of which the first makes one; most of them touch the same one."""
    more = st.lists(operations(kind), min_size=1, max_size=9)
    return st.builds(lambda first, rest: [first, *rest], st.one_of(_create(kind), _applied(kind), _least(kind)), more)


def _least(kind: Kind) -> st.SearchStrategy[Operation]:
    """What always succeeds."""
    return st.just(Operation(verb="POST", body=_body(kind, "a", kind.least, {}), query={"fieldManager": "creator"}))


def operations(kind: Kind) -> st.SearchStrategy[Operation]:
    """One operation of any sort."""
    found = [
        _create(kind), _applied(kind), _applied(kind), _applied(kind), _patched(kind), _patched(kind), _replaced(kind), _edited(kind),
        _deleted(kind), _read(),
    ]  # fmt: skip
    if kind.status is not None:
        found.append(_status(kind))
    if kind.scales:
        found.append(_scaled(kind))
    return st.one_of(*found)


def _body(kind: Kind, name: str, content: Json, metadata: Json) -> Json:
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name, **metadata}, **content}


def _bodies(kind: Kind, names: st.SearchStrategy[str]) -> st.SearchStrategy[Json]:
    metadata = st.one_of(trees.whole(NAMED), trees.whole(METADATA), st.just({}))
    return st.builds(
        lambda name, content, meta: _body(kind, name, content, meta), names, trees.whole(kind.tree), metadata
    )


def _managed(managers: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, str]]:
    plain: st.SearchStrategy[dict[str, str]] = st.just({})
    return st.builds(lambda who, more: {"fieldManager": who, **more}, managers, st.one_of(plain, plain, plain, OPTIONS))


def _create(kind: Kind) -> st.SearchStrategy[Operation]:
    return st.builds(
        lambda body, query: Operation(verb="POST", body=body, query=query), _bodies(kind, NAMES), _managed(EDITORS)
    )


def _applied(kind: Kind) -> st.SearchStrategy[Operation]:
    return st.builds(
        lambda body, query, force: Operation(
            verb="PATCH", name=body["metadata"]["name"], body=body, content_type=APPLY, query={**query, **force}
        ),
        _bodies(kind, NAMES),
        _managed(APPLIERS),
        FORCED,
    )


def _changes(kind: Kind, *, strategic: bool = False) -> st.SearchStrategy[Json]:
    return trees.partial({**kind.tree, "metadata": NAMED}, strategic=strategic)


def _patched(kind: Kind) -> st.SearchStrategy[Operation]:
    whole = {**kind.tree, "metadata": {**NAMED, "finalizers?": METADATA["finalizers?"]}}
    merges = st.builds(lambda body: (MERGE, body), _changes(kind))
    strategic = st.builds(lambda body: (STRATEGIC, body), _changes(kind, strategic=True))
    lists = st.builds(lambda body: (JSON_PATCH, body), trees.operations(whole))
    return st.builds(
        lambda name, patch, query: Operation(
            verb="PATCH", name=name, content_type=patch[0], body=patch[1], query=query
        ),
        NAMES,
        st.one_of(merges, strategic, lists),
        _managed(EDITORS),
    )


def _replaced(kind: Kind) -> st.SearchStrategy[Operation]:
    return st.builds(
        lambda body, query: Operation(verb="PUT", name=body["metadata"]["name"], body=body, query=query),
        _bodies(kind, NAMES),
        _managed(EDITORS),
    )


def _edited(kind: Kind) -> st.SearchStrategy[Operation]:
    """What `kubectl edit` does: read, change, put back."""
    return st.builds(
        lambda name, body, query: Operation(verb="PUT", name=name, body=body, query=query, follow=True),
        NAMES,
        _changes(kind),
        _managed(EDITORS),
    )


def _deleted(kind: Kind) -> st.SearchStrategy[Operation]:
    options = st.sampled_from(
        [
            None,
            None,
            {"propagationPolicy": "Background"},
            {"propagationPolicy": "Foreground"},
            {"propagationPolicy": "Orphan"},
            {"preconditions": {"resourceVersion": "1"}},
            {"dryRun": ["All"]},
        ]
    )
    one = st.builds(lambda name, body: Operation(verb="DELETE", name=name, body=body), NAMES, options)
    many = st.just(Operation(verb="DELETE", query={"labelSelector": "team=a"}))
    return st.one_of(one, one, one, many)


def _read() -> st.SearchStrategy[Operation]:
    queries = st.sampled_from([{}, {"labelSelector": "team=a"}, {"fieldSelector": "metadata.name=a"}, {"limit": "1"}])
    lists = st.builds(lambda query: Operation(verb="GET", query=query), queries)
    return st.one_of(st.builds(lambda name: Operation(verb="GET", name=name), NAMES), lists)


def _status(kind: Kind) -> st.SearchStrategy[Operation]:
    assert kind.status is not None
    whole, part = trees.whole(kind.status), trees.partial(kind.status)
    bodies = st.builds(lambda name, status: _body(kind, name, {**kind.least, "status": status}, {}), NAMES, whole)
    applied = st.builds(
        lambda body, query: Operation(
            verb="PATCH",
            name=body["metadata"]["name"],
            subresource="status",
            body=body,
            content_type=APPLY,
            query=query,
        ),
        bodies,
        _managed(APPLIERS),
    )
    patched = st.builds(
        lambda name, status, query: Operation(
            verb="PATCH", name=name, subresource="status", body={"status": status}, content_type=MERGE, query=query
        ),
        NAMES,
        part,
        _managed(EDITORS),
    )
    replaced = st.builds(lambda op: replace(op, follow=True), patched).map(
        lambda op: replace(op, verb="PUT", content_type="application/json")
    )
    return st.one_of(applied, patched, replaced) if kind.applies_status else st.one_of(patched, replaced)


def _scaled(kind: Kind) -> st.SearchStrategy[Operation]:
    wanted = st.sampled_from([{"spec": {"replicas": 0}}, {"spec": {"replicas": 4}}, {"spec": {"replicas": -1}}])
    patched = st.builds(
        lambda name, body, query: Operation(
            verb="PATCH", name=name, subresource="scale", body=body, content_type=MERGE, query=query
        ),
        NAMES,
        wanted,
        _managed(EDITORS),
    )
    replaced = st.builds(lambda op: replace(op, verb="PUT", content_type="application/json", follow=True), patched)
    applied = st.builds(
        lambda name, body, query: Operation(
            verb="PATCH",
            name=name,
            subresource="scale",
            body={"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": name}, **body},
            content_type=APPLY,
            query=query,
        ),
        NAMES,
        st.sampled_from([{"spec": {"replicas": number}} for number in APPLIED_SCALES]),
        st.builds(lambda manager, force: {**manager, **force}, _managed(APPLIERS), FORCED),
    )
    read = st.builds(lambda name: Operation(verb="GET", name=name, subresource="scale"), NAMES)
    return st.one_of(patched, replaced, applied, read)
