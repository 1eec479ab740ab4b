"""Services that keep keys, on loopback, in the words of their documentation: Vault's transit engine, AWS KMS, Google's and Azure's."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

DATA_KEY = bytes(range(32))
Answer = tuple[int, Mapping[str, Any]]


@dataclass(slots=True)
class KeyService:
    """A server that answers POSTs by `answer(path, headers, body)` and remembers them."""

    answer: Callable[[str, Mapping[str, str], bytes], Answer]
    url: str = ""
    asked: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.path_qs, headers, body))
        status, content = self.answer(request.path_qs, headers, body)
        return web.json_response(content, status=status)


@asynccontextmanager
async def serving(answer: Callable[[str, Mapping[str, str], bytes], Answer]) -> AsyncIterator[KeyService]:
    """The service at an address of its own."""
    service = KeyService(answer)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", service.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert runner.addresses
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield service
    finally:
        await runner.cleanup()


def vault(token: str, *, key: bytes = DATA_KEY, path: str = "/v1/transit/decrypt/main") -> Callable[..., Answer]:
    """The transit engine: opens `vault:v1:sealed` for this token."""

    def answer(asked: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if headers.get("x-vault-token") != token:
            return 403, {"errors": ["permission denied"]}
        if asked != path or json.loads(body) != {"ciphertext": "vault:v1:sealed"}:
            return 400, {"errors": ["invalid ciphertext: unable to decrypt"]}
        return 200, {"data": {"plaintext": base64.b64encode(key).decode()}}

    return answer


def aws(access: str, secret: str) -> Callable[..., Answer]:
    """KMS: checks the signature as AWS describes it, from what was sent."""

    def answer(asked: str, headers: Mapping[str, str], body: bytes) -> Answer:
        parts = dict(p.strip().split("=", 1) for p in headers["authorization"].partition(" ")[2].split(","))
        name, date, region, service, end = parts["Credential"].split("/")
        signed = parts["SignedHeaders"].split(";")
        lines = "".join(f"{n}:{headers[n].strip()}\n" for n in signed)
        request = f"POST\n{asked}\n\n{lines}\n{';'.join(signed)}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{date}/{region}/{service}/{end}"
        text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = f"AWS4{secret}".encode()
        for part in (date, region, service, end):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        if name != access or hmac.new(key, text.encode(), hashlib.sha256).hexdigest() != parts["Signature"]:
            return 400, {"__type": "InvalidSignatureException", "message": "The request signature does not match"}
        if headers["x-amz-target"] != "TrentService.Decrypt" or json.loads(body)["CiphertextBlob"] != "c2VhbGVk":
            return 400, {"__type": "InvalidCiphertextException"}
        return 200, {"Plaintext": base64.b64encode(DATA_KEY).decode(), "KeyId": json.loads(body)["KeyId"]}

    return answer


def with_tokens(token: str, path: str, opened: Callable[[bytes], Answer]) -> Callable[..., Answer]:
    """A service whose tokens come from `/token` or Azure's path, and whose key stands at `path`."""

    def answer(asked: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if asked.endswith("/token"):
            return 200, {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
        if headers.get("authorization") != f"Bearer {token}":
            return 401, {"error": {"code": "Unauthorized", "message": "AKV10000: Request is missing a Bearer token"}}
        return opened(body) if asked == path else (404, {"error": {"message": "no such key"}})

    return answer
