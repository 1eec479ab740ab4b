"""Clusters of Amazon EKS: found by their ARN, opened by a question to Amazon that is signed beforehand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from gitopsd.plugin import AccountToken, Context
from gitopsd.plugin.cloud import Account, ask, aws, sigv4
from gitopsd.plugin.cloud.ask import Ask
from gitopsd_plugins.kubernetes.access import place
from gitopsd_plugins.kubernetes.access.place import TIMEOUT, Lent, Place

FORM = "arn:aws:eks:REGION:ACCOUNT:cluster/NAME"
_ARN = re.compile(r"arn:aws[a-z-]*:eks:([a-z0-9-]{1,40}):[0-9]{1,30}:cluster/([0-9A-Za-z][A-Za-z0-9_-]{0,99})")
_GOOD_FOR = timedelta(minutes=15)
"""How long a cluster takes a signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eks:
    """One cluster of a region, by its name."""

    account: Account
    region: str
    name: str

    @classmethod
    def of(cls, account: Account, cluster: str, where: str) -> Eks:
        """From the ARN, without which not even a token can be made. Raises `Misconfigured`."""
        found = _ARN.fullmatch(cluster)
        if not found:
            raise place.misnamed(where, cluster, FORM)
        return cls(account=account, region=found[1], name=found[2])

    async def place(self, _address: str, ctx: Context) -> Place:
        """Of the region's EKS."""
        by = await aws.keys(self.account, self.region, ctx, TIMEOUT)
        base = ctx.platform.get("AWS_ENDPOINT_URL_EKS") or f"https://eks.{self.region}.{aws.domain(self.region)}"
        url = f"{base.rstrip('/')}/clusters/{quote(self.name)}"
        scope = sigv4.Scope(region=self.region, service="eks", now=ctx.now())
        asked = Ask(
            url=url,
            headers=sigv4.signed(by, "GET", url, {}, b"", scope),
            what=f"EKS at {base} for the cluster {self.name}",
            remedy="the role needs eks:DescribeCluster",
        )
        with ctx.kept.minded(by):
            found = await ask.json(asked, ctx, TIMEOUT)
        ca = place.inside(found, "cluster", "certificateAuthority", "data")
        return place.told(place.inside(found, "cluster", "endpoint"), ca, asked.what)

    async def token(self, ctx: Context) -> Lent:
        """Made here, by keys of the account's role."""
        by = await aws.keys(self.account, self.region, ctx, TIMEOUT)
        value = aws.eks_token(by, self.name, self.region, ctx)
        ctx.conceal(value.encode())
        return Lent(token=AccountToken(value=value, expires=min(ctx.now() + _GOOD_FOR, by.until)), by=by)
