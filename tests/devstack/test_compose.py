"""docker-compose.yml and Dockerfile: valid, exact, safe, and the same system that devstack runs."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from config.environment import FromEnvironment
from config.settings import BrokerSettings, DatabaseSettings, MailSettings, ShopApiSettings
from devstack import eventing, gateways, launch, temporal
from devstack.layout import ROOT, Layout
from devstack.settings import Addresses, sandbox_environment
from gateways.registry import REGISTRY
from tests.config.variables import gateway_secrets, variables

COMPOSE: dict[str, Any] = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PRODUCT = ("migrate", "api", "worker")
EVENTS = (eventing.RELAY, *eventing.SUBSCRIBERS)
OURS = (*PRODUCT, *EVENTS)
SECRETS = ("POSTGRES_PASSWORD", "TEMPORAL_DB_PASSWORD")
ADDRESSES = Addresses(
    "http://127.0.0.1:8080",
    "127.0.0.1:7233",
    None,
    "http://127.0.0.1:8090",
    "postgresql://h/d",
    metrics=dict.fromkeys(eventing.MEASURED, "http://127.0.0.1:9100/metrics"),
)


def _shape(command: list[str] | tuple[str, ...]) -> list[str]:
    """A command without what differs by place: the interpreter, addresses, folders."""
    assert Path(command[0]).name.startswith("python")
    return [part for part in command[1:] if part.startswith("-") or part.isidentifier() or re.match(r"^[a-z.]+$", part)]


def _devstack_commands() -> dict[str, tuple[str, ...]]:
    layout = Layout(Path("/data"))
    return {
        "migrate": launch.migration(layout, {}).command,
        "worker": launch.worker("worker-1", layout, {}).command,
        "api": launch.api(layout, ADDRESSES.api, {}).command,
        "sandbox": launch.sandbox(layout, ADDRESSES, gateways.new_secrets()).command,
    } | {name: eventing.spec(name, layout, ADDRESSES, {}, {}).command for name in EVENTS}


def test_valid_by_the_compose_specification() -> None:
    """The file is what the compose specification allows."""
    command = (
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        "docker-compose.yml",
    )
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("service", [*OURS, "sandbox"])
def test_commands_are_those_of_devstack(service: str) -> None:
    """Every command of ours is one that devstack starts, so that it is tried on every run; options may be fewer."""
    ours, tried = _shape(SERVICES[service]["command"]), _shape(_devstack_commands()[service])
    assert ours == tried[: len(ours)]


@pytest.mark.parametrize("service", OURS)
def test_environment_is_one_the_product_reads(service: str) -> None:
    """Every variable is a setting of the product: a misspelt one would be ignored in silence."""
    assert set(SERVICES[service]["environment"]) <= set(variables())


@pytest.mark.parametrize("service", ["api", "worker"])
def test_every_gateway_can_be_configured(service: str) -> None:
    """What a gateway cannot do without can be given to API and worker, and counts as not set where it is not given."""
    environment = SERVICES[service]["environment"]
    needed = {name for entry in REGISTRY.values() for name in _needed(entry.settings)}
    assert needed
    assert {name: environment.get(name) for name in needed} == {name: f"${{{name}:-}}" for name in needed}


@pytest.mark.parametrize(
    ("service", "read"),
    [
        *((name, (DatabaseSettings,)) for name in EVENTS),
        ("orders", (ShopApiSettings,)),
        ("notifications", (ShopApiSettings, MailSettings)),
    ],
)
def test_every_process_is_told_what_it_cannot_do_without(service: str, read: tuple[type[FromEnvironment], ...]) -> None:
    """What has no default is named, and comes from outside: empty, it counts as missing and the process says so."""
    environment = SERVICES[service]["environment"]
    needed = {name for settings in read for name in _needed(settings)}
    assert needed <= set(environment)
    assert all("${" in environment[name] for name in needed)


def test_everybody_is_at_the_same_broker() -> None:
    """API, worker, relay and subscribers read one address, which is the service's unless another is named."""
    told = {SERVICES[service]["environment"]["BROKER_URL"] for service in OURS}
    assert told == {"${BROKER_URL:-nats://nats:4222}"}
    assert "nats" in SERVICES


def test_every_subscriber_of_the_settings_has_a_process() -> None:
    """Who is published for is there to read it."""
    assert set(BrokerSettings.model_fields["event_subscribers"].default) == set(eventing.SUBSCRIBERS) <= set(SERVICES)


def test_the_broker_is_the_version_that_is_tested() -> None:
    """The image is of the version that every test runs on."""
    binary = eventing.broker(Layout(Path("/data")), ADDRESSES).command[0]
    told = subprocess.run((binary, "--version"), capture_output=True, text=True, check=True).stdout
    assert SERVICES["nats"]["image"] == f"nats:{told.split('v')[-1].strip()}-alpine"


