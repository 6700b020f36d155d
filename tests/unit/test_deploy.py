"""What stands in deploy/ fits together, and fits Orders: names, files, settings, users."""

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from orders.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCS = [ROOT / "docs/running.md", ROOT / "docs/scale.md"]

COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
#: The instructions of the Dockerfile: `("COPY", "orders orders")`, in order.
DOCKERFILE = re.findall(
    r"^([A-Z]+) (.+)$",
    (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " "),
    re.MULTILINE,
)
RELEASE: dict[Any, Any] = yaml.safe_load(
    (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
)
UNIT = (DEPLOY / "orders.service").read_text(encoding="utf-8")


def nodes() -> list[str]:
    return [name for name in SERVICES if name.startswith("orders-")]


def servers() -> list[str]:
    return [name for name in SERVICES if name.startswith("nats-")]


def commands() -> list[list[str]]:
    """Every command line that starts Orders."""
    started = [SERVICES[node]["command"] for node in nodes()]
    started += [json.loads(rest) for word, rest in DOCKERFILE if word == "CMD"]
    started += [shlex.split(line) for line in re.findall(r"^ExecStart=(.+)$", UNIT, re.MULTILINE)]
    return started


# ── settings ────────────────────────────────────────────────────────────────────────────────────


def test_every_flag_in_deploy_is_a_setting_of_orders() -> None:
    flags = {word.split("=")[0] for line in commands() for word in line if word.startswith("--")}
    assert {"--proxy-headers", "--engine", "--port"} <= flags
    assert {flag[2:].replace("-", "_") for flag in flags} <= set(Settings.model_fields)


@pytest.mark.parametrize("file", [*sorted(DEPLOY.iterdir()), *DOCS], ids=lambda file: file.name)
def test_every_variable_that_is_named_is_a_setting_of_orders(file: Path) -> None:
    named = set(re.findall(r"\bORDERS_([A-Z]+(?:_[A-Z]+)*)\b", file.read_text(encoding="utf-8")))
    assert {name.lower() for name in named} <= set(Settings.model_fields)


def test_the_nodes_do_not_start_before_somebody_chose_a_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    example = DEPLOY / "env.example"
    with pytest.raises(ValidationError, match="host_token"):
        Settings(_env_file=example)
    monkeypatch.setenv("ORDERS_HOST_TOKEN", "a-token-of-the-host")
    assert Settings(_env_file=example).allow_host == ("localhost",)


# ── compose ─────────────────────────────────────────────────────────────────────────────────────


def test_whatever_compose_mounts_or_builds_from_is_there() -> None:
    mounts = [volume.split(":") for it in SERVICES.values() for volume in it.get("volumes", [])]
    files = {source for source, *_ in mounts if source.startswith(".")}
    assert files == {"./nats.conf", "./nginx.conf"}
    assert all((DEPLOY / file).is_file() for file in files)
    assert {source for source, *_ in mounts} - files == set(COMPOSE["volumes"])
    for node in nodes():
        build = SERVICES[node]["build"]
        assert (DEPLOY / build["context"]).resolve() == ROOT
        assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


def test_every_service_waits_only_for_others_that_say_when_they_are_healthy() -> None:
    for service in SERVICES.values():
        for other in service.get("depends_on", {}):
            is_checked = "healthcheck" in SERVICES[other] or "build" in SERVICES[other]
            assert is_checked, f"{other} has no health check"
    assert "HEALTHCHECK" in dict(DOCKERFILE)


def test_only_the_proxy_is_open_and_only_nodes_reach_nats() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert COMPOSE["networks"]["engine"]["internal"] is True
    on_engine = [name for name, service in SERVICES.items() if "engine" in service["networks"]]
    assert set(on_engine) == {*nodes(), *servers()}
    assert all(service["networks"] for service in SERVICES.values())


def test_the_proxy_knows_every_node_and_every_node_every_server() -> None:
    nginx = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    nats = (DEPLOY / "nats.conf").read_text(encoding="utf-8")
    assert len(nodes()) == 2
    assert len(servers()) == 3
    assert re.findall(r"server (\S+?):8080", nginx) == nodes()
    assert re.findall(r"nats://(\S+?):6222", nats) == servers()
    for node in nodes():
        flags = dict(word.split("=") for word in SERVICES[node]["command"] if "=" in word)
        assert re.findall(r"nats://(\S+?):4222", flags["--engine"]) == servers()
        assert int(flags["--engine-replicas"]) == len(servers())
        assert flags["--port"] == "8080"
    for server in servers():
        assert SERVICES[server]["environment"] == {"NATS_NAME": server}


def test_the_nodes_share_the_hosts_token() -> None:
    assert {SERVICES[node]["env_file"] for node in nodes()} == {".env"}
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert ".env" in ignored


# ── the image ───────────────────────────────────────────────────────────────────────────────────


def test_the_image_is_made_of_files_that_exist_and_are_not_ignored() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    kept = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        name
        for word, rest in DOCKERFILE
        if word == "COPY" and not rest.startswith("--from")
        for name in rest.split()[:-1]
    }
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)
    assert not any(fnmatch.fnmatch(name, "*.db") or ".env" in name for name in kept)


