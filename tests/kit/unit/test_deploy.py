"""make deploy, status and manifests, with a kubectl that keeps what it is told in a file."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from ml_template.kubernetes import cluster, deploy, gateway, manifests, route, status
from ml_template.operations import signatures
from ml_template.settings.config import InputError

NAME = "credit"
KUBECTL = '''#!PYTHON -IS
"""A cluster in cluster.json: every pod is ready at once, unless `broken` is there."""
import json, pathlib, sys

words, here = sys.argv[1:], pathlib.Path("FOLDER")
state = here / "cluster.json"
known = json.loads(state.read_text()) if state.exists() else {}
if (here / "refuses").exists():
    sys.exit((here / "refuses").read_text())
if words[0] == "kustomize":
    given = json.loads((pathlib.Path(words[1]) / "kustomization.yaml").read_text())
    images = {i["name"]: i["newName"] + "@" + i["digest"] for i in given["images"]}
    parts = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": given["namespace"]}}]
    patches = [json.loads(p["patch"]) for p in given["patches"]]
    parts += [part for part in patches if isinstance(part, dict)]
    argo = [path for path in given["components"] if path.endswith("argo")]
    for part in parts[1:]:
        name = part["metadata"]["name"]
        part["spec"]["template"]["spec"] = {"containers": [{"image": images[name]}]}
        track = "canary" if name.endswith("-canary") else "stable"
        part["spec"]["selector"] = {"matchLabels": {"name": "credit"} if argo else {"track": track}}
        if name.endswith("-canary"):
            part["spec"]["replicas"] = 1 if given["components"] else 0
    backends = [{"name": "credit", "weight": 100}, {"name": "credit-canary", "weight": 0}]
    meta = {"name": "credit", "namespace": given["namespace"], "resourceVersion": "1"}
    taken = [{"type": "Accepted", "status": "False" if (here / "nowhere").exists() else "True"}]
    route = {"kind": "HTTPRoute", "metadata": meta, "status": {"parents": [{"conditions": taken}]}}
    if argo:
        parts.append({"kind": "Rollout", "metadata": {"name": "credit"}, "spec": {}})
    if (here / "least").exists():
        scaler = {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "credit"}}
        parts.append(scaler | {"spec": {"minReplicas": int((here / "least").read_text())}})
    exact = [{"path": {"type": "Exact", "value": "/predict"}}]
    place = {"parentRefs": [{"name": "gateway", "namespace": "gateway"}]}
    if (here / "host").exists():
        place["hostnames"] = [(here / "host").read_text()]
    rules = [{"backendRefs": backends, "matches": exact}]
    parts.append(route | {"spec": place | {"rules": rules}})
    print("\\\\n---\\\\n".join(json.dumps(part) for part in parts))
    for image in images.values():
        print("# image: " + image)
elif words[:2] == ["config", "view"]:
    config = here / "config.json"
    print(config.read_text() if config.exists() else '{"current-context": "one"}')
elif words[0] == "apply":
    for text in sys.stdin.read().split("---\\\\n")[1:]:
        part = json.loads(text)
        key = part["kind"].lower() + "/" + part["metadata"]["name"]
        if part["kind"] == "Deployment":
            before = known.get(key, {}).get("spec", {}).get("replicas", 2)
            count = part["spec"].setdefault("replicas", before)
            ready = 0 if (here / "broken").exists() else count
            names = ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas")
            part["status"] = dict.fromkeys(names, ready) | {"replicas": count}
        known[key] = part
        print(key + " serverside-applied")
    state.write_text(json.dumps(known))
elif words[0] == "scale":
    part = known["deployment/" + words[2]]
    part["spec"]["replicas"] = count = int(words[3].partition("=")[2])
    names = ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas")
    part["status"] = dict.fromkeys(names, 0 if (here / "broken").exists() else count)
    state.write_text(json.dumps(known))
elif words[:2] == ["get", "pods"]:
    name = "credit" + ("-canary" if words[-2].endswith("canary") else "")
    part = known["deployment/" + name]
    broken = (here / "broken").exists()
    why = (here / "broken").read_text() if broken else ""
    status = {"conditions": [{"type": "Ready", "status": "False" if broken else "True"}]}
    if why:
        waiting = {"waiting": {"reason": "ImagePullBackOff", "message": why}}
        status["containerStatuses"] = [{"state": waiting}]
    meta = part["spec"]["template"]["metadata"]
    pods = [{"metadata": meta | {"name": f"{name}-{n}"}, "status": status}
            for n in range(part["spec"]["replicas"])]
    print(json.dumps({"items": pods}))
elif words[:2] == ["get", "--raw"]:
    name = words[2].split("/")[6].rpartition("-")[0]
    part = known["deployment/" + name]["spec"]["template"]
    other = here / "answers"
    model = other.read_text() if other.exists() else part["metadata"]["annotations"]["model-digest"]
    print(json.dumps({"ready": True, "model": model[:16]}))
elif words[:2] == ["get", "httproutes"]:
    routes = here / "routes.json"
    print(routes.read_text() if routes.exists() else '{"items": []}')
elif words[0] == "get":
    found = known.get(words[1] + "/" + words[2])
    print(json.dumps(found) if found else "")
'''


@pytest.fixture
def home(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a champion and its image, and a cluster with nothing in it."""
    (in_folder / "deploy" / "k8s" / "overlays").mkdir(parents=True)
    (in_folder / "pyproject.toml").write_text(f'[project]\nname = "{NAME}"\n')
    (in_folder / "models").mkdir()
    champion(in_folder, "1")
    program = in_folder / "kubectl"
    text = KUBECTL.replace("\\\\n", "\\n").replace("FOLDER", in_folder.as_posix())
    program.write_text(text.replace("PYTHON", sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(in_folder))
    monkeypatch.setattr(signatures, "serves", lambda image, model: None)
    return in_folder


def champion(home: Path, digit: str, file: str = "champion") -> str:
    """A champion whose digests are of one digit, and its image."""
    image = f"registry.example.com/credit@sha256:{digit * 64}"
    record = {
        "digest": digit * 64,
        "model": f"models/{digit * 16}",
        "verdict": digit * 64,
        "commit": digit * 40,
        "since": "2026-01-01T00:00:00+00:00",
        "by": "Example",
        "why": "first",
        "action": "register",
        "image": image,
    }
    (home / "models" / f"{file}.json").write_text(json.dumps(record))
    return image


def known(home: Path) -> dict[str, Any]:
    return json.loads((home / "cluster.json").read_text())


def image_of(home: Path, track: str) -> str:
    """Last digit of the digest that a track runs."""
    deployment = known(home)[f"deployment/{NAME}{track}"]
    return deployment["spec"]["template"]["spec"]["containers"][0]["image"][-1]


def bring(**settings: str) -> None:
    deploy.run({"ENV": "staging"} | settings)


def test_the_first_deployment_goes_to_stable_and_says_how_to_undo_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bring()
    assert image_of(home, "") == "1"
    assert known(home)["deployment/credit-canary"]["spec"]["replicas"] == 0
    said = capsys.readouterr().out
    assert "deploy: staging: model 1111111111111111 goes to stable" in said
    assert "deploy: to undo it: kubectl delete namespace credit-staging" in said


def test_the_same_deployment_again_changes_nothing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bring()
    before = known(home)
    bring()
    assert known(home) == before
    assert "stable serves model 1111111111111111 already" in capsys.readouterr().out


@pytest.mark.parametrize("strategy", ["canary", "bluegreen", "shadow"])
def test_a_later_release_is_tried_and_stable_stays(strategy: str, home: Path) -> None:
    bring()
    stable = known(home)["deployment/credit"]
    champion(home, "2", "challenger")
    bring(STRATEGY=strategy, IMAGE=f"registry.example.com/credit@sha256:{'2' * 64}")
    assert known(home)["deployment/credit"] == stable
    assert image_of(home, "-canary") == "2"
    tried = known(home)["deployment/credit-canary"]
    assert tried["spec"]["replicas"] == 2  # as many as stable: it may get every request
    assert tried["metadata"]["annotations"]["strategy"] == strategy
    assert "strategy" not in stable["metadata"]["annotations"]
    assert route.read("credit-staging").weight == 0


def test_argo_rollouts_is_chosen_whole_with_the_first_deployment(home: Path) -> None:
    bring(STRATEGY="argo")
    assert {"rollout/credit", "deployment/credit", "httproute/credit"} <= known(home).keys()
    assert "deployment/credit-canary" not in known(home)
    bring(STRATEGY="argo")  # settings
    assert "track" not in known(home)["deployment/credit"]["spec"]["selector"]["matchLabels"]
    bring(STRATEGY="argo", IMAGE=champion(home, "2"))
    assert image_of(home, "") == "2"
    before = known(home)
    for other in ("", "canary", "rolling"):
        with pytest.raises(InputError, match=r"nothing was done: .* is run by Argo Rollouts"):
            bring(STRATEGY=other, IMAGE=champion(home, "3"))
    assert known(home) == before


@pytest.mark.parametrize("again", ["1", "2"])
def test_argo_rollouts_does_not_take_over_what_was_deployed_without_it(
    again: str, home: Path
) -> None:
    bring()
    before = known(home)
    with pytest.raises(InputError, match=r"nothing was done: .* is run without Argo Rollouts"):
        bring(STRATEGY="argo", IMAGE=champion(home, again))
    assert known(home) == before


def test_where_argo_rollouts_is_not_installed_nothing_is_applied(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = cluster.ask

    def without(*words: str, **more: Any) -> str:
        if words[:2] == ("get", "rollouts.argoproj.io"):
            raise cluster._refusal("get", "error: the server doesn't have a resource type")
        return ask(*words, **more)

    monkeypatch.setattr(cluster, "ask", without)
    with pytest.raises(InputError, match=r"lacks that API.*Argo Rollouts"):
        bring(STRATEGY="argo")
    assert not (home / "cluster.json").exists()


def test_in_staging_stable_can_be_replaced_at_once_and_it_is_said_how_to_undo_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bring()
    first = known(home)["deployment/credit"]["spec"]["template"]["spec"]["containers"][0]["image"]
    bring(IMAGE=champion(home, "2"), STRATEGY="rolling")
    assert image_of(home, "") == "2"
    assert known(home)["deployment/credit-canary"]["spec"]["replicas"] == 0
    assert f"STRATEGY=rolling IMAGE={first} MODEL={'1' * 16}" in capsys.readouterr().out
    with pytest.raises(InputError, match="only in staging"):
        deploy.run({"ENV": "production", "STRATEGY": "rolling"})


def test_another_release_ends_one_that_is_tried_only_when_told_so(home: Path) -> None:
    bring()
    bring(IMAGE=champion(home, "2"))
    before = known(home)
    image = champion(home, "3")
    for strategy in ("canary", "rolling"):
        with pytest.raises(InputError, match="APPLY=yes") as refused:
            bring(IMAGE=image, STRATEGY=strategy)
        assert "nothing was done: model 2222222222222222 is being tried" in str(refused.value)
        assert known(home) == before
    bring(IMAGE=image, APPLY="yes")
    assert image_of(home, "-canary") == "3"


def context(home: Path, name: str, server: str = "https://10.0.0.1:6443") -> None:
    """The kubeconfig has that context as the current one."""
    contexts = [{"name": name, "context": {"cluster": "eu", "user": "me"}}]
    clusters = [{"name": "eu", "cluster": {"server": server}}]
    config = {"current-context": name, "contexts": contexts, "clusters": clusters}
    (home / "config.json").write_text(json.dumps(config))


def test_an_environment_is_deployed_to_the_cluster_of_its_first_deployment_alone(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pinned = home / "deploy/clusters.jsonl"
    context(home, "prod")
    deploy.run({"ENV": "production"})
    said = capsys.readouterr().out
    place = "context prod, cluster eu https://10.0.0.1:6443, namespace credit-production"
    assert said.startswith(f"deploy: production: {place}\n")
    assert "deploy: production is pinned to this place: commit deploy/clusters.jsonl" in said
    (line,) = pinned.read_text().splitlines()
    champion(home, "2")
    for name, server in (("test", "https://10.0.0.1:6443"), ("prod", "https://10.0.0.2:6443")):
        context(home, name, server)
        before = known(home)
        with pytest.raises(InputError, match=f"nothing was done: .* pins production to {place}"):
            deploy.run({"ENV": "production"})
        assert f"context {name}, cluster eu {server}, " in capsys.readouterr().out
        assert known(home) == before
    context(home, "test")
    bring(MODEL="2" * 16)  # staging has a place of its own
    context(home, "prod")
    deploy.run({"ENV": "production"})
    assert pinned.read_text().splitlines()[0] == line
    assert [json.loads(text)["env"] for text in pinned.read_text().splitlines()] == [
        "production",
        "staging",
    ]


def test_without_a_context_only_a_pod_knows_its_cluster(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    (home / "config.json").write_text('{"clusters": null, "contexts": null, "current-context": ""}')
    with pytest.raises(InputError, match="no cluster answers: no context is current: set KUBE"):
        bring()
    assert not (home / "deploy/clusters.jsonl").exists()
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    bring()
    assert "context in-cluster, cluster in-cluster 10.96.0.1, " in capsys.readouterr().out


def test_a_second_name_of_the_same_cluster_is_a_line_that_the_refusal_gives(home: Path) -> None:
    pinned = home / "deploy/clusters.jsonl"
    context(home, "prod")
    bring()
    context(home, "ci")
    with pytest.raises(InputError) as refused:
        bring()
    with pinned.open("a") as file:
        file.write(str(refused.value).partition("add the line ")[2] + "\n")
    bring()
    context(home, "prod")
    bring()


def test_where_nothing_was_applied_nothing_is_pinned_and_a_damaged_pin_is_no_pin(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = home / "deploy/clusters.jsonl"
    (home / "routes.json").write_text(json.dumps({"items": [other()]}))
    with pytest.raises(InputError, match="claims"):
        bring()
    assert not pinned.exists()
    for text in ("{", '{"env": "staging"}', '["staging"]'):
        pinned.write_text(text)
        with pytest.raises(InputError, match=r"deploy/clusters\.jsonl is damaged"):
            bring()
    assert not (home / "cluster.json").exists()


def test_a_job_runs_in_the_pinned_cluster_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = json.dumps({"kind": "Job", "metadata": {"name": "credit-job"}})
    monkeypatch.setattr(manifests, "render_job", lambda *_: job)
    monkeypatch.setattr(signatures, "trusted", lambda image: None)
    context(home, "prod")
    bring(JOB="train", WORK="w")
    context(home, "test")
    with pytest.raises(InputError, match="pins staging to context prod"):
        bring(JOB="train", WORK="w")


def test_pods_that_are_never_ready_are_said(home: Path) -> None:
    (home / "broken").touch()
    for _ in range(2):  # the second time it is applied already
        with pytest.raises(InputError, match=r"credit was not ready after 1 s: pod credit-0 "):
            bring(WAIT=1)
    (home / "broken").write_text("manifest unknown")
    with pytest.raises(
        InputError, match="credit-0 ImagePullBackOff manifest unknown; pod credit-1"
    ):
        bring(WAIT=1)
    (home / "broken").unlink()
    bring(WAIT=1)


def test_pods_that_answer_as_another_model_do_not_serve_what_was_deployed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "answers").write_text("9" * 64)
    with pytest.raises(InputError, match="pod credit-0 answers as model 9999999999999999; pod"):
        bring(WAIT=1)
    status.run({"ENV": "staging"})
    said = capsys.readouterr().out
    assert "stable does not serve what is asked for: pod credit-0 answers as model 9999" in said
    (home / "answers").unlink()
    bring(WAIT=1)
    assert "serves model 1111111111111111 already" in capsys.readouterr().out
    bring(WAIT=0)
    assert "is to serve model 1111111111111111" in capsys.readouterr().out


def test_a_route_that_no_gateway_takes_is_said_by_deploy_and_status(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "TAKES", 0.0)
    (home / "nowhere").touch()
    with pytest.raises(InputError, match="httproute credit: Accepted is False: write the gateway"):
        bring()
    status.run({"ENV": "staging"})
    assert "status: httproute credit: Accepted is False" in capsys.readouterr().out


def other(name: str = "credit", space: str = "credit-production", **spec: Any) -> dict[str, Any]:
    """A route of the same gateway and path."""
    rules = [{"matches": [{"path": {"type": "Exact", "value": "/predict"}}]}]
    place = {"parentRefs": [{"name": "gateway", "namespace": "gateway"}], "rules": rules}
    return {"metadata": {"name": name, "namespace": space}, "spec": place | spec}


@pytest.mark.parametrize(
    ("there", "host", "refused"),
    [
        (other(), "", True),
        (other("churn", "churn-staging"), "", True),
        (other(), "a.example.com", True),  # the other takes every host
        (other(hostnames=["*.example.com"]), "a.example.com", True),
        (other(hostnames=["b.example.com", "a.example.com"]), "a.example.com", True),
        (other(hostnames=["b.example.com"]), "a.example.com", False),
        (other(hostnames=["*.example.com"]), "example.com", False),
        (other(parentRefs=[{"name": "gateway"}]), "", False),  # one of its own namespace
        (
            other(parentRefs=[{"name": "gateway", "namespace": "gateway", "sectionName": "a"}]),
            "",
            True,
        ),
        (
            other(rules=[{"matches": [{"path": {"value": "/"}}]}]),
            "",
            False,
        ),  # less than a whole path
        (other(rules=[{"matches": [{"headers": []}]}]), "", False),
        (other(space="credit-staging"), "", False),  # itself
        (other("second", "credit-staging"), "", True),
    ],
)
def test_a_place_that_another_route_claims_is_refused_before_anything_is_applied(
    there: dict[str, Any], host: str, refused: bool, home: Path
) -> None:
    (home / "routes.json").write_text(json.dumps({"items": [there]}))
    if host:
        (home / "host").write_text(host)
    if refused:
        with pytest.raises(InputError, match=r"claims .* already: give each a hostname"):
            bring()
    else:
        bring()
    assert (home / "cluster.json").exists() is not refused


def test_an_account_that_may_not_look_at_other_routes_deploys_and_is_told(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = cluster.ask

    def limited(*words: str, **more: Any) -> str:
        if words[:2] == ("get", "httproutes"):
            raise cluster._refusal("get httproutes", "Error from server (Forbidden): httproutes")
        return ask(*words, **more)

    monkeypatch.setattr(cluster, "ask", limited)
    bring()
    assert "whether another route claims the same place is not known" in capsys.readouterr().out


def test_the_first_deployment_waits_for_as_many_pods_as_the_autoscaler_wants(home: Path) -> None:
    (home / "least").write_text("3")
    bring()
    assert known(home)["deployment/credit"]["spec"]["replicas"] == 3
    state = known(home)
    state["deployment/credit"]["spec"]["replicas"] = 5  # the autoscaler's, from now on
    (home / "cluster.json").write_text(json.dumps(state))
    bring()
    assert known(home)["deployment/credit"]["spec"]["replicas"] == 5


def test_status_says_what_runs_where(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bring()
    bring(IMAGE=champion(home, "2"))
    capsys.readouterr()
    status.run({"ENV": "staging"})
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[:5] for row in rows[:3]] == [
        ["track", "model", "ready", "weight", "answers"],
        ["stable", "1" * 16, "2/2", "100", "1" * 16],
        ["canary", "2" * 16, "2/2", "0", "2" * 16],
    ]
    assert [" ".join(row) for row in rows[3:]] == [
        f"rollout: of model {'2' * 16}, not begun: make canary ENV=staging",
        "undo: make rollback ENV=staging",
    ]


def test_status_tells_of_stable_where_argo_makes_the_pods_that_are_tried(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bring()
    known = json.loads((home / "cluster.json").read_text())
    del known["deployment/credit-canary"]
    (home / "cluster.json").write_text(json.dumps(known))
    capsys.readouterr()
    status.run({"ENV": "staging"})
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == ["track", "stable", "rollout:", "undo:"]
    assert rows[2][1:4] == ["by", "Argo", "Rollouts:"]


def test_the_last_signed_image_is_the_one_that_is_deployed(home: Path) -> None:
    image = champion(home, "2", "challenger").replace("credit@", "signed@")
    (home / "reports").mkdir()
    signed = {"image": image, "model": "2" * 64}
    (home / "reports" / "image.json").write_text(json.dumps(signed))
    release = manifests.wanted({})
    assert (release.image, release.model, release.revision) == (image, "2" * 64, "2" * 40)


def test_a_model_that_is_named_gets_its_own_image_and_never_that_of_another(home: Path) -> None:
    old = champion(home, "1")
    new = champion(home, "2", "challenger")
    (home / "reports").mkdir()
    signed = home / "reports" / "image.json"
    signed.write_text(json.dumps({"image": new, "model": "2" * 64}))
    for name in ("1" * 16, "models/" + "1" * 16):
        assert manifests.wanted({"MODEL": name}).image == old
    assert manifests.wanted({"MODEL": "2" * 16}).image == new
    assert manifests.wanted({}).model == "2" * 64
    rebuilt = old.replace("1" * 64, "8" * 64)
    assert manifests.wanted({"MODEL": "1" * 16, "IMAGE": rebuilt}).image == rebuilt
    with pytest.raises(InputError, match="IMAGE is recorded for model 2222222222222222"):
        bring(MODEL="1" * 16, IMAGE=new)
    unbuilt = json.loads((home / "models" / "champion.json").read_text()) | {"image": None}
    (home / "models" / "champion.json").write_text(json.dumps(unbuilt))
    with pytest.raises(InputError, match="no image of model 1111111111111111 is known"):
        bring(MODEL="1" * 16)
    assert not (home / "cluster.json").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"STRATEGY": "slow"}, "STRATEGY=slow: must be one of canary, bluegreen"),
        ({"IMAGE": "credit:1"}, "IMAGE=credit:1: name it by digest"),
        ({"IMAGE": "other@sha256:" + "9" * 64}, "name MODEL=models/"),
        ({"MODEL": "models/" + "9" * 16}, "no image of model 9999999999999999 is known"),
        ({"JOB": "train"}, "WORK is missing"),
    ],
)
def test_a_wrong_word_is_named_and_nothing_is_applied(
    settings: dict[str, str], said: str, home: Path
) -> None:
    with pytest.raises(InputError, match=said):
        bring(**settings)
    assert not (home / "cluster.json").exists()


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        ("The connection to the server localhost:8080 was refused", "no cluster answers"),
        ("error: no configuration has been provided", "no cluster answers"),
        ("Error from server (Forbidden): secrets is forbidden", "your account may not do this"),
        ("error: You must be logged in to the server (Unauthorized)", "log in again"),
        ("error: the server doesn't have a resource type", "lacks that API"),
        ("something else", "something else"),
    ],
)
def test_a_refusal_of_the_cluster_says_what_to_do(refusal: str, said: str, home: Path) -> None:
    (home / "refuses").write_text(refusal)
    with pytest.raises(InputError, match=said):
        bring()


