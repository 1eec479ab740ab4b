"""What goes on is shown while it goes on, on a terminal only, and is gone before the result."""

from __future__ import annotations

import re


def test_a_terminal_shows_a_moving_display_and_then_the_result(terminal):
    shown = terminal.run("reconcile", "--once", "--sandbox")
    moving, _, result = shown.rpartition("cluster sandbox")
    assert "ready" in moving
    assert "\x1b[?25l" in moving, "the cursor is hidden while it moves"
    assert "\x1b[?25h" in moving, "and shown again before the result"
    assert "\x1b[?25l" not in result
    assert "Applied revision" in result


def test_no_color_is_honoured(terminal):
    terminal.project.extra["NO_COLOR"] = "1"
    assert not re.search(r"\x1b\[3\d", terminal.run("plugins"))


def test_without_a_terminal_each_outcome_is_a_line_on_standard_error(project):
    ended = project.run("reconcile", "--once", "--sandbox")
    assert "✔ GitRepository/flux-system/repo stored artifact" in ended.stderr
    assert "✔ Kustomization/flux-system/web Applied revision" in ended.stderr
    assert "✔" not in ended.stdout
