"""The services by which clouds lend identities, on loopback: they note what they are asked and answer as they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from aiohttp import web

from gitopsd.plugin import AccountToken, Context, Http, NotReady, ServiceAccount

START = datetime(2026, 1, 2, 3, tzinfo=UTC)
Reply = Callable[["Asked"], web.Response] | web.Response | Mapping[str, Any] | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: path with its query, headers in lower case, body, and its fields where it is a form."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    form: Mapping[str, str]


@dataclass(slots=True)
class Cloud:
    """A server whose answers are looked up by the beginning of `METHOD /path`; what nobody foresaw is a 404."""

    url: str = ""
    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        form = {name: str(value) for name, value in (await request.post()).items()}
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Asked(method=request.method, path=request.raw_path, headers=headers, body=body, form=form)
        self.asked.append(asked)
        name = f"{asked.method} {asked.path}"
        found = next((reply for key, reply in self.replies.items() if name.startswith(key)), web.Response(status=404))
        if callable(found):
            found = found(asked)
        if isinstance(found, str):
            return web.Response(text=found)
        # a response is sent once only
        return (
            web.json_response(dict(found))
            if isinstance(found, Mapping) and not isinstance(found, web.Response)
            else (web.Response(status=found.status, body=found.body, headers=found.headers))
        )

    @property
    def host(self) -> str:
        return self.url.partition("://")[2]

    @property
    def platform(self) -> dict[str, str]:
        """What tells a process that all clouds are here."""
        return {
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url,
            "AWS_ENDPOINT_URL_STS": self.url,
            "AZURE_AUTHORITY_HOST": self.url,
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": self.url,
            "GCE_METADATA_HOST": self.host,
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_STS": self.url,
        }


@asynccontextmanager
async def serving() -> AsyncIterator[Cloud]:
    """The server at an address of its own."""
    cloud = Cloud()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", cloud.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    cloud.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield cloud
    finally:
        await runner.cleanup()


@dataclass(slots=True)
class Home:
    """The cluster of the home with its service accounts, and Secrets of theirs; notes what is issued and masked."""

    annotations: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    secrets: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    platform: dict[str, str] = field(default_factory=dict)
    http: Http = field(default_factory=Http)
    now: datetime = START
    described: list[str] = field(default_factory=list)
    issued: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    masked: list[str] = field(default_factory=list)

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        found = self.secrets.get((namespace, name))
        if found is None:
            raise NotReady(f"Secret/{namespace}/{name} not found: looked for it")
        return {key: value.encode() for key, value in found.items()}

    async def config(self, namespace: str, name: str) -> Mapping[str, bytes]:
        raise NotReady(f"ConfigMap/{namespace}/{name} not found")

    async def account(self, namespace: str, name: str, *, secrets: bool = False) -> ServiceAccount:
        self.described.append(name)
        found = self.annotations.get((namespace, name))
        if found is None:
            raise NotReady(f"ServiceAccount/{namespace}/{name}: there is none in cluster home")
        return ServiceAccount(annotations=found)

    async def issue(self, namespace: str, account: str, audiences: Sequence[str]) -> AccountToken:
        if (namespace, account) not in self.annotations:
            raise NotReady(f"ServiceAccount/{namespace}/{account}: there is no cluster that could issue a token for it")
        self.issued.append((f"{namespace}/{account}", tuple(audiences)))
        return AccountToken(value=f"{namespace}/{account} for {audiences[0]}", expires=self.now + timedelta(hours=1))

    def context(self) -> Context:
        nothing: Any = None
        return Context(
            http=self.http,
            work=nothing,
            quick=nothing,
            credentials=self,
            intake=nothing,
            now=lambda: self.now,
            log=structlog.get_logger(),
            cache=nothing,
            platform=self.platform,
            issue=self.issue,
            account=self.account,
            conceal=lambda value: self.masked.append(value.decode()),
        )


def within(ctx: Context, cloud: Cloud, home: Home) -> Context:
    """The context with this server as all of its clouds, and this home as the cluster that knows its accounts."""
    return replace(ctx, platform=cloud.platform, issue=home.issue, account=home.account, now=lambda: home.now)


def sts(action: str, *, access: str = "AKIA", secret: str = "s3cret", token: str = "session", until: str = "") -> str:
    """The answer of Amazon's security token service."""
    until = until or (START + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>'
        f"<AccessKeyId>{access}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>"
        f"<SessionToken>{token}</SessionToken><Expiration>{until}</Expiration></Credentials>"
        f"</{action}Result><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{action}Response>"
    )


def sts_error(code: str, message: str, status: int = 400) -> web.Response:
    """Its refusal."""
    return web.Response(
        status=status,
        text=f'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>{code}</Code>'
        f"<Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>",
    )
