"""T46: the Kubernetes manifests of every environment, strategy and option, and planted faults."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import admission
import bake
import checkov
import manifest_rules
import pytest
import yaml
from cluster import Handler, cluster
from kubernetes_validate import SchemaNotFoundError, ValidationError, validate
from manifest_faults import DRIFTED, FAULTS, Fault
from manifest_rules import alike, faults, of_kind
from needs import missing, needed

SCHEMAS = bake.ROOT / "tests" / "manifests"
KUBERNETES = "1.32"
CUSTOM = ("argoproj.io/", "gateway.networking.k8s.io/", "monitoring.coreos.com/")
NAME = "example-credit-model"
PACKAGE = "example_credit_model"
MODEL, VERDICT, COMMIT = "1" * 64, "2" * 64, "3" * 40
IMAGE = "registry.example.com/credit@sha256:" + "4" * 64
WORK = "registry.example.com/credit-work@sha256:" + "5" * 64
BUNDLES = {  # name: what is asked for
    "rest": [],
    "canary": ["STRATEGY=canary"],
    "bluegreen": ["STRATEGY=bluegreen"],
    "shadow": ["STRATEGY=shadow"],
    "argo": ["STRATEGY=argo"],
    "monitor": [],
    "monitoring": [],
    "train": ["JOB=train"],
    "rollout": ["JOB=rollout"],
}
JOBS = {"train": "Job", "rollout": "Job", "monitor": "CronJob", "argo": "AnalysisTemplate"}
SOCKET = "/var/run/docker.sock"
ENVIRONMENTS = ("staging", "production")
pytestmark = pytest.mark.xdist_group("manifests")

Objects = list[dict[str, Any]]


@pytest.fixture(scope="session")
def kubectl() -> None:
    needed("kubectl")


@pytest.fixture(scope="session")
def deployed(kubectl: None, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two homes of a project whose champion has an image: with the option `monitor`, without."""
    homes = tmp_path_factory.mktemp("manifests")
    for home in ("plain", "monitor"):
        shutil.copytree(project, homes / home)
        record = {
            "digest": MODEL,
            "model": f"models/{MODEL[:16]}",
            "verdict": VERDICT,
            "commit": COMMIT,
            "since": "2026-01-01T00:00:00+00:00",
            "by": "Example",
            "why": "first",
            "action": "register",
            "image": IMAGE,
        }
        (homes / home / "models").mkdir()
        (homes / home / "models" / "champion.json").write_text(json.dumps(record))
    for overlay in (homes / "monitor" / "deploy/k8s/overlays").glob("*/kustomization.yaml"):
        text = overlay.read_text(encoding="utf-8")
        assert "\n# components: [../../monitor]" in text
        overlay.write_text(text.replace("\n# components:", "\ncomponents:"), encoding="utf-8")
    return homes


