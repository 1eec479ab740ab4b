"""A real Kubernetes control plane on loopback for as long as a test session lasts: etcd, API server, controllers.

It runs the binaries of `KUBEBUILDER_ASSETS` (default /usr/local/kubebuilder/bin), as envtest does; nothing is fetched. There are
no nodes: pods stay Pending. It ends the processes that it started, and only these.
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CONTROLLERS = (
    "namespace-controller,garbage-collector-controller,serviceaccount-controller,root-ca-certificate-publisher-controller,"
    "deployment-controller,replicaset-controller,statefulset-controller,daemonset-controller,job-controller,"
    "ttl-after-finished-controller,persistentvolumeclaim-protection-controller,clusterrole-aggregation-controller"
)
_UP_WITHIN = 60.0
_AUDITED = """apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- {level: None, users: [system:apiserver, system:kube-controller-manager]}
- {level: None, userGroups: [system:serviceaccounts:kube-system]}
"""
_UNREAD = "- {level: None, verbs: [get, list, watch]}\n"
_READ = "- {level: Metadata, verbs: [watch], omitStages: [ResponseComplete]}\n"
_REST = "- {level: Metadata, omitStages: [ResponseStarted]}\n"


def assets() -> Path:
    """Where the binaries are, by envtest's convention."""
    return Path(os.environ.get("KUBEBUILDER_ASSETS") or "/usr/local/kubebuilder/bin")


def missing(folder: Path) -> str:
    """Why no control plane can be started; '' where one can."""
    absent = [name for name in ("etcd", "kube-apiserver") if not os.access(folder / name, os.X_OK)]
    return f"no {' and no '.join(absent)} in {folder} (KUBEBUILDER_ASSETS)" if absent else ""


