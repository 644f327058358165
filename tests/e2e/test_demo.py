"""The demo: once, and again in the same folder after its config was edited."""

from __future__ import annotations

import subprocess

import pytest

from .conftest import Project


def addressed(text: str, address: str) -> str:
    """The demo's config with another address of its feed."""
    lines = (f'url = "{address}"' if line.startswith("url = ") else line for line in text.splitlines())
    return "\n".join(lines) + "\n"


def test_the_demo_goes_the_whole_way_and_leaves_its_config_to_its_user(project: Project) -> None:
    first = project.run("demo", "shown")
    assert "2 queued" in first.err
    assert first.out.count("[in_review]") == 2
    config = project.folder / "shown" / "proofcast.toml"
    mine = config.read_text().replace("lease_s = 6", "lease_s = 7  # mine")
    for port in (":99999", ":abc", ""):
        config.write_text(addressed(mine, f"http://127.0.0.1{port}/feed.xml"))
        again = project.run("demo", "shown")
        assert "nothing new" in again.err
        assert again.out.count("[in_review]") == 2
        assert addressed(config.read_text(), "") == addressed(mine, "")
    before = config.read_text()
    assert project.run("demo", "shown").code == 0
    assert config.read_text() == before


@pytest.mark.parametrize(
    "config",
    [
        "",
        '[[feed]]\nname = "my-show"\nurl = "https://show.example/feed.xml"\n',
        '[[feed]]\nname = "sample-show"\nurl = "https://show.example/feed.xml"\n',
    ],
)
def test_the_demo_keeps_away_from_what_is_not_its_own(project: Project, config: str) -> None:
    project.config.write_text(config)
    assert "is not the demo's" in project.run("demo", ".", code=2).err
    assert project.config.read_text() == config


def test_two_demos_in_one_folder_do_not_meet(project: Project) -> None:
    started: list[subprocess.Popen[str]] = [project.start("demo", "shown") for _ in range(2)]
    errors = [process.communicate(timeout=300)[1] for process in started]
    assert {process.returncode for process in started} <= {0, 75}
    assert 0 in [process.returncode for process in started]
    assert "Traceback" not in "".join(errors)
