"""scan and sign, with stand-ins for engine, registry and cosign."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from {{ cookiecutter.package_name }} import champion
from {{ cookiecutter.package_name }}.config import InputError
from {{ cookiecutter.package_name }}.operations import supply

DIGEST = f"sha256:{'d' * 64}"


def program(folder: Path, name: str, says: str = "", code: int = 0) -> None:
    """A program that notes its arguments in NAME.log."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    log = folder / f"{name}.log"
    path.write_text(f'#!/bin/sh\necho "$@" >> {log}\necho "{says}"\nexit {code}\n', "utf-8")
    path.chmod(0o755)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an SBOM and a champion; its bin/ is all there is on the PATH."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    monkeypatch.setenv("IMAGE_REGISTRY", "registry.example.com/team/")
    for name in ("COSIGN_KEY", "REGISTRY_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(champion, "read", lambda _: {"digest": "a" * 64})
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/sbom.json").write_text("{}", encoding="utf-8")
    program(tmp_path / "bin", "docker", f"latest: digest: {DIGEST} size: 1")
    program(tmp_path / "bin", "cosign")
    return tmp_path


def test_what_the_registry_took_is_signed_by_its_digest(bench: Path) -> None:
    supply.sign({})
    said = json.loads((bench / "reports/image.json").read_bytes())
    signed = (bench / "bin/cosign.log").read_text(encoding="utf-8").splitlines()
    assert said["image"].startswith("registry.example.com/team/")
    assert said["image"].endswith(f"@{DIGEST}")
    assert [line.split()[0] for line in signed] == ["sign", "attest"]
    assert all(line.endswith(said["image"]) for line in signed)


def test_the_password_of_the_registry_is_no_argument(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_USER", "robot")
    monkeypatch.setenv("REGISTRY_PASSWORD", "not-for-the-log")
    supply.sign({})
    said = (bench / "bin/docker.log").read_text(encoding="utf-8")
    assert said.startswith("login --username robot --password-stdin registry.example.com\n")
    assert "not-for-the-log" not in said


def test_an_image_without_a_digest_is_not_signed(bench: Path) -> None:
    program(bench / "bin", "docker", "pushed")
    with pytest.raises(InputError, match="no digest"):
        supply.sign({})
    assert not (bench / "bin/cosign.log").exists()


@pytest.mark.parametrize("name", ["docker", "cosign"])
def test_a_step_that_fails_leaves_no_image_behind(name: str, bench: Path) -> None:
    program(bench / "bin", name, code=1)
    with pytest.raises(InputError, match="failed"):
        supply.sign({})
    assert not (bench / "reports/image.json").exists()


def test_without_the_list_of_packages_nothing_is_signed(bench: Path) -> None:
    (bench / "reports/sbom.json").unlink()
    with pytest.raises(InputError, match="make scan"):
        supply.sign({})


def test_without_data_on_vulnerabilities_the_scan_is_not_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody is there
    (tmp_path / "requirements").mkdir()
    for lock in supply.LOCKS:
        line = f"rich==1.0.0 --hash=sha256:{'0' * 64}\n" if "serve" in lock else ""
        (tmp_path / lock).write_text(line, encoding="utf-8")
    with pytest.raises(InputError, match="not passed"):
        supply.scan()
    assert not supply.SBOM.exists()


def test_a_lock_that_is_missing_is_no_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"serve\.txt is missing"):
        supply.scan()
