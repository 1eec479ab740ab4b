"""A real control plane where a whole-way test would have a sandbox: the same few things; its audit log tells what was deleted."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
from fakes.control_plane import ControlPlane


@dataclass(frozen=True, slots=True)
class RealCluster:
    """What `World` asks of a cluster."""

    plane: ControlPlane
    context: str = "local"
    began: int = 0
    """Entries of the audit log that are older than the test."""

    @property
    def url(self) -> str:
        """Where the API server is."""
        return f"https://127.0.0.1:{self.plane.port}"

    def deleted(self) -> Sequence[str]:
        """The paths of what gitopsd deleted since then, in order."""
        ours = self.plane.audited("gitopsd/")[self.began :]
        return [event["requestURI"].partition("?")[0] for event in ours if event["verb"] == "delete"]

    def kubeconfig(self) -> str:
        """Of the administrator."""
        return self.plane.kubeconfig.read_text()

    def session(self) -> aiohttp.ClientSession:
        """Requests of somebody else, who may do everything."""
        folder = self.plane.folder
        trust = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        trust.load_cert_chain(folder / "admin.crt", folder / "admin.key")
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust), headers={"User-Agent": "somebody"})
