"""Test that every command in the documents exists, with valid arguments and existing files."""

from __future__ import annotations

import re
from contextlib import nullcontext, suppress
from functools import cache
from itertools import pairwise
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from exporter.flags import parser
from tests.docs.markdown import Block, Document, documents
from tests.docs.shell import SHELLS, commands, program, shells, simple
from tests.prometheus import ROOT

DOCUMENTS = documents()
MAKEFILE = (ROOT / "Makefile").read_text()
# What a block may use besides those that are checked below: programs whose arguments say nothing of this project.
OTHERS = {
    "apt",
    "curl",
    "df",
    "eval",
    "export",
    "grep",
    "install",
    "journalctl",
    "kill",
    "pip",
    "prometheus",
    "promtool",
    "pytest",
}
OTHERS |= {"gh", "psql", "python3", "systemctl"}
AWS_GLOBAL = {"--output", "--query", "--region", "--profile", "--no-cli-pager"}
# Commands that the AWS CLI has and the API has not.
AWS_CUSTOM = {("configure", "export-credentials"), ("logs", "tail")}
HELM = {"--namespace", "--values", "--set", "--create-namespace", "--version"}
KUBECTL = {"--namespace", "--all-namespaces", "--output", "--previous", "--selector", "-o", "-k", "-f"}
PLACE = re.compile(r"(?<![\w/.-])(?:file://)?((?:deploy|docs|exporter|tests|hack)/[\w./-]+)")


def exporter(words: list[str]) -> None:
    with suppress(SystemExit) if words == ["--version"] else nullcontext():
        parser().parse_args(words)


def make(words: list[str]) -> None:
    for word in words:
        name, assigned, _ = word.partition("=")
        pattern = rf"\b{name}\b" if assigned else rf"(?m)^{name}:.*##"
        assert re.search(pattern, MAKEFILE), word


def aws(words: list[str]) -> None:
    service, command, *rest = words
    if (service, command) in AWS_CUSTOM:
        return
    members = aws_options(service, command)
    options = [word for word in rest if word.startswith("--")]
    assert [option for option in options if option not in AWS_GLOBAL | members.keys()] == []
    assert {option for option, required in members.items() if required} <= set(options), words


@cache
def aws_options(service: str, command: str) -> dict[str, bool]:
    """Return each option of an AWS CLI command according to botocore's model, and whether it is required."""
    model = botocore.session.get_session().get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    shape: Any = model.operation_model(operations[command]).input_shape
    return (
        {}
        if shape is None
        else {f"--{xform_name(name, '-')}": name in shape.required_members for name in shape.members}
    )


def docker(words: list[str]) -> None:
    command, *rest = words
    if command == "compose":
        files = [file for flag, file in pairwise(rest) if flag == "-f"]
        assert files
        assert all((ROOT / file).is_file() for file in files)
        if "run" in rest:
            exporter(rest[rest.index("exporter") + 1 :])
    elif command == "run":
        exporter(rest[rest.index("sagemaker-exporter", rest.index("--env")) + 1 :])
    else:
        assert command in ("build", "buildx", "push"), words


def helm(words: list[str]) -> None:
    flags = {word for word in words if word.startswith("-")}
    assert words[0] in ("install", "upgrade", "uninstall", "template", "package", "lint", "show")
    assert flags <= HELM, flags
    assert (
        words[0] == "uninstall"
        or any(word.startswith("oci://") for word in words)
        or len(words) == 1
        or any((ROOT / word / "Chart.yaml").is_file() for word in words)
    )


def kubectl(words: list[str]) -> None:
    own = words[: words.index("--")] if "--" in words else words
    inside = words[len(own) + 1 :]
    if inside[:1] == ["sagemaker-exporter"]:
        exporter(inside[1:])
    assert {word for word in own if word.startswith("-")} <= KUBECTL, words
    for flag, value in pairwise(words):
        if flag in ("-k", "kustomize"):
            assert (ROOT / value / "kustomization.yaml").is_file(), value


CHECKS = {
    "sagemaker-exporter": exporter,
    "make": make,
    "aws": aws,
    "docker": docker,
    "helm": helm,
    "kubectl": kubectl,
}
PROGRAMS = CHECKS.keys() | OTHERS
BLOCKS = [(document, block) for document in DOCUMENTS for block in shells(document, set(PROGRAMS))]


def check(words: list[str]) -> None:
    assert program(words[0]) in PROGRAMS, f"{words[0]}: nobody checks this command"
    for word in words:
        for place in PLACE.findall(word):
            assert (ROOT / place).exists(), place
    CHECKS.get(program(words[0]), len)(words[1:])


def check_all(line: str) -> None:
    for words in simple(line):
        check(words)


@pytest.mark.parametrize(("document", "block"), [pytest.param(d, b, id=f"{d.name}:{b.line}") for d, b in BLOCKS])
def test_every_command_is_one_that_there_is(document: Document, block: Block) -> None:
    found = list(commands(block))
    assert found
    for words in found:
        check(words)


WITHIN = [
    pytest.param(span, id=f"{document.name}:{span}")
    for document in DOCUMENTS
    for span in dict.fromkeys(document.spans)
    if re.match(r"(?:sagemaker-exporter|make|docker|helm|kubectl) (?!-e )[a-z-]", span)
]


@pytest.mark.parametrize("span", WITHIN)
def test_commands_within_the_text_are_ones_that_there_are(span: str) -> None:
    check_all(span)


def test_a_block_that_says_it_is_for_a_shell_is_checked() -> None:
    known = {(document.name, block.line) for document, block in BLOCKS}
    named = {(d.name, b.line) for d in DOCUMENTS for b in d.blocks if b.language and b.language in SHELLS}
    assert named <= known
    assert len(known) > 15


@pytest.mark.parametrize(
    "line",
    [
        "sagemaker-exporter check-confg x",
        "sagemaker-exporter --config.fil x",
        "make demonstration",
        "make test ARG=1",
        "aws iam create-policy --policy-name x",
        "aws iam create-policy --policy-name x --policy-document y --colour red",
        "docker compose -f deploy/compose.yml up",
        "docker compose -f deploy/docker-compose.yml run --rm exporter docter",
        "kubectl exec deployment/sagemaker-exporter -- sagemaker-exporter docter",
        "helm install x deploy/helm/gone",
        "kubectl apply -k deploy/kustomize/overlays/gone",
        "brew install x",
        "cat deploy/gone.txt",
        "curl x | cat deploy/gone.txt",
        'eval "$(make demonstration)"',
    ],
)
def test_what_there_is_not_is_found(line: str) -> None:
    with pytest.raises((AssertionError, KeyError, SystemExit)):
        check_all(line)


def test_a_line_is_taken_apart_as_a_shell_does() -> None:
    block = Block("", "A=1 make demo ARGS='--jobs 5'  # to look\ncurl -s x | \\\n  grep y && z > /dev/null\n", 1)
    assert list(commands(block)) == [
        ["make", "demo", "ARGS=--jobs 5"],
        ["curl", "-s", "x"],
        ["grep", "y"],
        ["z"],
    ]
