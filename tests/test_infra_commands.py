"""`proofcast deploy` and `destroy`, and `python -m infra`, with a command line of CDK's that only notes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from infra import commands, package, toolkit
from infra.node import node
from pipeline.adapters.aws.clients import Clients
from pipeline.deployment import HOW_TO_INSTALL
from pipeline.errors import ConfigError, ProofcastError

CONFIG = """\
engine = "aws"
[aws]
region = "eu-west-1"
name = "shows"
notify = "me@example.com"
budget_usd = 20
"""

CDK = """\
#!/bin/sh
if [ "$1" = --version ]; then echo "$CDK_VERSION (build abc)"; exit; fi
echo "$AWS_REGION $*" >> "$NOTES"
for word; do if [ -f "$word/manifest.json" ]; then ls "$word" > "$NOTES.assembly"; fi; done
if [ -n "$CDK_SAYS" ]; then echo "$CDK_SAYS" >&2; exit 1; fi
"""


@dataclass(frozen=True)
class Desk:
    """A folder with a config, and a PATH with nothing on it but CDK's command line and docker."""

    folder: Path

    def run(self, command: click.Command, *arguments: str, answers: str = "") -> Result:
        config = str(self.folder / "proofcast.toml")
        return CliRunner().invoke(command, ["-c", config, *arguments], input=answers, prog_name="proofcast")

    def error(self, command: click.Command, *arguments: str, answers: str = "") -> ProofcastError:
        error = self.run(command, *arguments, answers=answers).exception
        assert isinstance(error, ProofcastError), error
        return error

    @property
    def asked(self) -> list[list[str]]:
        """What CDK was asked to do, and where."""
        notes = self.folder / "notes"
        return [line.split() for line in notes.read_text().splitlines()] if notes.exists() else []


@pytest.fixture
def desk(tmp_path: Path, aws: None, monkeypatch: pytest.MonkeyPatch) -> Desk:
    (tmp_path / "proofcast.toml").write_text(CONFIG)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, script in {"cdk": CDK, "docker": "#!/bin/sh\nexit $DOCKER_IS_DOWN\n"}.items():
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("DOCKER_IS_DOWN", "0")
    for name in ("sh", "ls"):
        (tools / name).symlink_to(Path(shutil.which(name) or ""))
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    monkeypatch.setenv("CDK_VERSION", "2.1148.1")
    monkeypatch.setenv("CDK_SAYS", "")
    # Packages come from the network; that they do is tried where there is one.
    monkeypatch.setattr(package, "packaged_functions", package.functions)
    Clients("0", "eu-west-1").ecs().create_cluster(clusterName="shows")
    return Desk(tmp_path)


def test_deploying_asks_nobody_and_says_what_next(desk: Desk) -> None:
    result = desk.run(commands.deploy, "--yes")
    assert result.exit_code == 0, result.exception
    (asked,) = desk.asked
    assert asked[:3] == ["eu-west-1", "deploy", "--all"]
    assert asked[3:5] == ["--require-approval", "never"]
    assert {"shows.template.json", "shows-data.template.json"} <= _assembly(desk)
    assert result.stdout == ""
    for word in ("put-secret-value", "shows/github-token", "me@example.com", "cost allocation", "doctor"):
        assert word in result.stderr


def test_a_diff_changes_nothing_and_builds_nothing(desk: Desk) -> None:
    (desk.folder / "tools" / "docker").unlink()
    assert desk.run(commands.deploy, "--diff").exit_code == 0
    assert [asked[1] for asked in desk.asked] == ["diff"]


def test_where_nobody_can_answer_nothing_is_deployed(desk: Desk) -> None:
    error = desk.error(commands.deploy)
    assert error.exit_code == 2
    assert "--yes" in error.hint
    assert desk.asked == []


@pytest.mark.parametrize(("answer", "asked"), [("y\n", ["diff", "deploy"]), ("n\n", ["diff"])])
def test_a_person_is_shown_what_changes_and_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, answer: str, asked: list[str]
) -> None:
    monkeypatch.setattr("infra.commands._somebody_is_there", lambda: True)
    result = desk.run(commands.deploy, answers=answer)
    assert [each[1] for each in desk.asked] == asked
    assert result.exit_code == (0 if "deploy" in asked else 1)


@pytest.mark.parametrize(
    "said",
    [
        "not found in aws://123456789012/eu-west-1. Has the environment been bootstrapped?",
        "Please run 'cdk bootstrap'",
    ],
)
def test_an_account_that_cdk_was_not_set_up_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setenv("CDK_SAYS", said)
    assert desk.error(commands.deploy, "--yes").hint == "once: proofcast deploy --bootstrap"
    monkeypatch.setenv("CDK_SAYS", "")
    assert desk.run(commands.deploy, "--bootstrap").exit_code == 0
    assert desk.asked[-1][1:3] == ["bootstrap", "aws://123456789012/eu-west-1"]


def test_what_cdk_complains_of_is_passed_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CDK_SAYS", "no credentials")
    with pytest.raises(ProofcastError, match="what it says is above"):
        toolkit.run(["diff"], "eu-west-1", desk.folder)
    assert "no credentials" in capfd.readouterr().err


