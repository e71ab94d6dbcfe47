"""What surrounds the code says the same as the code: CI, packaging, citation, changelog, issue templates."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import mt
from tests.conftest import ROOT

PYTHONS = ["3.11", "3.12", "3.13"]
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
# What a package is called in an import, where that differs from the name it is installed by.
INSTALLED_AS = {
    "backports": "backports.zstd",
    "docx": "python-docx",
    "google": "protobuf",
    "markdown_it": "markdown-it-py",
    "webvtt": "webvtt-py",
    "yaml": "pyyaml",
}


def read_yaml(*parts: str) -> Any:
    # BaseLoader: 3.10 stays "3.10", and `on` stays a word.
    return yaml.load(ROOT.joinpath(*parts).read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements() -> dict[str, Requirement]:
    """Every requirement of the package and its extras, by its normalised name."""
    lines = [*project()["dependencies"], *chain(*project()["optional-dependencies"].values())]
    found = [Requirement(line) for line in lines if not line.startswith("mt-conflict-news[")]
    return {requirement.name.lower().replace("_", "-"): requirement for requirement in found}


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.lower().split("==") for line in lines if not line.startswith("#"))


def test_ci_runs_what_ci_run_runs_on_every_python():
    workflow = read_yaml(".github", "workflows", "ci.yml")
    assert set(workflow["on"]) == {"push", "pull_request"}
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert job["strategy"]["matrix"] == {"python": PYTHONS}
    assert job["container"] == "python:${{ matrix.python }}"
    # All that is not a preparation is in one script, which runs in the same way on any machine.
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert [line for line in commands if not line.startswith("git config")] == [".ci/run"]
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text(encoding="utf-8").splitlines()[-1] == "make test"


def test_supported_pythons_are_those_of_ci():
    named = [line.rpartition(" ")[2] for line in project()["classifiers"] if "Python :: 3." in line]
    assert named == PYTHONS
    assert project()["requires-python"] == ">=3.11"


def test_licence_is_the_same_everywhere():
    assert project()["license"] == "Apache-2.0"
    assert project()["license-files"] == ["LICENSE"]
    assert read_yaml("CITATION.cff")["license"] == "Apache-2.0"
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License\n                           Version 2.0, January 2004\n" in licence
    assert "END OF TERMS AND CONDITIONS" in licence


def test_citation_has_the_version_and_no_persons_name():
    citation = read_yaml("CITATION.cff")
    assert citation["version"] == mt.__version__
    assert citation["cff-version"] == "1.2.0"
    assert citation["authors"] == [{"name": "The mt-conflict-news contributors"}]
    assert project()["authors"] == citation["authors"]
    assert {"message", "title"} <= set(citation)


def test_changelog_begins_with_what_is_unreleased_and_groups_it():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) == {"Added", "Changed", "Fixed"}


@pytest.mark.parametrize("template", TEMPLATES, ids=[path.stem for path in TEMPLATES])
def test_issue_template_is_a_form_that_asks_for_mt_env(template: Path):
    form = read_yaml(*template.relative_to(ROOT).parts)
    assert {"name", "description", "body"} <= set(form)
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["attributes"]["label"] for field in fields)
    environment = next(field for field in fields if "`mt env`" in field["attributes"]["label"])
    # Shown as it was pasted, not as Markdown.
    assert environment["attributes"]["render"] == "text"


def test_a_bug_report_needs_the_environment():
    assert [template.stem for template in TEMPLATES] == ["bug", "request"]
    bug = {field.get("id"): field for field in read_yaml(".github", "ISSUE_TEMPLATE", "bug.yml")["body"]}
    for name in ("command", "expected", "environment"):
        assert bug[name]["validations"] == {"required": "true"}


def test_every_dependency_has_its_reason():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text.partition("\n[project]\n")[2].partition("\n[project.scripts]\n")[0]
    lines = re.findall(r'^(?:    |\w+ = \[)"[\w.-]+(?:\[\w+\])?[<>=].*$', section, re.MULTILINE)
    assert len(lines) == len(requirements())
    assert [line for line in lines if not re.search(r"[\],]  # \w", line)] == []


def test_tested_versions_are_within_the_bounds():
    pinned = constraints()
    for name, requirement in requirements().items():
        assert requirement.specifier.contains(pinned[name]), name


def private_names(tree: ast.AST) -> set[str]:
    """Packages from which a name that begins with an underscore is imported."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [*node.module.split("."), *(alias.name for alias in node.names)]
            if any(name.startswith("_") and not name.startswith("__") for name in names):
                found.add(node.module.split(".")[0])
    return found


def imported(tree: ast.AST) -> set[str]:
    """The top-level names of all modules that are imported."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def test_what_is_imported_is_declared_and_private_names_are_bounded():
    declared = requirements()
    trees = [ast.parse(file.read_bytes()) for file in sorted((ROOT / "mt").rglob("*.py"))]
    # `compression` has come with Python 3.14; COMET has an environment of its own; Triton comes with torch for GPUs.
    elsewhere = {"mt", "compression", "comet", "triton"}
    packages = set().union(*map(imported, trees)) - set(sys.stdlib_module_names) - elsewhere
    assert {INSTALLED_AS.get(name, name).replace("_", "-") for name in packages} - set(declared) == set()
    private = set().union(*map(private_names, trees)) - {"mt"}
    assert {"jsonargparse", "sacrebleu"} <= private
    for name in private:
        specifier: SpecifierSet = declared[name].specifier
        # A later version may rename what is private.
        assert any(bound.operator == "<" for bound in specifier), name