def manifests(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    source = bake.code_of(home)
    return bake.run(sys.executable, "-m", PACKAGE, "manifests", *words, cwd=home, PYTHONPATH=source)


def rendered(homes: Path, env: str, bundle: str) -> Objects:
    home = homes / ("monitor" if bundle == "monitor" else "plain")
    done = manifests(home, f"ENV={env}", f"WORK={WORK}", *BUNDLES[bundle])
    assert done.returncode == 0, done.stderr
    text = done.stdout
    if bundle == "monitoring":  # next to what it looks at
        done = bake.run("kubectl", "kustomize", "deploy/monitoring", cwd=home)
        assert done.returncode == 0, done.stderr
        text += f"---\n{done.stdout}"
    return [thing for thing in yaml.safe_load_all(text) if thing]


@pytest.fixture(scope="session")
def bundles(deployed: Path) -> dict[str, Objects]:
    """The objects of staging by bundle; the names of jobs without their time."""
    found = {}
    for bundle in BUNDLES:
        text = json.dumps(rendered(deployed, "staging", bundle))
        found[bundle] = json.loads(re.sub(r"-\d{14}\"", '"', text))
    return found


@pytest.fixture(scope="session")
def schemas() -> None:
    """The schemas of custom resources are installed."""
    needed("npm", "node")
    installed, lock = SCHEMAS / "node_modules/.package-lock.json", SCHEMAS / "package-lock.json"
    if not installed.is_file() or installed.stat().st_mtime < lock.stat().st_mtime:
        done = bake.run("npm", "ci", "--silent", "--no-audit", "--no-fund", cwd=SCHEMAS)
        assert done.returncode == 0, done.stderr


def against_schemas(objects: Objects) -> Iterator[str]:
    """What the schemas of Kubernetes and of what is installed in it say against them."""
    custom = [thing for thing in objects if str(thing["apiVersion"]).startswith(CUSTOM)]
    if custom:
        done = subprocess.run(
            ["node", SCHEMAS / "schema.mjs"],
            input=json.dumps(custom),
            capture_output=True,
            text=True,
            check=True,
        )
        yield from filter(None, json.loads(done.stdout))
    for thing in objects:
        if thing not in custom:
            try:
                validate(thing, KUBERNETES, strict=True)
            except (SchemaNotFoundError, ValidationError) as error:
                yield f"{type(error).__name__} {error}".splitlines()[0]


def by_rules(objects: Objects) -> list[str]:
    """What our rules say; an object they cannot read is a fault too."""
    try:
        return faults(objects)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return [f"cannot be read: {error!r}"]


@pytest.mark.parametrize("bundle", BUNDLES)
@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_T46_a_clean_bundle_raises_no_alarm(
    env: str, bundle: str, deployed: Path, schemas: None
) -> None:
    objects = rendered(deployed, env, bundle)
    assert [*against_schemas(objects), *faults(objects)] == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_T46_a_planted_fault_is_found(
    fault: Fault, bundles: dict[str, Objects], schemas: None
) -> None:
    clean = bundles[fault.bundle]
    planted = fault.plant(clean, NAME)
    changed = [thing for thing in planted if thing not in clean]
    found = [*against_schemas(changed), *by_rules(planted)]
    assert [said for said in found if fault.says in said], (fault, found)
    print(f"{fault.name}: {found[0]}")


@pytest.fixture(scope="session")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkov.install(tmp_path_factory.mktemp("checkov") / "environment")


def test_checkov_finds_nothing_in_any_bundle(
    bundles: dict[str, Objects], second: Path, tmp_path: Path
) -> None:
    assert checkov.faults(second, tmp_path, bundles) == []


INGRESS: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": NAME, "namespace": f"{NAME}-staging"},
    "spec": {"rules": []},
}
SNIPPET = {"nginx.ingress.kubernetes.io/server-snippet": "location / {}"}
# What our rules let pass, or call only a difference of two pods: the object, its part, what is said
SEEN_BY_CHECKOV = {
    "socket": ("Deployment", {"volumes": [{"name": "s", "hostPath": {"path": SOCKET}}]}, "docker"),
    "ipc": ("Deployment", {"hostIPC": True}, "host IPC"),
    "snippet": ("Ingress", {"annotations": SNIPPET}, "NGINX Ingress annotation snippets"),
}


def test_checkov_finds_what_our_rules_do_not_look_for(
    bundles: dict[str, Objects], second: Path, tmp_path: Path
) -> None:
    planted = {}
    for name, (kind, part, _) in SEEN_BY_CHECKOV.items():
        objects = copy.deepcopy([*bundles["rest"], INGRESS])
        thing = next(of_kind(objects, kind))
        place = thing["metadata"] if kind == "Ingress" else thing["spec"]["template"]["spec"]
        place |= part
        planted[name] = objects
    found = checkov.faults(second, tmp_path, planted)
    for name, (_, _, says) in SEEN_BY_CHECKOV.items():
        assert [said for said in found if said.startswith(f"{name}: ") and says in said], found


def sources(home: Path) -> Objects:
    """Every object that is written in deploy/k8s, before kustomize makes two of one."""
    paths = sorted((home / "deploy" / "k8s").rglob("*.yaml"))
    texts = [p.read_text(encoding="utf-8") for p in paths if p.name != "kustomization.yaml"]
    return [thing for text in texts for thing in yaml.safe_load_all(text) if thing]


