"""What this identity may not do, asked of the server beforehand (SelfSubjectAccessReview), in sentences."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gitopsd.plugin import Actor, Need
from gitopsd_plugins.kubernetes import client as clients
from gitopsd_plugins.kubernetes import tasks
from gitopsd_plugins.kubernetes.client import Client
from gitopsd_plugins.kubernetes.discovery import Discovery

_VERBS = ("get", "list", "watch", "create", "patch", "delete")
_READ = ("get", "list", "watch")
_RECORDS = (
    ("", "configmaps", ("get", "list", "create", "update", "delete")),
    ("coordination.k8s.io", "leases", ("get", "create", "update")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    group: str
    plural: str
    verb: str
    namespace: str = ""


async def missing(
    client: Client, discovery: Discovery, actor: Actor, kinds: Collection[tuple[str, str, str]]
) -> Sequence[str]:
    """One sentence per kind with the verbs that are denied. Asked for the whole cluster, records for their namespace."""
    questions = []
    for group, version, kind in kinds:
        resource = await discovery.find(group, kind, version) or discovery.kinds.find(group, kind)
        if resource is not None:
            verbs = _READ if actor.read_only else _VERBS
            questions += [_Question(group=group, plural=resource.plural, verb=verb) for verb in verbs]
    if not actor.read_only:
        questions += [
            _Question(group=group, plural=plural, verb=verb, namespace=actor.namespace)
            for group, plural, verbs in _RECORDS
            for verb in verbs
        ]
    return _sentences(await _denied(client, questions))


async def denied(client: Client, discovery: Discovery, needs: Collection[Need]) -> Sequence[str]:
    """The same for exactly these verbs, kinds and namespaces. What the server does not know yet nobody can be asked about."""
    questions = []
    for need in needs:
        resource = await discovery.find(need.group, need.kind, need.version) or discovery.kinds.find(
            need.group, need.kind
        )
        if resource is not None:
            namespace = need.namespace if resource.namespaced else ""
            questions += [
                _Question(group=need.group, plural=resource.plural, verb=verb, namespace=namespace)
                for verb in need.verbs
            ]
    return _sentences(await _denied(client, questions))


async def _denied(client: Client, questions: Sequence[_Question]) -> Sequence[_Question]:
    async def ask(question: _Question) -> bool:
        return await _is_allowed(client, question)

    allowed = await tasks.each(ask, questions)
    return [question for question, yes in zip(questions, allowed, strict=True) if not yes]


async def _is_allowed(client: Client, question: _Question) -> bool:
    attributes = {"group": question.group, "resource": question.plural, "verb": question.verb}
    if question.namespace:
        attributes["namespace"] = question.namespace
    reply = await client.send(
        "POST",
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        params=clients.dry({}),
        body={
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        },
    )
    body = clients.checked(reply, "the server could not be asked for this identity's rights")
    return bool((body.get("status") or {}).get("allowed"))


def _sentences(denied: Sequence[_Question]) -> Sequence[str]:
    verbs: dict[tuple[str, str, str], list[str]] = {}
    for question in denied:
        verbs.setdefault((question.group, question.plural, question.namespace), []).append(question.verb)
    return [
        f"may not {', '.join(names)} {plural}{f'.{group}' if group else ''} "
        f"{f'in namespace {namespace}' if namespace else 'in all namespaces'}"
        for (group, plural, namespace), names in verbs.items()
    ]
