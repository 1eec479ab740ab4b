"""What is in the repository, and what is not."""

from __future__ import annotations

import re

import gitopsd.plugin
from gitopsd.plugin import hooks

TOP = {
    "pyproject.toml", "gitopsd", "plugins", "config", "tests", "systemd", "docs", "README.md", "CHANGELOG.md", "LICENSE",
    "Makefile", "Containerfile",
}  # fmt: skip
ELSEWHERE = re.compile(r"(?<![\w}])/(work|root|Users)/\w|/opt/(?!gitopsd)\w|/home/(?!me/|user/|you/)\w+/")
"""Paths of a machine on which somebody worked."""
API = """
Access AccountToken Action Actor Adopt Answers AnyAddress AnyFolder AnyRevision AppIntent Approval Artifact Asker Atomic Author Body
Broken Change Changes Closing ClusterAccess ConfigName Conflict Content Context Credential Credentials Decision Declared Decryption
Decryptor Deletion Digest DriftPolicy Engine Entry Explanation Fetching FieldChange File Folder GitopsdError Health
HealthCheck HealthExpression HealthRule HeldElsewhere Hold Http Intake Intent Inventory KeyService Keys Kind LedgerRow Link
Lister Live Lock Locked Manifest Misconfigured Need Node NotReady NothingThere ObjectRef Objects Opened Ours Outcome
Owned Owner PathError Phase Place Plan Policy Preflight Proxies Qualified Read Rehearsal Rejected Remote RemoteNeeded
Remotes Rendered Renderer ResourceId Result Retrying Revision SecretKey Seen ServiceAccount Sink Source SourceIntent Spec SpecError
Stage Stalling Step Stored Suspension Target Tls Transient Treatment Tree Unmanaged Unserved Unsupported Upstream
UsageError ValuesRef Verdict VerificationFailed Versioned Work WriteMode cel cloud digest egress hookimpl http keys spec
tree
""".split()  # noqa: SIM905 - a list of literals would be a page long


def test_the_public_api_only_grows():
    assert set(API) - set(gitopsd.plugin.__all__) == set(), "a name that plugins may use is gone"


def test_a_new_name_of_the_public_api_is_written_down_here():
    assert set(gitopsd.plugin.__all__) - set(API) == set()


def test_every_name_of_the_public_api_is_there():
    assert [name for name in gitopsd.plugin.__all__ if not hasattr(gitopsd.plugin, name)] == []


def test_the_hooks_are_those_that_the_registry_calls():
    found = {name for name in vars(hooks) if name.startswith("gitopsd_")}
    assert found == {
        f"gitopsd_{role}"
        for role in (
            "kinds",
            "unserved",
            "sources",
            "renderers",
            "decryptors",
            "key_services",
            "sinks",
            "accesses",
            "health",
        )
    }


def test_nothing_else_lies_at_the_top(root, tracked):
    found = {path.relative_to(root).parts[0] for path in tracked}
    assert {name for name in found if not name.startswith(".")} - TOP == set()


def test_no_file_names_a_place_of_somebodys_machine(root, tracked):
    texts = {path: path.read_bytes().decode("utf-8", "replace") for path in tracked if path.stat().st_size < 1 << 20}
    found = {str(path.relative_to(root)): match[0] for path, text in texts.items() if (match := ELSEWHERE.search(text))}
    assert found == {}


def test_every_tool_cache_is_ignored(root):
    ignored = (root / ".gitignore").read_text().split()
    assert any(".venv" in line for line in ignored)