NOTE = 'E1130 08:04:45.195549   32720 memcache.go:265] "Unhandled Error" err="no API group list"\n'


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (
            3 * NOTE + "The connection to the server localhost:8080 was refused",
            "set KUBECONFIG, or look at `kubectl config current-context` (The connection",
        ),
        (2 * NOTE, "kubectl get httproute credit: E1130"),
        ("E1130 is no note of its own", "kubectl get httproute credit: E1130 is no note"),
    ],
)
def test_the_notes_of_kubectl_to_itself_do_not_hide_what_it_says(
    refusal: str, said: str, home: Path
) -> None:
    (home / "refuses").write_text(refusal)
    with pytest.raises(InputError) as refused:
        status.run({"ENV": "staging"})
    assert said in str(refused.value)
    assert str(refused.value).count("memcache.go") == (refusal == 2 * NOTE)


def test_a_cluster_that_does_not_answer_is_not_waited_for(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "kubectl").write_text("#!/bin/sh\nexec /bin/sleep 600\n")
    monkeypatch.setattr(cluster, "SECONDS", 0.1)
    with pytest.raises(InputError, match="no cluster answers"):
        status.run({"ENV": "staging"})


def test_an_object_that_is_not_there_is_named(home: Path) -> None:
    with pytest.raises(InputError, match="httproute credit is not in namespace credit-staging"):
        status.run({"ENV": "staging"})


