"""Commands and figures as pages."""

from augury import cli
from website.commands import commands_page
from website.figures import figures_page

ROW = {
    "id": "x_seconds",
    "figure": "seconds | of 2 < 3",
    "value": 1.23456,
    "unit": "s",
    "reach": "<= 2",
    "holds": True,
    "command": "make bench-x",
    "machine": "2 cores",
    "date": "2026-11-22",
    "commit": "abc",
}


def test_every_command_is_there_with_its_options() -> None:
    page = commands_page()
    for commands in cli._COMMANDS.values():
        for name in commands:
            assert f"### augury {name}" in page, name
    assert "| `--visitors` | `20000` | people who come to the shop" in page
    assert "### augury train attention" in page
    assert "| `OUTPUT` | " in page
    assert "<function" not in page and "object at 0x" not in page and "Sentinel" not in page


def test_a_figure_says_whether_it_reaches_what_it_should() -> None:
    page = figures_page(
        {"x": [ROW, {**ROW, "id": "y", "holds": False}, {**ROW, "id": "z", "holds": None, "reach": ""}]}
    )
    assert "3 figures; 1 of 2 reach what they should." in page
    assert "## x\n\n`make bench-x` on 2 cores, 2026-11-22, commit abc.\n" in page
    assert "| `x_seconds` | seconds \\| of 2 &lt; 3 | 1.235 | s | &lt;= 2 | yes |" in page
    assert "| `y` | seconds \\| of 2 &lt; 3 | 1.235 | s | &lt;= 2 | **no** |" in page
    assert "| `z` | seconds \\| of 2 &lt; 3 | 1.235 | s | - | - |" in page
