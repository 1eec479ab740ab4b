"""Random sequences of requests get the same answers, objects, owners and watch events from the sandbox and a real API server.

`GITOPSD_DIFFERENTIAL` is the number of sequences; without it a few that are always the same are run. A failure prints the shortest
sequence that shows it.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from contract.differential import comparing, custom, kinds, operations
from contract.differential.comparing import Names
from contract.differential.kinds import Kind
from contract.differential.operations import Operation
from contract.differential.servers import Json, Real, Sandbox, Server
from fakes.control_plane import ControlPlane, assets, missing
from hypothesis import HealthCheck, Phase, given, note, settings

pytestmark = [pytest.mark.contract, pytest.mark.timeout(3600)]

ASKED = os.environ.get("GITOPSD_DIFFERENTIAL", "")
SEQUENCES = int(ASKED or 66)
KINDS = (*kinds.BUILT_IN, *custom.CUSTOM)
NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class Twins:
    """Both servers, with the same definitions."""

    sandbox: Server
    real: Server


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    if reason := missing(assets()):
        pytest.skip(reason)
    with ControlPlane(tmp_path_factory.mktemp("twin"), controllers=False) as plane:
        both = Twins(Sandbox(), Real(plane))
        for server in (both.sandbox, both.real):
            _define(server)
        yield both


def _define(server: Server) -> None:
    for body in custom.definitions():
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        assert server.ask("POST", path, json.dumps(body).encode(), "application/json").status == 201
    for kind in custom.CUSTOM:
        for _ in range(1000):
            if server.ask("GET", kind.path("default")).status == 200:
                break


def _run(server: Server, kind: Kind, namespace: str, sequence: list[Operation]) -> tuple[list[Any], list[Any]]:
    """The answers to a sequence in a namespace of its own, and what two watches saw of it."""
    names = Names()
    made = json.dumps({"metadata": {"name": namespace}}).encode()
    assert server.ask("POST", "/api/v1/namespaces", made, "application/json").status == 201
    start = server.ask("GET", kind.path(namespace)).body["metadata"]["resourceVersion"]
    answers = []
    for operation in sequence:
        answer = operation.run(server, kind, namespace)
        body: Any = answer.body
        if isinstance(body, dict) and body.get("kind", "").endswith("List"):
            body = comparing.listed(body)
        answers.append(names.answer(type(answer)(answer.status, body, answer.warnings)))
    return answers, _events(server, kind, namespace, start, names)


def _events(server: Server, kind: Kind, namespace: str, start: str, names: Names) -> list[Any]:
    last: Json = {"metadata": {"name": "zz", "labels": {"team": "a"}}, **kind.least}
    last = {"apiVersion": kind.api_version, "kind": kind.kind, **last}
    assert server.ask("POST", kind.path(namespace), json.dumps(last).encode(), "application/json").status == 201
    seen = []
    for more in ("", "&labelSelector=team%3Da"):
        url = f"{kind.path(namespace)}?watch=1&resourceVersion={start}{more}&timeoutSeconds=20"
        seen.append(names.clean(server.watched(url, "zz")))
    return seen


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_random_sequences_are_answered_alike(twins: Twins, kind: Kind) -> None:
    @settings(
        max_examples=max(1, SEQUENCES // len(KINDS)),
        deadline=None,
        derandomize=not ASKED,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(operations.sequences(kind))
    def alike(sequence: list[Operation]) -> None:
        namespace = f"d{next(NUMBERS)}"
        expected, events = _run(twins.real, kind, namespace, sequence)
        found, seen = _run(twins.sandbox, kind, namespace, sequence)
        for operation, right, ours in zip(sequence, expected, found, strict=True):
            note(f"{operation}")
            assert ours == right
        assert seen == events

    alike()