def test_pods_that_say_no_lineage_are_not_taken_for_ours(home: Path) -> None:
    bring()
    state = known(home)
    del state["deployment/credit"]["spec"]["template"]["metadata"]["annotations"]["verdict"]
    (home / "cluster.json").write_text(json.dumps(state))
    with pytest.raises(InputError, match="deployment credit has no annotation 'verdict'"):
        bring()


def test_without_kubectl_it_says_so(home: Path) -> None:
    (home / "kubectl").unlink()
    with pytest.raises(InputError, match="kubectl is not installed"):
        bring()


def test_without_manifests_it_says_so(in_folder: Path) -> None:
    with pytest.raises(InputError, match="made with deployment: none"):
        cluster.namespace({"ENV": "staging"})


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("printf '\\377\\376'", "the answer is not UTF-8"),
        ("exec head -c 20000000 /dev/zero", "it said more than 8 MiB"),
        ("head -c 20000000 /dev/zero >&2; exit 1", "it said more than 8 MiB"),
        ("printf '\\377\\033[2Jno\\n\\n' >&2; exit 3", "deployments: \ufffd\\\\x1b\\[2Jno$"),
        ("exit 7", "failed without a word"),
        ("kill -9 $$", "failed without a word"),
        ("exec sleep 100", "no cluster answers.*i/o timeout after 0.5 seconds"),
        ("sleep 100", "no cluster answers.*i/o timeout after 0.5 seconds"),
    ],
)
def test_whatever_kubectl_says_is_an_answer_or_an_error(
    script: str, said: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "kubectl").write_text(f"#!/bin/sh\n{script}\n")
    monkeypatch.setenv("PATH", f"{home}:/bin:/usr/bin")
    with pytest.raises(cluster.NoAnswerError, match=said) as raised:
        cluster.ask("get", "deployments", seconds=0.5 if "sleep" in script else 60)
    assert "\x1b" not in str(raised.value)


