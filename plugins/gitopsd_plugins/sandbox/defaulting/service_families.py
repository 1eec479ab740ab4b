"""The families of a Service's addresses on a cluster that has IPv4 only, as most have: what is filled in, and what cannot be had.

Only a Service without address and selector, which leads nowhere by itself, may name families that the cluster does not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import causes
from gitopsd_plugins.sandbox.requests.status import Cause

FAMILIES = ("IPv4", "IPv6")
POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
SINGLE = "SingleStack"


def filled(spec: Json) -> Json:
    """The spec with its policy and its families."""
    free = _is_free(spec)
    policy = spec.get("ipFamilyPolicy") or ("RequireDualStack" if free else SINGLE)
    families = spec.get("ipFamilies") or ["IPv4"]
    if free and policy != SINGLE and len(families) == 1:
        families = [*families, *(each for each in FAMILIES if each not in families)]
    return {**spec, "ipFamilyPolicy": policy, "ipFamilies": families}


def kept(before: Json, spec: Json) -> Json:
    """An updated spec without its second family, where the policy lets go of it."""
    families = spec.get("ipFamilies") or []
    if spec.get("ipFamilyPolicy") == SINGLE and len(families) > 1 and families == before.get("ipFamilies"):
        return {**spec, "ipFamilies": families[:1]}
    return spec


def _is_free(spec: Json) -> bool:
    """Whether the Service has neither address nor selector."""
    return spec.get("clusterIP") == "None" and not spec.get("selector")


def of(spec: Json) -> Iterator[Cause]:
    """What is wrong with families and addresses."""
    found = list(_rules(spec))
    yield from found or _unavailable(spec)


def _rules(spec: Json) -> Iterator[Cause]:
    """What is wrong with them whatever the cluster has."""
    policy, families = spec.get("ipFamilyPolicy"), spec.get("ipFamilies") or []
    for index, family in enumerate(families):
        if family not in FAMILIES:
            yield causes.unsupported(f"spec.ipFamilies[{index}]", family, FAMILIES)
        elif family in families[:index]:
            yield Cause(f"spec.ipFamilies[{index}]", "FieldValueDuplicate", f'Duplicate value: "{family}"')
    if policy and policy not in POLICIES:
        yield causes.unsupported("spec.ipFamilyPolicy", policy, POLICIES)
    for index, address in enumerate(spec.get("clusterIPs") or ()):
        if not _family(address):
            why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            yield causes.wrong(f"spec.clusterIPs[{index}]", address, why)
    for index, (family, address) in enumerate(zip(families, spec.get("clusterIPs") or (), strict=False)):
        if family in FAMILIES and _family(address) not in ("None", "", family):
            why = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            yield causes.wrong(f"spec.clusterIPs[{index}]", address, why)


def _family(address: str) -> str:
    """The family of an address, `None` for the word that stands for no address, nothing for what is none of them."""
    if address == "None":
        return address
    try:
        return f"IPv{ip_address(address).version}"
    except ValueError:
        return ""


def _unavailable(spec: Json) -> Iterator[Cause]:
    """What a spec that is right in itself asks for, and the cluster does not have."""
    policy, families = spec.get("ipFamilyPolicy"), spec.get("ipFamilies") or []
    if policy == SINGLE and len(families) > 1:
        why = "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"
        yield causes.wrong("spec.ipFamilyPolicy", policy, why)
    elif not _is_free(spec):
        if policy == "RequireDualStack":
            why = "this cluster is not configured for dual-stack services"
            yield causes.wrong("spec.ipFamilyPolicy", policy, why)
        for index, family in enumerate(families):
            if family != "IPv4":
                yield causes.wrong(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")


def changes(before: Json, after: Json) -> Iterator[Cause]:
    """What may not be taken away from a Service with two families."""
    policy = after.get("ipFamilyPolicy")
    if policy != SINGLE and len(before.get("ipFamilies") or ()) > len(after.get("ipFamilies") or ()):
        why = "must be 'SingleStack' to release the secondary IP family"
        yield causes.wrong("spec.ipFamilyPolicy", policy, why)
