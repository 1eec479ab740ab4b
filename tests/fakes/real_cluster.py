"""A real control plane where a whole-way test would have a sandbox: the same few things; its audit log is the journal."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field

import aiohttp
from fakes.audit import Audit
from fakes.control_plane import ControlPlane

from gitopsd.plugin.connections import Pool


@dataclass(slots=True)
class RealCluster:
    """What `World` asks of a cluster."""

    plane: ControlPlane
    context: str = "local"
    token: str = ""
    """Whose token gitopsd comes with; '' for the administrator's certificate."""
    journal: Audit = field(init=False)

    def __post_init__(self) -> None:
        self.journal = Audit(self.plane.audit_log)

    @property
    def url(self) -> str:
        """Where the API server is."""
        return f"https://127.0.0.1:{self.plane.port}"

    def kubeconfig(self) -> str:
        """Of the administrator, or with the token."""
        text = self.plane.kubeconfig.read_text()
        return re.sub(r"user: \{client-.*?\}", f"user: {{token: {self.token}}}", text) if self.token else text

    @property
    def tls(self) -> ssl.SSLContext:
        """How its administrator speaks to it."""
        folder = self.plane.folder
        trust = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        trust.load_cert_chain(folder / "admin.crt", folder / "admin.key")
        return trust

    def session(self) -> aiohttp.ClientSession:
        """Requests of somebody else, who may do everything."""
        return aiohttp.ClientSession(connector=Pool(ssl=self.tls), headers={"User-Agent": "somebody"})
