"""The services of a Sigstore of the test over HTTP, as far as cosign asks them when it signs."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from fakes.sigstore import ADA, ISSUER, Sigstore, canonical, statement_record

NUMBER = "a" * 64
"""Under which the log keeps an entry; it is for whoever asks for it again, which nobody does."""


def token() -> str:
    """Says who signs. Nobody checks it."""
    now = int(datetime.now(UTC).timestamp())
    claims = {"iss": ISSUER, "sub": "1", "aud": "sigstore", "email": ADA, "email_verified": True, "exp": now + 600}
    parts = ({"alg": "RS256", "typ": "JWT"}, {**claims, "iat": now})
    return ".".join([*(_url64(json.dumps(part).encode()) for part in parts), _url64(b"signature")])


def _url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _certificates(sigstore: Sigstore, asked: dict[str, Any]) -> list[str]:
    holder = load_pem_public_key(asked["publicKeyRequest"]["publicKey"]["content"].encode())
    made = sigstore.issue(holder, ADA, ISSUER, at=datetime.now(UTC))
    return [c.public_bytes(Encoding.PEM).decode() for c in (made, sigstore.authority, sigstore.root)]


def _entry(sigstore: Sigstore, asked: dict[str, Any]) -> dict[str, Any]:
    """What the log says of an entry that it took; of a statement it keeps digests only."""
    body = _kept(asked)
    entry = sigstore.entry(asked["kind"], body, datetime.now(UTC))
    proof = entry["inclusionProof"]
    return {
        NUMBER: {
            "body": entry["canonicalizedBody"],
            "integratedTime": int(entry["integratedTime"]),
            "logID": sigstore.log_id.hex(),
            "logIndex": 1,
            "verification": {
                "signedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
                "inclusionProof": {
                    "logIndex": 1,
                    "treeSize": 2,
                    "rootHash": base64.b64decode(proof["rootHash"]).hex(),
                    "hashes": [base64.b64decode(found).hex() for found in proof["hashes"]],
                    "checkpoint": proof["checkpoint"]["envelope"],
                },
            },
        }
    }


def _kept(asked: dict[str, Any]) -> bytes:
    if asked["kind"] != "dsse":
        return canonical(asked)
    given = asked["spec"]["proposedContent"]
    envelope = json.loads(given["envelope"])
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    return statement_record(base64.b64decode(envelope["payload"]), signature, base64.b64decode(given["verifiers"][0]))


@contextmanager
def serving(sigstore: Sigstore) -> Iterator[str]:
    """Where its services are; the trusted root says the same from then on."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            certificate = self.path == "/api/v2/signingCert"
            chain = {"chain": {"certificates": _certificates(sigstore, asked)}} if certificate else {}
            said = {"signedCertificateEmbeddedSct": chain} if certificate else _entry(sigstore, asked)
            answer = json.dumps(said).encode()
            self.send_response(200 if certificate else 201)
            self.send_header("Content-Type", "application/json")
            self.send_header("ETag", NUMBER)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sigstore.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield sigstore.url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
