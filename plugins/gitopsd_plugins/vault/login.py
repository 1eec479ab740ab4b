"""A login with a token of a service account, as Flux does it: where, says a ConfigMap of the operator's; as whom, the account.

    instances:
    - address: https://vault.example.org
      loginPath: auth/kubernetes/login

The role is `NAMESPACE_NAME` of the account; its token is made out to the address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gitopsd.plugin import Asker, Context, Misconfigured, Rejected, Spec, SpecError, spec, yaml
from gitopsd.plugin.cloud import Token, lent
from gitopsd.plugin.cloud import account as accounts
from gitopsd.plugin.cloud import ask as asking
from gitopsd.plugin.cloud.account import Account
from gitopsd.plugin.cloud.ask import Ask

FILE = "config.yaml"
TIMEOUT = 15.0


class Instance(Spec, frozen=True, kw_only=True):
    """A Vault where service accounts may log in."""

    address: str
    login_path: str


class Instances(Spec, frozen=True, kw_only=True):
    """Under the key `config.yaml`."""

    instances: tuple[Instance, ...] = ()


def path(address: str, asker: Asker, named: str) -> str:
    """Where accounts log in to the Vault at this address. Raises `Rejected` where nobody says that they may."""
    for instance in _instances(asker).instances:
        if instance.address.rstrip("/") == address:
            return instance.login_path.strip("/")
    raise Rejected(
        f"{named}: {asker.account} may log in only where the ConfigMap of the setting decryption.configMap lists the address; it "
        "does not list this one"
    )


async def token(address: str, path: str, account: Account, ctx: Context) -> Token:
    """What the login gives. Raises `Rejected`, `Transient`, and `NotReady` for an account that nobody knows."""
    jwt = (await accounts.token(await accounts.described(account, ctx), address, ctx)).value
    ctx.conceal(jwt.encode())
    role = f"{account.namespace}_{account.name}"
    ask = Ask(
        method="POST",
        url=f"{address}/v1/{path}",
        headers={"X-Vault-Request": "true", "Content-Type": "application/json"},
        data=msgspec.json.encode({"role": role, "jwt": jwt}),
        what=f"the login at Vault {address}/v1/{path} as the role {role}",
    )
    answer: Mapping[str, Any] = await asking.json(ask, ctx, TIMEOUT)
    found = answer.get("auth")
    found = found if isinstance(found, Mapping) else {}
    value = asking.word(found, "client_token", ask)
    ctx.conceal(value.encode())
    return Token(value=value, until=lent.lasting(ctx.now(), found.get("lease_duration") or 60, ask.what))


def _instances(asker: Asker) -> Instances:
    text = asker.settings.get(FILE)
    if text is None:
        return Instances()
    try:
        return spec.decode(yaml.read(text), Instances)
    except (yaml.YamlError, SpecError) as error:
        raise Misconfigured(f"{FILE} of the ConfigMap of the setting decryption.configMap: {error}") from error
