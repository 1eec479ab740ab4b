"""`gitopsd import flux`: a cluster's live Flux objects as declared ones."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import anyio
import click

from gitopsd.plugin import ResourceId
from gitopsd.plugin.imports import Import, Imported, Note, Reach, Reader, Wanted
from gitopsd.plugin.imports import delivery as deliveries
from gitopsd.plugin.imports.delivery import Delivery
from gitopsd_plugins.flux import live

SWITCH = (
    "what these objects applied belongs to Flux: run beside it with --read-only; to switch, suspend Flux's objects and let "
    'gitopsd take over with `gitopsd.io/adopt: "true"`'
)


@click.command()
@click.option("--all", "every", is_flag=True, help="Objects that another Kustomization applied too; they come with it.")
@deliveries.options
@click.pass_obj
def flux(reach: Reach, *, every: bool, delivery: Delivery) -> None:
    """Print the Flux objects of a cluster as files for gitopsd. The cluster is only read.

    Those that a Kustomization applied are left out, since they come with it. --secrets-out also reads the Secrets that the
    objects name.

    \b
    Examples:
      gitopsd import flux --context staging
      gitopsd import flux --context staging --to cluster --secrets-out cluster/secrets.yaml
    """

    def make() -> Import:
        async def look(cluster: Reader) -> Import:
            return await _looked(cluster, delivery, every=every)

        return anyio.run(reach, delivery.kubeconfig, delivery.context, look)

    sys.exit(deliveries.run(make, delivery, reach))


async def _looked(cluster: Reader, delivery: Delivery, *, every: bool) -> Import:
    bodies = [body for group, kind in live.KINDS for body in await cluster.listed(group, "", kind)]
    objects = live.declared(bodies, cluster=delivery.context, every=every)
    left = len(bodies) - len(objects)
    notes = (
        [Note(text=f"{left} objects that a Kustomization applies, or a release makes, come with it")] if left else []
    )
    notes += (
        [Note(text=SWITCH)] if objects else [Note(text=f"cluster {delivery.context}: holds no Flux object", lost=True)]
    )
    wanted = live.wanted(objects)
    if delivery.secrets_out is None:
        return Import(objects=objects, wanted=wanted, notes=tuple(notes))
    found = await cluster.found([(_secret(it), "v1") for it in wanted])
    secrets = [
        _imported(found[_secret(it)], delivery) for it in dict.fromkeys(map(_named, wanted)) if _secret(it) in found
    ]
    missing = tuple(it for it in wanted if _secret(it) not in found)
    return Import(objects=objects, secrets=tuple(secrets), wanted=missing, notes=tuple(notes))


def _named(wanted: Wanted) -> Wanted:
    """Without the one that refers to it, so that each Secret is written once."""
    return Wanted(namespace=wanted.namespace, name=wanted.name)


def _secret(wanted: Wanted) -> ResourceId:
    return ResourceId(group="", kind="Secret", namespace=wanted.namespace, name=wanted.name)


def _imported(body: Mapping[str, Any], delivery: Delivery) -> Imported:
    metadata = {key: body["metadata"][key] for key in ("name", "namespace")}
    made = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": body.get("type", "Opaque")}
    return Imported(body={**made, "data": dict(body.get("data") or {})}, heading=f"cluster {delivery.context}")
