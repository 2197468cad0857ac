"""scan, sign and verify, with stand-ins for engine, registry and cosign."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ml_template.operations import contents, scan, sign, signatures, verify
from ml_template.registry import champion
from ml_template.settings.config import InputError

NAME = "registry.example.com/team/model"
DIGEST = f"sha256:{'d' * 64}"
IMAGE = f"{NAME}@{DIGEST}"
MODEL = "a" * 64
RECORD = {"digest": MODEL, "verdict": "b" * 64, "commit": "c" * 40, "image": None}
LINEAGE = {"model": MODEL, "verdict": "b" * 64, "commit": "c" * 40}
LISTING = {
    "python": "3.11.2",
    "packages": [["Some.Package", "1.0+cpu"]],
    "release": 'NAME="Debian"\nID=debian\n',
    "system": (
        "Package: libc6\nStatus: install ok installed\nVersion: 1:2.36-9\nDescription: C\n more\n"
        "\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n"
    ),
}
SIGNED = json.dumps([{"critical": {"identity": {"docker-reference": NAME}}}])
Program = Callable[..., None]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Make a program that notes its arguments in NAME.log and says SAYS[first argument]."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def make(name: str, code: int = 0, **says: str) -> None:
        answers = folder / f"{name}.d"
        answers.mkdir(exist_ok=True)
        for word, text in says.items():
            (answers / word.replace("_", "-")).write_text(text, encoding="utf-8")
        log, path = folder / f"{name}.log", folder / name
        path.write_text(
            f'#!/bin/sh\necho "$@" >> {log}\n[ $1 = version ] || [ {code} = 0 ] || exit {code}\n'
            f"cat {answers}/$1 2>/dev/null || true\n",
            encoding="utf-8",
        )
        path.chmod(0o755)

    return make


@pytest.fixture
def bench(tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an image and a champion; its bin/ comes first on the PATH."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    for name in ("REGISTRY_USER", "CI", "VERIFY_IDENTITY", "VERIFY_ISSUER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IMAGE_REGISTRY", "registry.example.com/team/")
    monkeypatch.setenv("COSIGN_KEY", "cosign.key")
    monkeypatch.setenv("COSIGN_PUBLIC_KEY", "cosign.pub")
    monkeypatch.setattr(champion, "read", lambda _: RECORD)
    monkeypatch.setattr(sign, "check", lambda *_: "sha256:local")
    Path("reports").mkdir()
    verify.IMAGE.write_text(json.dumps({"tag": "model:1", "model": MODEL}), encoding="utf-8")
    program("docker", push=f"1: digest: {DIGEST} size: 1", run=json.dumps(LISTING))
    program("cosign", version='{"gitVersion": "v2.5.0"}', verify=SIGNED)
    program("cosign", verify_attestation=statement(LINEAGE))
    return tmp_path


def statement(predicate: object, name: str = NAME) -> str:
    subject = [{"name": name, "digest": {"sha256": DIGEST.partition(":")[2]}}]
    text = json.dumps({"subject": subject, "predicate": predicate})
    return json.dumps({"payload": base64.b64encode(text.encode()).decode()}) + "\n"


def said(bench: Path, name: str) -> list[str]:
    lines = (bench / f"bin/{name}.log").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("version")]


def test_what_the_registry_took_is_signed_by_its_digest(bench: Path) -> None:
    sign.run()
    made = json.loads(verify.IMAGE.read_bytes())
    assert (made["tag"], made["model"]) == ("model:1", MODEL)
    assert made["image"].startswith("registry.example.com/team/")
    assert made["image"].endswith(f"@{DIGEST}")
    signed = said(bench, "cosign")
    assert [line.split()[0] for line in signed] == ["sign", "attest", "attest"]
    assert all(line.endswith(made["image"]) for line in signed)
    assert all("--key cosign.key --tlog-upload=false" in line for line in signed)


def test_the_list_of_packages_names_them_the_way_scanners_read(bench: Path) -> None:
    found = contents.bill("docker", IMAGE, "model", RECORD)
    assert found == contents.bill("docker", IMAGE, "model", RECORD)
    places = {part.get("purl"): part for part in found["components"]}
    assert set(places) == {
        None,
        "pkg:generic/python@3.11.2",
        "pkg:pypi/some-package@1.0%2Bcpu",
        "pkg:deb/debian/libc6@1:2.36-9",
    }
    assert places[None]["hashes"][0]["content"] == MODEL
    assert {part["bom-ref"] for part in found["components"]} == {*places, MODEL} - {None}


def test_the_password_of_the_registry_is_no_argument_and_its_login_is_forgotten(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_USER", "robot")
    monkeypatch.setenv("REGISTRY_PASSWORD", "not-for-the-log")
    sign.run()
    login = "login --username robot --password-stdin registry.example.com"
    assert said(bench, "docker")[0] == login
    assert "not-for-the-log" not in "".join(said(bench, "docker") + said(bench, "cosign"))


def test_in_a_ci_run_without_a_key_the_run_signs(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COSIGN_KEY")
    with pytest.raises(InputError, match="COSIGN_KEY"):
        sign.run()
    monkeypatch.setenv("CI", "true")
    sign.run()
    assert not any("--key" in line or "tlog" in line for line in said(bench, "cosign"))


def test_an_image_without_a_digest_is_not_signed(bench: Path, program: Program) -> None:
    program("docker", push="pushed")
    with pytest.raises(InputError, match="no digest"):
        sign.run()
    assert not (bench / "bin/cosign.log").exists()


@pytest.mark.parametrize("name", ["docker", "cosign"])
def test_a_step_that_fails_leaves_no_signed_image_behind(
    name: str, bench: Path, program: Program
) -> None:
    program(name, code=1)
    with pytest.raises(InputError, match="failed"):
        sign.run()
    assert "image" not in json.loads(verify.IMAGE.read_bytes())


@pytest.mark.parametrize("version", ["v3.0.2", "3.0.2", "v20.0.0"])
def test_another_cosign_than_version_2_is_refused(
    version: str, bench: Path, program: Program
) -> None:
    program("cosign", version=json.dumps({"gitVersion": version}))
    with pytest.raises(InputError, match=f"{version} is not version 2"):
        verify.verified(IMAGE)


def test_a_model_that_nobody_judged_is_not_signed(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(champion, "read", lambda _: None)
    with pytest.raises(InputError, match="neither champion nor challenger"):
        sign.run()
    assert not (bench / "bin/docker.log").exists()


def test_a_signed_image_says_where_its_model_comes_from(bench: Path) -> None:
    assert verify.verified(IMAGE) == LINEAGE | {"image": IMAGE}
    assert all("--key cosign.pub" in line for line in said(bench, "cosign"))


def test_an_identity_is_asked_for_exactly(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COSIGN_PUBLIC_KEY")
    with pytest.raises(InputError, match="say who may sign"):
        verify.verified(IMAGE)
    monkeypatch.setenv("VERIFY_IDENTITY", "https://ci.example.com/release")
    monkeypatch.setenv("VERIFY_ISSUER", "https://ci.example.com")
    verify.verified(IMAGE)
    exact = (
        "--certificate-identity https://ci.example.com/release "
        "--certificate-oidc-issuer https://ci.example.com"
    )
    assert all(exact in line and "--private" not in line for line in said(bench, "cosign"))


@pytest.mark.parametrize("tag", [f"{NAME}:1", f"{NAME}:1@{DIGEST}", NAME, f"--key@{DIGEST}", ""])
def test_what_is_not_named_by_digest_alone_is_refused(tag: str, bench: Path) -> None:
    with pytest.raises(InputError, match="by digest"):
        verify.verified(tag)


@pytest.mark.parametrize(
    ("attested", "why"),
    [
        (statement(LINEAGE | {"model": "f" * 64}), "neither champion nor challenger"),
        (statement(LINEAGE, "registry.example.com/other"), "not attested once"),
        (statement(LINEAGE) * 2, "not attested once"),
        (statement("?"), "lineage is damaged"),
        (statement(LINEAGE | {"model": None}), "lineage is damaged"),
        (statement(LINEAGE | {"verdict": []}), "lineage is damaged"),
        ("", "not attested once"),
    ],
)
def test_lineage_of_another_image_or_model_is_refused(
    attested: str, why: str, bench: Path, program: Program
) -> None:
    program("cosign", verify_attestation=attested)
    with pytest.raises(InputError, match=why):
        verify.verified(IMAGE)


DEEP, PAYLOAD = "[" * 100_000, '{"payload": null}'


@pytest.mark.parametrize(
    ("word", "printed"),
    [
        *(("verify", text) for text in ("null", "[null]", "5", f"WARNING: x\n{SIGNED}", DEEP)),
        ("verify", '[{"critical": {"identity": {"docker-reference": []}}}]'),
        *(("verify_attestation", text) for text in ("null", "[null]", "WARNING: x", DEEP)),
        *(
            ("verify_attestation", PAYLOAD.replace("null", text))
            for text in ("null", '"?"', '"bnVsbA=="')
        ),
        *(("version", text) for text in ("", "{}", "null", '{"gitVersion": null}', DEEP)),
    ],
)
def test_what_cosign_prints_in_another_form_is_refused_in_one_line(
    word: str, printed: str, bench: Path, program: Program
) -> None:
    program("cosign", **{word: printed})
    with pytest.raises(InputError, match=r"printed cannot be read .*install cosign 2\.5"):
        verify.verified(IMAGE)


def test_an_image_of_jobs_needs_a_signature_alone(bench: Path, program: Program) -> None:
    program("cosign", verify_attestation="")
    signatures.trusted(IMAGE)
    other = {"critical": {"identity": {"docker-reference": "registry.example.com/other"}}}
    program("cosign", verify=json.dumps([other]))
    with pytest.raises(InputError, match="its signature was made for"):
        signatures.trusted(IMAGE)
    with pytest.raises(InputError, match="by digest"):
        signatures.trusted(f"{NAME}:1")
    program("cosign", code=1)
    with pytest.raises(InputError, match="cosign verify"):
        signatures.trusted(IMAGE)


@pytest.mark.parametrize("printed", ['""', "[]"])
def test_an_empty_list_of_signatures_is_none(printed: str, bench: Path, program: Program) -> None:
    program("cosign", verify=printed)
    with pytest.raises(InputError, match=r"its signature was made for \[\]"):
        verify.verified(IMAGE)


@pytest.mark.parametrize("version", ["v2.5.0", "2.5.0", "devel"])
def test_a_blank_line_and_a_version_without_v_are_no_hindrance(
    version: str, bench: Path, program: Program
) -> None:
    attested = f"{statement(LINEAGE)}\n"
    program("cosign", version=json.dumps({"gitVersion": version}), verify_attestation=attested)
    assert verify.verified(IMAGE)["model"] == MODEL


def test_a_signature_made_for_another_repository_is_refused(bench: Path, program: Program) -> None:
    other = {"critical": {"identity": {"docker-reference": "registry.example.com/other"}}}
    program("cosign", verify=json.dumps([other]))
    with pytest.raises(InputError, match="its signature was made for"):
        verify.verified(IMAGE)


def test_without_a_name_the_image_signed_last_is_meant_then_that_of_the_champion(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="make sign"):
        verify.latest()
    verify.IMAGE.write_text(json.dumps({"image": IMAGE, "model": MODEL}), encoding="utf-8")
    assert verify.latest() == IMAGE
    verify.IMAGE.unlink()
    with pytest.raises(InputError, match="no image is known"):
        verify.latest()
    monkeypatch.setattr(champion, "read", lambda _: RECORD | {"image": IMAGE})
    assert verify.latest() == IMAGE


def test_without_data_on_vulnerabilities_the_scan_is_not_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody is there
    (tmp_path / "requirements").mkdir()
    for lock in scan.LOCKS:
        line = f"rich==1.0.0 --hash=sha256:{'0' * 64}\n" if "serve" in lock else ""
        (tmp_path / lock).write_text(line, encoding="utf-8")
    with pytest.raises(InputError, match="not passed"):
        scan.run()


def test_a_known_vulnerability_is_named_and_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements").mkdir()
    for lock in scan.LOCKS:
        (tmp_path / lock).write_text("", encoding="utf-8")
    fault = {"id": "EXAMPLE-1", "fix_versions": ["2.0"]}
    report = {"dependencies": [{"name": "weak", "version": "1.0", "vulns": [fault]}]}
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho '{json.dumps(report)}'\nexit 1\n", encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    with pytest.raises(InputError, match="not passed"):
        scan.run()
    assert "weak 1.0: EXAMPLE-1: fixed in 2.0" in capsys.readouterr().out


def test_a_lock_that_is_missing_is_no_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"serve\.txt is missing"):
        scan.run()


def test_an_image_is_deployed_for_the_model_it_was_signed_with_alone(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(champion, "read", lambda _: None)  # a rollback: it is neither any more
    signatures.serves(IMAGE, MODEL)
    with pytest.raises(InputError, match=f"serves model {'a' * 16}, not {'e' * 16}"):
        signatures.serves(IMAGE, "e" * 64)
    with pytest.raises(InputError, match="by digest"):
        signatures.serves(f"{NAME}:1", MODEL)
    monkeypatch.delenv("COSIGN_PUBLIC_KEY")
    with pytest.raises(InputError, match="say who may sign"):
        signatures.serves(IMAGE, MODEL)


def test_an_image_that_nobody_signed_is_not_deployed(bench: Path, program: Program) -> None:
    program("cosign", code=1)
    with pytest.raises(InputError, match="cosign verify"):
        signatures.serves(IMAGE, MODEL)