def templates_of_the_service(home: Path) -> int:
    """How often somebody wrote down how the pods of the service look."""
    written = [
        container
        for thing in sources(home)
        if "template" in (thing.get("spec") or {})
        for container in thing["spec"]["template"]["spec"].get("containers", [])
    ]
    patches = [p.read_text("utf-8") for p in (home / "deploy/k8s").rglob("kustomization.yaml")]
    containers = [c for c in written if c.get("image") == NAME or c["name"] == "service"]
    return len(containers) + len([text for text in patches if "containers:" in text])


def test_the_service_has_one_pod_template(project: Path) -> None:
    assert templates_of_the_service(project) == 1


@pytest.mark.parametrize("place", ["canary/deployment.yaml", "argo/rollout.yaml"])
def test_a_copied_pod_template_is_found(place: str, project: Path, tmp_path: Path) -> None:
    home = shutil.copytree(project, tmp_path / "home")
    written = (home / "deploy/k8s/base/pod/deployment.yaml").read_text(encoding="utf-8")
    (home / "deploy" / "k8s" / place).write_text(written.replace("Deployment", "Rollout"))
    assert templates_of_the_service(home) == 2


def of_jobs(bundles: dict[str, Objects]) -> Objects:
    """What runs jobs, one of each bundle that has one."""
    return [next(of_kind(bundles[bundle], kind)) for bundle, kind in JOBS.items()]


def test_the_pods_of_jobs_have_one_shape(bundles: dict[str, Objects]) -> None:
    assert list(alike(of_jobs(bundles))) == []


@pytest.mark.parametrize("fault", DRIFTED, ids=lambda fault: fault.name)
def test_a_pod_of_a_job_that_drifts_is_found(fault: Fault, bundles: dict[str, Objects]) -> None:
    planted = bundles | {fault.bundle: fault.plant(bundles[fault.bundle], NAME)}
    assert list(alike(of_jobs(planted))), fault