def test_the_broker_keeps_its_streams() -> None:
    """They are in a volume, on which the server that devstack runs is told to put them as well."""
    folder = SERVICES["nats"]["volumes"][0].partition(":")[2]
    command = SERVICES["nats"]["command"]
    assert {"--jetstream", "--store_dir"} <= set(command)
    assert command[command.index("--store_dir") + 1] == folder


def _needed(settings: type[FromEnvironment]) -> set[str]:
    return {name.upper() for name, field in settings.model_fields.items() if field.is_required()}


def test_sandbox_environment_is_that_of_devstack() -> None:
    """The sandbox is told the same things as on a development machine."""
    told = {name for name in sandbox_environment(ADDRESSES, gateways.new_secrets()) if name.startswith("SANDBOX_")}
    assert set(SERVICES["sandbox"]["environment"]) == told


def test_every_image_has_an_exact_tag() -> None:
    """An image is always the same: a full version, in compose and in the Dockerfile."""
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    stages = re.findall(r"^FROM \S+ AS (\S+)", DOCKERFILE, re.MULTILINE)
    images = [service["image"] for service in SERVICES.values()] + [base for base in bases if base not in stages]
    for image in images:
        named = re.sub(r"\$\{[A-Z_]+:-([^}]+)\}", r"\1", image)
        assert re.fullmatch(r"[a-z/-]+:\d+\.\d+(\.\d+)?(-[a-z-]+)?", named), image


def test_temporal_is_the_version_that_is_tested() -> None:
    """Server and UI are of the versions that the development server reports."""
    told = subprocess.run((temporal.binary(), "--version"), capture_output=True, text=True, check=True).stdout
    server, interface = re.findall(r"Server (\S+), UI (\S+)\)", told)[0]
    assert SERVICES["temporal"]["image"] == f"temporalio/server:{server}"
    assert SERVICES["temporal-ui"]["image"] == f"temporalio/ui:{interface}"


def test_dynamic_config_is_the_tuning_of_devstack() -> None:
    """The server has the values that the development server is started with."""
    stored = YAML(typ="safe").load((ROOT / "deploy/temporal/dynamicconfig.yaml").read_text())
    assert {name: str(values[0]["value"]) for name, values in stored.items()} == dict(temporal.TUNED)


def test_secrets_come_from_outside() -> None:
    """No secret stands in the file: the databases' are refused when missing, a gateway's that is missing is empty."""
    text = (ROOT / "docker-compose.yml").read_text()
    for name in SECRETS:
        assert re.search(rf"\$\{{{name}:\?[^}}]+\}}", text)
        assert not re.search(rf"\$\{{{name}(:-[^}}]*)?\}}", text)
    told = {name: value for service in PRODUCT for name, value in SERVICES[service]["environment"].items()}
    asked = gateway_secrets() & set(told)
    assert len(asked) >= len(REGISTRY)
    assert {told[name] for name in asked} == {f"${{{name}:-}}" for name in asked}


def test_ports_are_on_loopback_alone() -> None:
    """Nothing is reachable from outside the server but through what stands in front of it."""
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name


def test_worker_can_be_scaled() -> None:
    """Several workers can run: no fixed name, no port of the host."""
    assert not {"container_name", "ports"} & set(SERVICES["worker"])


@pytest.mark.parametrize("service", [*OURS, "nats", "sandbox"])
def test_product_is_confined(service: str) -> None:
    """Our containers cannot write to their image and have no rights beyond a plain user's."""
    assert SERVICES[service]["read_only"] is True
    assert SERVICES[service]["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in SERVICES[service]["security_opt"]


def test_what_is_waited_for_can_be_waited_for() -> None:
    """Who waits for a healthy service waits for one that has a health check, who waits for an end for one that ends."""
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], (name, other)
            else:
                assert how["condition"] == "service_completed_successfully"
                assert SERVICES[other]["restart"].startswith("on-failure"), (name, other)


def test_mounted_files_exist() -> None:
    """Every file that is mounted is in the repository, or Docker would make an empty folder of that name."""
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / source).exists(), source


def test_image_runs_as_nobody_special() -> None:
    """The last word on the user is a number that is not root's."""
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)
    assert users
    assert not users[-1].startswith(("0", "root"))


def test_image_holds_the_whole_product() -> None:
    """Every package of the product is copied, and devstack is not."""
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]
    copied = set(re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.MULTILINE))
    assert copied == set(packages) - {"devstack"}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == copied | {"worker.py", "requirements.lock"}
