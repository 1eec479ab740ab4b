"""Short commands start fast: they import nothing that they do not need."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("aiohttp", "dulwich", "cryptography", "paramiko", "kubernetes_asyncio", "rich", "ruamel", "yaml", "structlog")


def loaded(*args, env=None):
    code = (
        f"import sys; sys.argv = ['gitopsd', *{args!r}]\n"
        "from gitopsd.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sorted({*sys.modules, *(name.partition('.')[0] for name in sys.modules)}), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    return ended.stdout, set(ended.stderr.split())


def test_the_version_needs_none_of_the_heavy_libraries():
    shown, modules = loaded("--version")
    assert shown.startswith("gitopsd ")
    assert modules & set(HEAVY) == set()


def test_the_list_of_verbs_imports_no_verb_and_no_plugin():
    shown, modules = loaded("--help")
    assert "reconcile" in shown
    assert modules & {*HEAVY, "gitopsd_plugins"} == set()


def test_looking_at_what_the_last_run_left_needs_no_network_and_no_git(applied):
    shown, modules = loaded("get", "-o", "name", "-c", str(applied.config), env=applied.environment)
    assert "Kustomization/flux-system/web" in shown
    assert modules & {"aiohttp", "dulwich", "cryptography", "paramiko", "kubernetes_asyncio"} == set()


def test_what_a_daemon_answers_needs_no_engine_no_plugin_and_no_network(reconciled):
    with reconciled.daemon("--sandbox"):
        for words in ("get", "tree", "diff", "why ks/web", "trace ConfigMap/default/a", "history", "events", "stats"):
            shown, modules = loaded(*words.split(), "-c", str(reconciled.config), env=reconciled.environment)
            assert shown, words
            heavy = {"aiohttp", "dulwich", "cryptography", "paramiko", "structlog", "sqlite3", "gitopsd_plugins"}
            assert modules & {*heavy, "gitopsd.daemon", "gitopsd.reconcile", "gitopsd.store"} == set(), words
