"""The rules of the code that no linter holds."""

from __future__ import annotations

import ast
import re

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "misc", "manager"}
STARTERS = re.compile(
    r"\b(subprocess\.(run|Popen|call|check_\w+)|create_subprocess_\w+|open_process|os\.(system|popen|fork|exec\w+|spawn\w+|posix_spawnp?))\b"
)
MAY_START = (
    "gitopsd/runtime/pool/beside",
    "gitopsd/runtime/pool/process",
    "plugins/gitopsd_plugins/kubernetes/access/execplugin.py",
    "plugins/gitopsd_plugins/sandbox/expressions/expression_process.py",
)
MAKES_DATA = re.compile(r"/make_\w+\.py$")
"""Run by hand when a type table is made anew; imported by nothing."""


def test_a_file_has_at_most_400_lines(modules):
    assert {m.path: n for m in modules if (n := len(m.text.splitlines())) > 400} == {}


def test_a_function_has_at_most_60_lines(modules):
    found = {
        f"{m.path}:{node.name}": node.end_lineno - node.lineno + 1
        for m in modules
        for node in ast.walk(m.tree)
        if isinstance(node, FUNCTIONS)
    }
    assert {name: lines for name, lines in found.items() if lines > 60} == {}


def test_every_module_says_what_it_is(modules):
    assert [m.path for m in modules if not ast.get_docstring(m.tree)] == []


def test_names_say_what_is_inside(modules):
    assert [m.path for m in modules if set(m.path.removesuffix(".py").split("/")) & VAGUE] == []


def test_only_the_command_line_prints(modules):
    silent = [m for m in modules if not m.path.startswith("gitopsd/cli/") and not MAKES_DATA.search(m.path)]
    assert [f"{m.path}:{line}" for m in silent for line, name in m.calls() if name == "print"] == []


def test_only_the_command_line_and_the_daemon_read_the_environment(modules):
    allowed = (
        "gitopsd/cli/",
        "gitopsd/daemon/",
        "plugins/gitopsd_plugins/kubernetes/access/execplugin.py",
        "plugins/gitopsd_plugins/sandbox/process.py",
    )
    others = [m for m in modules if not m.path.startswith(allowed)]
    assert [f"{m.path}:{line}" for m in others for line, name in m.calls() if name in {"os.environ", "os.getenv"}] == []


def test_processes_are_started_in_few_places_only(modules):
    others = [m for m in modules if not m.path.startswith(MAY_START) and not MAKES_DATA.search(m.path)]
    assert [f"{m.path}:{line} {name}" for m in others for line, name in m.calls() if STARTERS.fullmatch(name)] == []


def test_one_place_in_the_core_catches_everything(modules):
    """The worker. Guards: the registry and health rules against strangers' code, a worker process against its jobs; cleaning up is none."""
    found = [
        m.path
        for m in modules
        if m.path.startswith("gitopsd/")
        for node in ast.walk(m.tree)
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node)
    ]
    guards = {"gitopsd/plugin/registry.py", "gitopsd/runtime/live/contained.py", "gitopsd/runtime/pool/worker_main.py"}
    assert [path for path in found if path not in guards] == ["gitopsd/runtime/schedule/worker.py"]


def test_nothing_is_swallowed(modules):
    found = [
        f"{m.path}:{node.lineno}"
        for m in modules
        for node in ast.walk(m.tree)
        if isinstance(node, ast.ExceptHandler) and all(isinstance(s, ast.Pass) for s in node.body)
    ]
    assert found == []


def test_tasks_are_born_in_task_groups(modules):
    loose = re.compile(r"(asyncio\.(create_task|ensure_future|gather|shield))")
    core = [m for m in modules if m.path.startswith("gitopsd/")]
    assert [f"{m.path}:{line} {name}" for m in core for line, name in m.calls() if loose.fullmatch(name)] == []


def test_hooks_are_called_in_the_registry_only(modules):
    others = [m for m in modules if m.path != "gitopsd/plugin/registry.py"]
    assert [m.path for m in others if re.search(r"\.hook\.", m.text)] == []


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    if ast.unparse(handler.body[-1]) == "raise":
        return False
    caught = ast.unparse(handler.type) if handler.type else "BaseException"
    return bool(set(re.findall(r"\w+", caught)) & {"Exception", "BaseException"})