def test_a_kubectl_that_cannot_be_run_is_an_error_of_its_own(home: Path) -> None:
    with pytest.raises(cluster.NoAnswerError, match="it cannot be run"):
        cluster.ask("patch", "x" * 4_000_000)
    (home / "kubectl").write_bytes(b"\x7fELF")
    with pytest.raises(cluster.NoAnswerError, match="it cannot be run"):
        cluster.ask("get", "deployments")


def test_what_kubectl_says_in_full_is_given_back(home: Path) -> None:
    (home / "kubectl").write_text("#!/bin/sh\nread line; echo $line; echo warning >&2\n")
    assert cluster.ask("apply", stdin="naïve\n", seconds=60) == "naïve\n"


@pytest.mark.parametrize("strategy", ["", "canary", "bluegreen", "shadow", "argo", "rolling"])
def test_an_image_that_does_not_verify_is_not_deployed(
    strategy: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(image: str, model: str) -> None:
        raise InputError(f"{image[-1]} of {model[:1]}: no signatures found")

    if strategy:
        bring()
        champion(home, "2", "challenger")
    before = (home / "cluster.json").read_text() if strategy else ""
    monkeypatch.setattr(signatures, "serves", refuse)
    name = f"registry.example.com/credit@sha256:{'2' * 64}" if strategy else ""
    with pytest.raises(InputError, match="2 of 2: no" if strategy else "1 of 1: no"):
        bring(STRATEGY=strategy, IMAGE=name)
    assert not strategy or (home / "cluster.json").read_text() == before
    assert strategy or not (home / "cluster.json").exists()


@pytest.mark.parametrize("settings", [{"JOB": "train"}, {"JOB": "rollout"}, {}])
@pytest.mark.parametrize("signed", [True, False])
def test_an_image_of_jobs_is_applied_only_with_a_trusted_signature(
    signed: bool, settings: dict[str, str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def trusted(image: str) -> None:
        asked.append(image)
        if not signed:
            raise InputError("no signatures found")

    job = json.dumps({"kind": "Job", "metadata": {"name": "credit-job"}})
    monkeypatch.setattr(manifests, "render_job", lambda *_: job)
    monkeypatch.setattr(signatures, "trusted", trusted)
    work = f"registry.example.com/work@sha256:{'7' * 64}"
    if signed:
        bring(WORK=work, **settings)
    else:
        with pytest.raises(InputError, match="no signatures found"):
            bring(WORK=work, **settings)
    assert asked == [work]
    assert (home / "cluster.json").exists() == signed