def test_an_image_by_tag_is_refused(deployed: Path) -> None:
    done = manifests(deployed / "plain", "ENV=staging", "IMAGE=registry.example.com/credit:1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "IMAGE=registry.example.com/credit:1: name it by digest" in done.stderr


@pytest.mark.parametrize("model", ["1234567890123456", "12345678901234e5", "0012345670123456"])
def test_a_digest_of_digits_stays_text(model: str, deployed: Path, tmp_path: Path) -> None:
    home = shutil.copytree(deployed / "plain", tmp_path / "home")
    digest = model + "0" * 48
    path = home / "models" / "champion.json"
    path.write_text(path.read_text().replace(MODEL, digest).replace(MODEL[:16], digest[:16]))
    done = manifests(home, "ENV=staging")
    assert re.findall(r"^ +model: (.*)$", done.stdout, re.M) == [f'"{digest[:16]}"'] * 4


def test_a_job_without_the_digest_of_its_image_is_refused(deployed: Path) -> None:
    done = manifests(deployed / "monitor", "ENV=staging")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"image {NAME}-work has no digest: name WORK=" in done.stderr


def test_rendering_changes_no_file_of_the_user(deployed: Path) -> None:
    before = bake.files(deployed / "plain")
    rendered(deployed, "production", "canary")
    after = bake.files(deployed / "plain")
    assert {name for name in after if "__pycache__" not in name} == {
        name for name in before if "__pycache__" not in name
    }
    assert all(after[name] == before[name] for name in before if name.startswith("deploy/"))


def test_the_settings_of_the_rules_are_those_of_the_service(project: Path) -> None:
    text = (project / bake.KIT / "serving/settings.py").read_text(encoding="utf-8")
    fields = re.findall(r"^    ([a-z_]+): .+ = ", text, re.MULTILINE)
    assert {field.upper() for field in fields} - {"MODEL_CONFIG"} == manifest_rules.SETTINGS


def test_argo_takes_the_steps_of_the_gates(project: Path, bundles: dict[str, Objects]) -> None:
    gates = yaml.safe_load((project / "gates.yaml").read_text(encoding="utf-8"))
    (rollout,) = manifest_rules.of_kind(bundles["argo"], "Rollout")
    (analysis,) = manifest_rules.of_kind(bundles["argo"], "AnalysisTemplate")
    steps = rollout["spec"]["strategy"]["canary"]["steps"]
    job = analysis["spec"]["metrics"][0]["provider"]["job"]["spec"]
    shares = [min(share, 99) for share in gates["rollout"]["steps"]]  # stable keeps 1 %
    assert [s["setWeight"] for s in steps if "setWeight" in s] == shares
    assert job["activeDeadlineSeconds"] == gates["rollout"]["seconds"]["deadline"]


def test_jobs_run_stages_that_there_are(project: Path, bundles: dict[str, Objects]) -> None:
    stages = (project / bake.KIT / "words.py").read_text(encoding="utf-8")
    for name, kind in JOBS.items():
        (job,) = manifest_rules.of_kind(bundles[name], kind)
        (container,) = manifest_rules.template(job)["spec"]["containers"]
        for word in container["args"]:
            assert "=" in word or word == "run" or f'"{word}": Word(' in stages


class Restricted(Handler):
    """It enforces Pod Security "restricted" as far as privileged pods go."""

    def denied(self, resource: str, space: str, value: dict[str, Any]) -> str:
        if not space:
            return ""
        known = self.store.get("namespaces", "", space)
        if known is None:
            return f'namespaces "{space}" not found'
        labels = known["metadata"]["labels"]
        if resource == "pods" and labels["pod-security.kubernetes.io/enforce"] == "restricted":
            for container in value["spec"]["containers"]:
                if container["securityContext"].get("privileged"):
                    return 'violates PodSecurity "restricted:latest": privileged'
        return ""


class Refusing(Restricted):
    """It lets nobody spread pods."""

    def denied(self, resource: str, space: str, value: dict[str, Any]) -> str:
        return "no budgets here" if resource == "poddisruptionbudgets" else ""


class Lenient(Restricted):
    """It keeps what it should not."""

    def end_headers(self) -> None:
        if "/deployments/" in self.path:
            self.send_header("Warning", '299 - "would violate PodSecurity"')
        super().end_headers()


def asked(answering: type[Handler], bundles: dict[str, Objects], folder: Path) -> list[str]:
    """T47 of every bundle, on a server of this kind."""
    (deployment, _) = of_kind(bundles["rest"], "Deployment")
    with (
        cluster(folder, answering) as made,
        admission.server(made.kubeconfig, bundles["rest"]) as there,
    ):
        kept = set(made.store.objects)
        said = [*there.unsafe(deployment)]
        for objects in bundles.values():
            said += there.refusals(objects)
        assert set(made.store.objects) == kept
    assert made.store.all("namespaces") == []
    return said


def test_T47_asks_a_server_and_leaves_nothing(bundles: dict[str, Objects], tmp_path: Path) -> None:
    assert asked(Restricted, bundles, tmp_path) == []


@pytest.mark.parametrize(
    ("answering", "says"),
    [
        (Handler, "a privileged pod is not refused"),
        (Refusing, "no budgets here"),
        (Lenient, "would violate PodSecurity"),
    ],
)
def test_T47_sees_a_server_that_says_no_or_lets_everything_in(
    answering: type[Handler], says: str, bundles: dict[str, Objects], tmp_path: Path
) -> None:
    rest = {"rest": bundles["rest"]}
    assert says in "".join(asked(answering, rest, tmp_path))


@pytest.fixture(scope="session")
def there(deployed: Path) -> Iterator[admission.Server]:
    """The real cluster that T47_KUBECONFIG names."""
    objects = rendered(deployed, "staging", "rest")
    with admission.server(Path(admission.KUBECONFIG).resolve(strict=True), objects) as found:
        yield found


@pytest.mark.cluster
@pytest.mark.parametrize("bundle", BUNDLES)
@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_T47_a_real_cluster_takes_every_bundle(
    env: str, bundle: str, deployed: Path, there: admission.Server
) -> None:
    objects = rendered(deployed, env, bundle)
    known = there.kubectl("api-versions").stdout.split()
    if absent := {thing["apiVersion"] for thing in objects} - set(known):
        missing(f"this cluster does not know {', '.join(sorted(absent))}")
    assert there.refusals(objects) == []


@pytest.mark.cluster
def test_T47_a_real_cluster_refuses_a_privileged_pod(
    deployed: Path, there: admission.Server
) -> None:
    (deployment, _) = of_kind(rendered(deployed, "staging", "rest"), "Deployment")
    assert there.unsafe(deployment) == []