@dataclass(slots=True)
class Authority:
    """Signs certificates; everything is a file in `folder`."""

    folder: Path
    name: str = "ca"
    _key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self._write(self.name, self._certificate(self.name, [], None, self._key), self._key)

    def sign(self, name: str, groups: Sequence[str] = (), *, server: bool = False, common: str = "") -> None:
        """Make `<name>.crt` and `<name>.key`; a server's is for loopback."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        self._write(name, self._certificate(common or name, groups, usage, key), key)

    def _certificate(
        self, name: str, groups: Sequence[str], usage: x509.ObjectIdentifier | None, key: ec.EllipticCurvePrivateKey
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([*subject, x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=usage is None, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if usage is None:
            return builder.add_extension(_SIGNS, critical=True).sign(self._key, hashes.SHA256())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, critical=False).add_extension(
            x509.ExtendedKeyUsage([usage]), critical=False
        )
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        return builder.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(
            self._key, hashes.SHA256()
        )

    def _write(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        (self.folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        _write_key(self.folder / f"{name}.key", key)


_SIGNS = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(slots=True)
class ControlPlane:
    """A running control plane; use it in a `with` block."""

    folder: Path
    binaries: Path = field(default_factory=assets)
    port: int = 0
    controllers: bool = True
    """Whether kube-controller-manager runs too, where it is there."""
    reads: bool = False
    """Whether the audit log has reads too: a watch when it begins, all else when it is answered."""
    _etcd: int = 0
    _authority: Authority = field(init=False)
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def kubeconfig(self) -> Path:
        """Of a cluster administrator; its context is `local`."""
        return self.folder / "admin.kubeconfig"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @property
    def audit_log(self) -> Path:
        """A JSON object per line: when a request comes in, and when it is answered (a watch: when it begins)."""
        return self.folder / "audit.log"

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """The kubeconfig of another user, who may do what RBAC allows."""
        self._authority.sign(user, groups)
        return self._write_kubeconfig(user)

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._certificates()
        self.port, self._etcd, peer, controllers = _free_ports(4)
        self._write_kubeconfig("admin")
        self._write_kubeconfig("controllers")
        (self.folder / "audit-policy.yaml").write_text(_AUDITED + (_READ if self.reads else _UNREAD) + _REST)
        self._launch("etcd", _etcd_flags(self.folder, self._etcd, peer))
        _await(self._processes[-1], lambda: _answers(f"http://127.0.0.1:{self._etcd}/health"), self.folder)
        self.start_api_server()
        if self.controllers and os.access(self.binaries / "kube-controller-manager", os.X_OK):
            self._launch("kube-controller-manager", _controller_flags(self.folder, controllers))
            _await(
                self._processes[-1],
                lambda: self.api("/api/v1/namespaces/default/serviceaccounts/default"),
                self.folder,
            )

    def stop_api_server(self) -> None:
        """Until `start_api_server`; what it stored stays."""
        process = next(p for p in self._processes if _name(p) == "kube-apiserver")
        self._processes.remove(process)
        _end(process)

    def start_api_server(self) -> None:
        """On the same port, and wait until it answers."""
        self._launch("kube-apiserver", _api_server_flags(self.folder, self.port, self._etcd))
        self._processes.insert(1, self._processes.pop())  # the controllers end before it, and etcd after it
        _await(self._processes[1], lambda: self.api("/readyz"), self.folder)

    def audited(self, agent: str) -> Sequence[Mapping[str, Any]]:
        """What the server logged of the end of this user agent's requests, in order; reads only with `reads`."""
        events = map(json.loads, self.audit_log.read_text().splitlines())
        ended = (event for event in events if event["stage"] != "RequestReceived")
        return [event for event in ended if event.get("userAgent", "").startswith(agent)]

    def api(self, path: str) -> bool:
        """True where the API server answers with a success to its administrator."""
        trust = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        trust.load_cert_chain(self.folder / "admin.crt", self.folder / "admin.key")
        return _answers(f"https://127.0.0.1:{self.port}{path}", trust)

    def _certificates(self) -> None:
        self._authority = Authority(self.folder)
        self._authority.sign("apiserver", server=True)
        self._authority.sign("admin", ["system:masters"])
        self._authority.sign("controllers", common="system:kube-controller-manager")
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        _write_key(self.folder / "sa.key", key)

    def _launch(self, name: str, flags: Sequence[str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [str(self.binaries / name), *flags], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )
        self._processes.append(process)

    def _stop(self) -> None:
        for process in reversed(self._processes):
            _end(process)
        self._processes.clear()

    def _write_kubeconfig(self, user: str) -> Path:
        path = self.folder / f"{user}.kubeconfig"
        inline = {name: base64.b64encode((self.folder / name).read_bytes()).decode() for name in _of(user)}
        path.write_text(
            f"apiVersion: v1\nkind: Config\n"
            f"clusters: [{{name: local, cluster: {{server: 'https://127.0.0.1:{self.port}', "
            f"certificate-authority-data: {inline['ca.crt']}}}}}]\n"
            f"users: [{{name: user, user: {{client-certificate-data: {inline[f'{user}.crt']}, "
            f"client-key-data: {inline[f'{user}.key']}}}}}]\n"
            f"contexts: [{{name: local, context: {{cluster: local, user: user}}}}]\ncurrent-context: local\n"
        )
        path.chmod(0o600)
        return path


def _of(user: str) -> tuple[str, ...]:
    return ("ca.crt", f"{user}.crt", f"{user}.key")


def _etcd_flags(folder: Path, client: int, peer: int) -> Sequence[str]:
    client_url, peer_url = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    return (
        "--name=local",
        f"--data-dir={folder / 'etcd'}",
        "--log-level=warn",
        "--unsafe-no-fsync",
        f"--listen-client-urls={client_url}",
        f"--advertise-client-urls={client_url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster=local={peer_url}",
    )


def _api_server_flags(folder: Path, port: int, etcd: int) -> Sequence[str]:
    return (
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        "--endpoint-reconciler-type=none",
        f"--tls-cert-file={folder / 'apiserver.crt'}",
        f"--tls-private-key-file={folder / 'apiserver.key'}",
        f"--client-ca-file={folder / 'ca.crt'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'sa.key'}",
        f"--service-account-signing-key-file={folder / 'sa.key'}",
        "--service-cluster-ip-range=10.0.0.0/16",
        "--authorization-mode=RBAC",
        "--profiling=false",
        f"--audit-policy-file={folder / 'audit-policy.yaml'}",
        f"--audit-log-path={folder / 'audit.log'}",
        "--audit-log-maxsize=10000",
    )


def _controller_flags(folder: Path, port: int) -> Sequence[str]:
    kubeconfig = folder / "controllers.kubeconfig"
    return (
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--authentication-tolerate-lookup-failure=true",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'controllers'}",
        "--leader-elect=false",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={folder / 'sa.key'}",
        f"--root-ca-file={folder / 'ca.crt'}",
        "--profiling=false",
        f"--controllers={_CONTROLLERS}",
    )


def _name(process: subprocess.Popen[bytes]) -> str:
    return Path(str(process.args[0])).name  # type: ignore[index]  # argv is a list here


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(20)


def _await(process: subprocess.Popen[bytes], up: Callable[[], bool], folder: Path) -> None:
    deadline = time.monotonic() + _UP_WITHIN
    while not up():
        if process.poll() is not None or time.monotonic() > deadline:
            log = folder / f"{_name(process)}.log"
            raise RuntimeError(f"it did not come up; the end of {log}:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def _answers(url: str, trust: ssl.SSLContext | None = None) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5, context=trust) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _free_ports(count: int) -> Sequence[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
