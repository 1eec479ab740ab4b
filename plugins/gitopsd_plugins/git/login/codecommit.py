"""`provider: aws`: CodeCommit takes a signature over the repository's path as a password, good for a quarter of an hour. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from gitopsd.plugin.cloud import Keys, sigv4

HOSTS = r"https://git-codecommit(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?"
"""CodeCommit's own hosts, with their region: no signature goes to another one."""


def login(keys: Keys, url: str, scope: sigv4.Scope) -> tuple[str, str]:
    """User name and password for a repository."""
    parts = urlsplit(url)
    at = scope.at.removesuffix("Z")  # Git's own form of the signature has the time without the zone
    request = f"GIT\n{parts.path}\n\nhost:{parts.netloc}\n\nhost\n"
    user = f"{keys.access}%{keys.token}" if keys.token else keys.access
    return user, f"{at}Z{sigv4.sign(keys, request, scope, at)}"