def test_a_docker_that_does_not_answer_is_noticed_first(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_IS_DOWN", "1")
    assert "does not answer" in desk.error(commands.deploy, "--yes").message
    assert desk.asked == []


def test_a_name_that_nothing_runs_under_is_not_destroyed(desk: Desk) -> None:
    config = desk.folder / "proofcast.toml"
    config.write_text(config.read_text().replace('"shows"', '"shwos"'))
    assert "nothing of 'shwos' runs" in desk.error(commands.destroy, "--yes").message
    assert desk.asked == []


def test_what_is_missing_is_said_before_anything_is_done(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk.folder / "tools" / "docker").unlink()
    assert "CDK_DOCKER" in desk.error(commands.deploy, "--yes").hint
    image = 'image = "ghcr.io/me/worker:1"\n'
    (desk.folder / "proofcast.toml").write_text(CONFIG + image)
    assert desk.run(commands.deploy, "--yes").exit_code == 0
    for name in ("find_spec", "node"):
        with monkeypatch.context() as patch:
            patch.setattr(toolkit, name, _nothing)
            error = desk.error(commands.deploy, "--yes")
            assert (error.exit_code, error.hint) == (2, HOW_TO_INSTALL)


def test_a_config_for_this_machine_can_not_be_deployed(desk: Desk) -> None:
    (desk.folder / "proofcast.toml").write_text("")
    for command in (commands.deploy, commands.destroy):
        assert 'engine = "aws"' in desk.error(command, "--yes").hint


@pytest.mark.parametrize("model", ["mine", "./mine", "/models/mine"])
def test_a_model_on_this_machine_can_not_be_deployed(desk: Desk, model: str) -> None:
    (desk.folder / "mine").mkdir()
    (desk.folder / "mine" / "model.bin").touch()
    (desk.folder / "proofcast.toml").write_text(f'{CONFIG}[transcribe]\nmodel = "{model}"\n')
    assert f"'{model}' is a folder on this machine" in desk.error(commands.deploy, "--yes").message


def test_destroying_keeps_the_data(desk: Desk) -> None:
    result = desk.run(commands.destroy, "--yes")
    assert result.exit_code == 0, result.exception
    (asked,) = desk.asked
    assert asked[1:5] == ["destroy", "shows", "--exclusively", "--force"]
    assert "kept" in result.stderr


def test_destroying_asks(desk: Desk) -> None:
    assert desk.run(commands.destroy, answers="n\n").exit_code == 1
    assert desk.asked == []
    assert desk.run(commands.destroy, answers="y\n").exit_code == 0


def test_data_is_deleted_only_by_its_name(desk: Desk) -> None:
    for answers in ("", "y\n", "proofcast\n"):
        assert desk.run(commands.destroy, "--delete-data", "--yes", answers=answers).exit_code == 1
    assert desk.asked == []
    result = desk.run(commands.destroy, "--delete-data", answers="shows\n")
    assert result.exit_code == 0, result.exception
    assert [asked[1:4] for asked in desk.asked] == [["destroy", "--all", "--force"]]


@pytest.mark.parametrize("version", ["2.1000.0", "3.0.0", "nonsense"])
def test_a_command_line_of_cdk_that_is_no_good_is_not_used(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    assert toolkit.cdk() == [str(desk.folder / "tools" / "cdk")]
    monkeypatch.setenv("CDK_VERSION", version)
    assert toolkit.cdk()[-2:] == ["--yes", "aws-cdk@2.1148.1"]
    assert Path(toolkit.cdk()[0]).name == "node"


def test_our_own_node_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    found = node()
    assert found
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    assert int(version.removeprefix("v").partition(".")[0]) >= 22
    assert os.environ["JSII_NODE"]


def test_templates_are_written_offline(desk: Desk) -> None:
    done = _infra(desk, "--output", "out")
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("out\n", "")
    assets = json.loads((desk.folder / "out" / "shows.assets.json").read_text())
    assert len(assets["dockerImages"]) == 1
    assert {asset["source"]["packaging"] for asset in assets["files"].values()} == {"file", "zip"}


def test_writing_says_what_is_wrong(desk: Desk) -> None:
    done = _infra(desk, "nowhere.toml")
    assert done.returncode == ConfigError.exit_code
    assert "nowhere.toml" in done.stderr


def _nothing(*_: str) -> None: ...


def _infra(desk: Desk, *arguments: str) -> subprocess.CompletedProcess[str]:
    command: Sequence[str] = [sys.executable, "-m", "infra", *arguments]
    return subprocess.run(command, cwd=desk.folder, capture_output=True, text=True, check=False)


def _assembly(desk: Desk) -> set[str]:
    return set((desk.folder / "notes.assembly").read_text().split())


@pytest.mark.parametrize("place", ["proofcast.toml", "/dev/null/assembly"])
def test_a_folder_that_can_not_be_written_is_said(desk: Desk, place: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "infra", str(desk.folder / "proofcast.toml"), "--output", place],
        cwd=desk.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "can't be written" in done.stderr
    assert len(done.stderr.splitlines()) == 2
