"""The small API server of the drills is as strict as a real one, and odd where it is told so."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from cluster import Cluster, cluster

SPACE = "credit-staging"
MIRROR = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "b", "port": 80}}}
LABELS = {"app.kubernetes.io/name": "credit", "track": "canary"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture
def made(server: Cluster) -> Cluster:
    """A server with nothing in it: kubectl asks only once what it knows."""
    server.store.objects.clear()
    return server


def kubectl(made: Cluster, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["kubectl", "--namespace", SPACE, *words],
        env=os.environ | {"KUBECONFIG": str(made.kubeconfig)},
        input=text,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=20,
    )


def applied(made: Cluster, *things: dict[str, Any]) -> str:
    """What the server says against them."""
    text = yaml.safe_dump_all(json.loads(json.dumps(things)))
    return kubectl(made, "apply", "--server-side", "--filename=-", text=text).stderr


def route(**spec: Any) -> dict[str, Any]:
    rule = {"backendRefs": [{"name": "credit", "port": 80}], "filters": [MIRROR]}
    spec = {"parentRefs": [{"name": "gateway"}], "rules": [rule]} | spec
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "credit", "namespace": SPACE},
        "spec": spec,
    }


def deployment(**labels: str) -> dict[str, Any]:
    pod = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "a", "image": "b"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "credit-canary", "namespace": SPACE},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels or LABELS}, "template": pod},
    }


def test_references_get_the_defaults_that_a_custom_resource_has(made: Cluster) -> None:
    assert applied(made, route()) == ""
    (rule,) = made.store.all("httproutes")[0]["spec"]["rules"]
    service = {"group": "", "kind": "Service", "name": "b", "port": 80}
    assert rule["filters"][0]["requestMirror"]["backendRef"] == service
    assert rule["backendRefs"] == [service | {"name": "credit", "weight": 1}]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]


@pytest.mark.parametrize(
    ("thing", "says"),
    [
        (route(rules=[{"filters": 17 * [MIRROR]}]), "has 17, must have 0 to 16"),
        (route(hostnames=["a b"]), "hostnames[0]: should match"),
        (route(rules=[{"backendRefs": [{"port": 80}]}]), "backendRefs[0].name: Required value"),
        (route(rules=[{"timeouts": {"request": 3}}]), "must be of type string"),
        (route(hosts=["a"]), 'unknown field "spec.hosts"'),
        (deployment(track="stable"), "`selector` does not match template `labels`"),
    ],
)
def test_what_the_real_one_refuses_is_refused(
    thing: dict[str, Any], says: str, made: Cluster
) -> None:
    assert says in applied(made, thing)
    assert made.store.all("httproutes") == made.store.all("deployments") == []


def test_a_selector_is_never_changed_and_an_unknown_field_of_a_patch_is_dropped(
    made: Cluster,
) -> None:
    assert applied(made, deployment(), route()) == ""
    assert "spec.selector: field is immutable" in applied(made, deployment(track="canary"))
    patch = json.dumps({"spec": {"hosts": ["a"], "hostnames": ["credit.example.com"]}})
    words = ("patch", "httproute", "credit", "--type=merge", f"--patch={patch}")
    assert kubectl(made, *words).returncode == 0
    spec = made.store.all("httproutes")[0]["spec"]
    assert (spec["hostnames"], spec.get("hosts")) == (["credit.example.com"], None)


def test_pods_that_are_deleted_come_again_and_a_budget_stops_an_eviction(made: Cluster) -> None:
    applied(made, deployment())
    names = until(made, 2)
    assert kubectl(made, "delete", "pod", names[0], "--wait=false").returncode == 0
    later = until(made, 2, names[0])
    for pod in made.store.all("pods"):
        assert evict(made, pod["metadata"]["name"]) == 200
    gone = until(made, 2, *later)
    budget = {"maxUnavailable": 1, "selector": {"matchLabels": LABELS}}
    meta = {"name": "credit-canary", "namespace": SPACE}
    applied(
        made,
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": meta,
            "spec": budget,
        },
    )
    assert [evict(made, name) for name in gone] == [429, 429]  # none of them is ready


def evict(made: Cluster, pod: str) -> int:
    """Status of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=20)
    connection.request("POST", f"/api/v1/namespaces/{SPACE}/pods/{pod}/eviction", "{}")
    return connection.getresponse().status


def until(made: Cluster, count: int, *gone: str) -> list[str]:
    """Names of the pods, once there are `count`, and none of `gone`."""
    for _ in range(200):
        names = [pod["metadata"]["name"] for pod in made.store.all("pods")]
        if len(names) == count and not set(names) & set(gone):
            return names
        made.stop.wait(0.05)
    raise AssertionError(f"no {count} pods: {names}")


@pytest.mark.parametrize("how", ["late", "twice", "lost", "half", "html"])
def test_an_answer_comes_as_it_is_told_to_and_the_change_is_made(how: str, made: Cluster) -> None:
    applied(made, route())
    version = made.store.all("httproutes")[0]["metadata"]["resourceVersion"]
    made.store.odd[("patch", "httproutes")] = [how]
    change = {"metadata": {"resourceVersion": version}, "spec": {"hostnames": ["a.example.com"]}}
    words = ("--type=merge", f"--patch={json.dumps(change)}", "--output=json")
    done = kubectl(made, "patch", "httproute", "credit", *words)
    assert made.store.all("httproutes")[0]["spec"]["hostnames"] == ["a.example.com"]
    assert (done.returncode == 0) == (how == "late"), done
    assert ("(Conflict)" in done.stderr) == (how == "twice")