def test_the_image_holds_all_that_the_package_is_made_of() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    copied = " ".join(rest for word, rest in DOCKERFILE if word == "COPY")
    assert all(f"{name} {name}" in copied for name in wheel)
    extras = re.search(r"'\.\[(.+?)\]'", " ".join(rest for _, rest in DOCKERFILE))
    assert extras is not None
    assert set(extras[1].split(",")) <= set(project["project"]["optional-dependencies"])


def test_the_image_is_slim_and_does_not_run_as_root() -> None:
    bases = [rest for word, rest in DOCKERFILE if word == "FROM"]
    assert len(bases) == 2
    assert all("-slim" in base for base in bases)
    words = [word for word, _ in DOCKERFILE]
    last = len(words) - words[::-1].index("FROM")
    final = dict(DOCKERFILE[last:])
    assert int(final["USER"]) > 0
    assert words.index("USER") < words.index("CMD")


def test_the_image_says_what_it_is() -> None:
    labels = dict(re.findall(r'image\.(\w+)="([^"]+)"', dict(DOCKERFILE)["LABEL"]))
    assert labels["title"] == "Orders"
    assert labels["licenses"] == "MIT"
    assert labels["version"] == "$VERSION"
    assert "VERSION=unknown" in [rest for word, rest in DOCKERFILE if word == "ARG"]


# ── systemd ─────────────────────────────────────────────────────────────────────────────────────


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "orders.service"
    # systemd also sees whether the program is there
    unit.write_text(UNIT.replace("/opt/orders/bin/orders", sys.executable), encoding="utf-8")
    seen = subprocess.run([program, "verify", unit], capture_output=True, text=True, check=False)
    assert (seen.returncode, seen.stderr) == (0, "")
    unit.write_text(UNIT.replace("Type=exec", "Type=nonsense"), encoding="utf-8")
    wrong = subprocess.run([program, "verify", unit], capture_output=True, text=True, check=False)
    assert "nonsense" in wrong.stderr, "it notices nothing"


# ── the release, and a machine to develop on ────────────────────────────────────────────────────


def test_a_release_is_tested_first_and_only_what_was_built_is_published() -> None:
    jobs = RELEASE["jobs"]
    assert RELEASE[True]["push"] == {"tags": ["v*"]}  # YAML reads `on` as true
    assert ".ci/run" in [step.get("run") for step in jobs["test"]["steps"]]
    assert (ROOT / ".ci" / "run").is_file()
    assert jobs["build"]["needs"] == "test"
    assert jobs["publish"]["needs"] == "build"
    assert not any("checkout" in step.get("uses", "") for step in jobs["publish"]["steps"])


def test_only_who_publishes_may_say_who_it_is_and_nobody_may_write() -> None:
    assert RELEASE["permissions"] == {}
    granted = {name: job["permissions"] for name, job in RELEASE["jobs"].items()}
    assert granted.pop("publish") == {"id-token": "write"}
    assert all(permissions == {"contents": "read"} for permissions in granted.values())


def test_what_a_release_uses_is_named_by_its_commit() -> None:
    used = [
        step["uses"] for job in RELEASE["jobs"].values() for step in job["steps"] if "uses" in step
    ]
    assert used
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", name) for name in used)


def test_a_machine_to_develop_on_has_all_that_the_tests_need() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    dockerfile = ROOT / ".devcontainer" / container["build"]["dockerfile"]
    installed = set(dockerfile.read_text(encoding="utf-8").replace("\\\n", " ").split())
    missing = re.findall(r"missing\+=\(([^)]+)\)", (ROOT / ".ci" / "run").read_text("utf-8"))
    needed = {name for names in missing for name in names.split()}
    assert {"chromium-headless-shell", "strace"} <= needed
    # make and openssl are part of the base, and so is its Python
    assert needed - {"make", "openssl", "python3", "python3-venv"} <= installed
    assert container["remoteUser"] in installed
