"""What stands around the code keeps its word: the workflow is one, the README's pictures and targets exist."""

import re
from pathlib import Path

import pytest
import yaml

from myths import suite
from tests.lab.report import coin

ROOT = Path(__file__).parents[1]
TARGETS = set(re.findall(r"^([a-z][\w-]*)\s*:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
MYTHS = set(re.search(r"^MYTHS := (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)[1].split())


@pytest.mark.parametrize("file", sorted((ROOT / ".github" / "workflows").glob("*")), ids=lambda file: file.name)
def test_a_workflow_has_jobs_whose_steps_run_or_use_something(file):
    workflow = yaml.safe_load(file.read_text())
    assert {"name", True, "permissions", "jobs"} <= set(workflow)  # YAML 1.1 reads the key "on" as true
    for name, job in workflow["jobs"].items():
        assert job["runs-on"]
        assert job["steps"], name
        assert all(("run" in step) != ("uses" in step) for step in job["steps"]), name
        assert all(needed in workflow["jobs"] for needed in [job.get("needs")] if needed), name
    assert made(file) <= TARGETS | MYTHS


def made(file):
    """The targets that a workflow makes."""
    commands = [step["run"] for job in yaml.safe_load(file.read_text())["jobs"].values() for step in job["steps"] if "run" in step]
    return {word for command in commands for word in re.findall(r"^make ([\w-]+)", command, flags=re.MULTILINE)}


def test_the_workflows_test_and_deploy():
    assert {"test", "site"} <= set().union(*map(made, (ROOT / ".github" / "workflows").glob("*")))


def test_the_pictures_of_the_readme_exist_and_a_command_makes_them():
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    made = re.findall(r'"(\w+\.png)"', (ROOT / "docs" / "screenshots.py").read_text())
    assert sorted(pictures) == sorted(f"docs/{name}" for name in made)
    assert all((ROOT / picture).read_bytes().startswith(b"\x89PNG") for picture in pictures)
    assert "docs/screenshots.py" in (ROOT / "Makefile").read_text()
    assert "screenshots" in TARGETS


def test_every_target_that_the_readme_names_exists():
    named = set(re.findall(r"`make ([a-z][\w-]*)", (ROOT / "README.md").read_text()))
    assert len(named) > 8
    assert named <= TARGETS | MYTHS


def test_a_myth_of_this_repository_is_run_by_a_target_and_another_by_the_command():
    assert {myth.command("gpu") for myth in suite.OURS} == {f"make {name} PROFILE=gpu" for name in MYTHS}
    assert (coin.COIN.command(), coin.COIN.command("gpu")) == ("myths run fair-coin", "myths run fair-coin --profile gpu")
