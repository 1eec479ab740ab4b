"""A client of OCI registries for plugins: references, logins, manifests, blobs, referrers. Over `Context.http` only.

    registries = oci.Registries()          # kept by the plugin: tokens, and who speaks plain http
    async with registries.open(repository, oci.Way(credential=...), ctx, timeout=60.0) as client:
        found = await client.head("latest")

It knows the distribution protocol and nothing of what is inside an artifact. Import the modules by name for functions:
`from gitopsd.plugin.oci import credentials, reference`.
"""

from gitopsd.plugin.oci.answers import NotFound
from gitopsd.plugin.oci.client import Client, Registries
from gitopsd.plugin.oci.credentials import Credential
from gitopsd.plugin.oci.manifest import Descriptor, Manifest
from gitopsd.plugin.oci.reference import Reference, Repository
from gitopsd.plugin.oci.transport import Way

__all__ = ["Client", "Credential", "Descriptor", "Manifest", "NotFound", "Reference", "Registries", "Repository", "Way"]
