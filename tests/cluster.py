"""A cluster on this machine for the drills: a small API server, and pods that are real processes.

The server keeps any object, answers discovery, get, list, watch, server-side apply and patches
(409 for another resourceVersion). A Deployment is served by processes on loopback addresses of
their own, which run what the Dockerfile of a project folder puts into an image, and see nothing
else of it. Custom resources are pruned, defaulted and refused as their upstream schemas say
(kit/unit/crds.py); pods are evicted, deleted and come again; answers come as `Store.odd` says.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import http.client
import http.server
import json
import os
import queue
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml
from images import Image, built
from kit.unit import crds
from needs import needed

LATE = 1.0  # seconds

Object = dict[str, Any]
Key = tuple[str, str, str, str]  # group/version, resource, namespace, name

# resource: (group/version, kind, namespaced)
RESOURCES = {
    "namespaces": ("v1", "Namespace", False),
    "nodes": ("v1", "Node", False),
    "pods": ("v1", "Pod", True),
    "services": ("v1", "Service", True),
    "secrets": ("v1", "Secret", True),
    "configmaps": ("v1", "ConfigMap", True),
    "serviceaccounts": ("v1", "ServiceAccount", True),
    "persistentvolumeclaims": ("v1", "PersistentVolumeClaim", True),
    "jobs": ("batch/v1", "Job", True),
    "cronjobs": ("batch/v1", "CronJob", True),
    "rollouts": ("argoproj.io/v1alpha1", "Rollout", True),
    "analysistemplates": ("argoproj.io/v1alpha1", "AnalysisTemplate", True),
    "servicemonitors": ("monitoring.coreos.com/v1", "ServiceMonitor", True),
    "prometheusrules": ("monitoring.coreos.com/v1", "PrometheusRule", True),
    "deployments": ("apps/v1", "Deployment", True),
    "endpointslices": ("discovery.k8s.io/v1", "EndpointSlice", True),
    "horizontalpodautoscalers": ("autoscaling/v2", "HorizontalPodAutoscaler", True),
    "poddisruptionbudgets": ("policy/v1", "PodDisruptionBudget", True),
    "networkpolicies": ("networking.k8s.io/v1", "NetworkPolicy", True),
    "roles": ("rbac.authorization.k8s.io/v1", "Role", True),
    "rolebindings": ("rbac.authorization.k8s.io/v1", "RoleBinding", True),
    "gatewayclasses": ("gateway.networking.k8s.io/v1", "GatewayClass", False),
    "gateways": ("gateway.networking.k8s.io/v1", "Gateway", True),
    "httproutes": ("gateway.networking.k8s.io/v1", "HTTPRoute", True),
    "tlsroutes": ("gateway.networking.k8s.io/v1", "TLSRoute", True),
    "grpcroutes": ("gateway.networking.k8s.io/v1", "GRPCRoute", True),
    "backendtlspolicies": ("gateway.networking.k8s.io/v1", "BackendTLSPolicy", True),
    "referencegrants": ("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", True),
}
KINDS = {kind: (version, name) for name, (version, kind, _) in RESOURCES.items()}


def merged(old: Any, new: Any, by_name: bool) -> Any:
    """A JSON merge patch (null removes); with `by_name` lists of named parts are merged by name."""
    if isinstance(old, dict) and isinstance(new, dict):
        result = dict(old)
        for key, value in new.items():
            if value is None:
                result.pop(key, None)
            else:
                result[key] = merged(old.get(key), value, by_name)
        return result
    lists = by_name and isinstance(old, list) and isinstance(new, list)
    if lists and all(isinstance(part, dict) and "name" in part for part in [*old, *new]):
        names = {part["name"]: part for part in new}
        kept = [merged(part, names.pop(part["name"], {}), True) for part in old]
        return [*kept, *names.values()]
    if isinstance(new, dict):
        return {k: merged(None, v, by_name) for k, v in new.items() if v is not None}
    return new


class Store:
    """The objects; every change gets the next resourceVersion and is told to those who watch."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.objects: dict[Key, Object] = {}
        self.version = 100
        self.watchers: list[tuple[str, queue.Queue[Object]]] = []
        self.changes: list[tuple[float, Key, Object]] = []  # of HTTPRoutes: what the drills look at
        self.asked: list[tuple[str, str, str]] = []  # by kubectl: verb, resource, name
        # (verb, resource): how the next answers come: "late", "twice", "lost", "half" or "html"
        self.odd: dict[tuple[str, str], list[str]] = {}

    def taken(self, key: Key, value: Object, old: Object | None) -> tuple[Object, list[str]]:
        """What is kept of `value`, and the unknown fields that are not; ValueError if refused."""
        value = copy.deepcopy(value)
        meta = value.setdefault("metadata", {})
        version, kind, _ = RESOURCES[key[1]]
        value |= {"apiVersion": version, "kind": kind}
        if kind == "Deployment":
            value["spec"].setdefault("replicas", 1)
        meta |= {"name": key[3]} | ({"namespace": key[2]} if key[2] else {})
        value, gone = crds.kept(kind, value)
        if why := invalid(value, old):
            raise ValueError(f'{kind} "{key[3]}" is invalid: {why}')
        return value, gone

    def put(self, key: Key, value: Object, old: Object | None) -> Object:
        with self.lock:
            value, _ = self.taken(key, value, old)
            meta = value["metadata"]
            if old and {**old, "metadata": {}} == {**value, "metadata": {}}:
                same = dict(old["metadata"]) | {"resourceVersion": ""}
                if same == dict(meta) | {"resourceVersion": ""}:
                    return old
            self.version += 1
            changed = not old or old.get("spec") != value.get("spec")
            before = old["metadata"] if old else {}
            meta["resourceVersion"] = str(self.version)
            meta["generation"] = before.get("generation", 0) + changed
            meta.setdefault(
                "uid", before.get("uid") or f"00000000-0000-4000-8000-{self.version:012}"
            )
            meta.setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
            self.objects[key] = value
            if key[1] == "httproutes":
                self.changes.append((time.monotonic(), key, value))
            self._tell("MODIFIED" if old else "ADDED", key[1], value)
            return value

    def remove(self, key: Key) -> None:
        with self.lock:
            gone = self.objects.pop(key, None)
            if gone:
                self.version += 1
                gone["metadata"]["resourceVersion"] = str(self.version)
                self._tell("DELETED", key[1], gone)

    def _tell(self, kind: str, resource: str, value: Object) -> None:
        for wanted, events in self.watchers:
            if wanted == resource:
                events.put({"type": kind, "object": copy.deepcopy(value)})

    def all(self, resource: str, namespace: str = "") -> list[Object]:
        with self.lock:
            return [
                copy.deepcopy(value)
                for key, value in sorted(self.objects.items())
                if key[1] == resource and namespace in ("", key[2])
            ]

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        with self.lock:
            return copy.deepcopy(
                self.objects.get((RESOURCES[resource][0], resource, namespace, name))
            )

    def add(self, value: Object) -> Object:
        """Keep `value` as an apply would; a Deployment's replicas stay where it names none."""
        version, resource = KINDS[value["kind"]]
        meta = value["metadata"]
        key = (version, resource, meta.get("namespace", ""), meta["name"])
        with self.lock:
            old = self.objects.get(key)
            return self.put(key, merged(old, value, False), old)


def invalid(value: Object, old: Object | None) -> str:
    """Why an API server refuses `value` in place of `old`; "" where it does not."""
    kind, spec = value["kind"], value.get("spec") or {}
    before = (old or {}).get("spec") or spec
    fixed = {"Deployment": "selector", "Job": "template"}.get(kind, "")
    if fixed and before.get(fixed) != spec.get(fixed):
        return f"spec.{fixed}: field is immutable"
    if kind == "Deployment":
        labels = spec["template"].get("metadata", {}).get("labels", {})
        if not spec.get("selector", {}).get("matchLabels", {}).items() <= labels.items():
            return "spec.template.metadata.labels: `selector` does not match template `labels`"
    for container in spec.get("containers", []) if kind == "Pod" else []:
        security = container.get("securityContext", {})
        if security.get("privileged") and security.get("allowPrivilegeEscalation") is False:
            return "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
    return ""


class Handler(http.server.BaseHTTPRequestHandler):
    """One request to the API server."""

    protocol_version = "HTTP/1.1"
    store: Store
    asked = ("", "")  # verb and resource of this request

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def answer(self, value: Any, status: int = 200, kind: str = "application/json") -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        how = self.how()
        if how == "late":
            time.sleep(LATE)
        elif how == "lost":
            self.close_connection = True
            return
        elif how == "half":
            body = body[: len(body) // 2]
        elif how == "html":
            body, status, kind = b"<html><h1>502 Bad Gateway</h1></html>", 502, "text/html"
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def how(self) -> str:
        """How this answer comes; "" as it should."""
        with contextlib.suppress(KeyError, IndexError):
            return self.store.odd[self.asked].pop(0)
        return ""

    def refuse(self, status: int, reason: str, message: str) -> None:
        told = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status}
        self.answer(told | {"reason": reason, "message": message, "metadata": {}}, status)

    def place(self) -> tuple[list[str], dict[str, list[str]]]:
        parts, self.asked = urlsplit(self.path), ("", "")
        return [part for part in parts.path.split("/") if part], parse_qs(parts.query)

    def do_GET(self) -> None:
        parts, query = self.place()
        if self.discovered(parts):
            return
        version, rest = "/".join(parts[1:2] if parts[0] == "api" else parts[1:3]), parts[2:]
        if parts[0] == "apis":
            rest = parts[3:]
        space, (resource, *names) = self.within(rest)
        self.note("get" if names else "watch" if "watch" in query else "list", resource, names)
        if resource == "pods" and names[1:2] == ["proxy"]:
            return self.proxied(space, names)
        if resource not in RESOURCES or RESOURCES[resource][0] != version:
            return self.refuse(404, "NotFound", f"no {resource}")
        if not names:
            return self.listed(resource, space, query)
        found = self.store.get(resource, space, names[0])
        if found is None:
            return self.refuse(404, "NotFound", f'{resource} "{names[0]}" not found')
        self.answer(scale_of(found) if names[1:] == ["scale"] else found)

    def note(self, verb: str, resource: str, names: list[str]) -> None:
        """Keep what kubectl asks for, as the rules of a Role would name it."""
        if self.headers.get("user-agent", "").startswith("kubectl/"):
            self.asked = (verb, resource)
            part = "/".join([resource, *names[1:2]])
            self.store.asked.append((verb, part, names[0] if names else ""))

    def within(self, rest: list[str]) -> tuple[str, list[str]]:
        return (rest[1], rest[2:]) if rest[0] == "namespaces" and len(rest) > 2 else ("", rest)

    def discovered(self, parts: list[str]) -> bool:
        versions = sorted({version for version, _, _ in RESOURCES.values()})
        groups = sorted({v.partition("/")[0] for v in versions if "/" in v})
        if parts == ["version"]:
            self.answer({"major": "1", "minor": "32", "gitVersion": "v1.32.0"})
        elif parts == ["api"]:
            self.answer({"kind": "APIVersions", "versions": ["v1"]})
        elif parts == ["apis"]:
            listed: list[Object] = []
            for group in groups:
                mine: list[Object] = [
                    {"groupVersion": v, "version": v.partition("/")[2]}
                    for v in versions
                    if v.startswith(group + "/")
                ]
                listed.append({"name": group, "versions": mine, "preferredVersion": mine[0]})
            self.answer({"kind": "APIGroupList", "apiVersion": "v1", "groups": listed})
        elif parts == ["openapi", "v3"]:
            roots = [v if "/" not in v else f"apis/{v}" for v in versions]
            roots = [root if root.startswith("apis/") else f"api/{root}" for root in roots]
            urls = {root: {"serverRelativeURL": f"/openapi/v3/{root}"} for root in roots}
            self.answer({"paths": urls})
        elif parts[:2] == ["openapi", "v3"]:
            self.answer(described("/".join(parts[3:])))
        elif parts[0] == "openapi":
            self.refuse(404, "NotFound", "no older schemas here")
        elif (version := "/".join(parts[1:])) in versions:
            verbs = ["get", "list", "watch", "create", "patch", "update", "delete"]
            listed = [
                {"name": name, "kind": kind, "namespaced": spaced, "verbs": verbs}
                | {"singularName": kind.lower()}
                for name, (where, kind, spaced) in RESOURCES.items()
                if where == version
            ]
            if version == "apps/v1":
                scale = {"name": "deployments/scale", "kind": "Scale", "namespaced": True}
                listed.append(
                    scale
                    | {"group": "autoscaling", "version": "v1", "verbs": verbs}
                    | {"singularName": ""}
                )
            told = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version}
            self.answer(told | {"resources": listed})
        else:
            return False
        return True

    def listed(self, resource: str, space: str, query: dict[str, list[str]]) -> None:
        labels = dict(
            pair.split("=", 1) for pair in query.get("labelSelector", [""])[0].split(",") if pair
        )

        def wanted(value: Object) -> bool:
            has = value["metadata"].get("labels", {})
            return labels.items() <= has.items() and space in (
                "",
                value["metadata"].get("namespace", ""),
            )

        version, kind, _ = RESOURCES[resource]
        if query.get("watch", [""])[0] not in ("true", "1"):
            items = [value for value in self.store.all(resource) if wanted(value)]
            meta = {"resourceVersion": str(self.store.version)}
            told: Object = {"kind": f"{kind}List", "apiVersion": version, "metadata": meta}
            return self.answer(told | {"items": items})
        events: queue.Queue[Object] = queue.Queue()
        with self.store.lock:
            first = query.get("sendInitialEvents", [""])[0] == "true"
            since = int(query.get("resourceVersion", ["0"])[0] or 0)
            for value in self.store.all(resource):
                if first or int(value["metadata"]["resourceVersion"]) > since:
                    events.put({"type": "ADDED", "object": value})
            if first:
                note = {"k8s.io/initial-events-end": "true"}
                now = {"resourceVersion": str(self.store.version), "annotations": note}
                mark: Object = {"kind": kind, "apiVersion": version, "metadata": now}
                events.put({"type": "BOOKMARK", "object": mark})
            self.store.watchers.append((resource, events))
        self.watched(events, wanted)

    def watched(self, events: queue.Queue[Object], wanted: Any) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            while True:
                event = events.get()
                if event["type"] == "BOOKMARK" or wanted(event["object"]):
                    line = json.dumps(event).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                    self.wfile.flush()
        except OSError:
            self.close_connection = True

    def proxied(self, space: str, names: list[str]) -> None:
        pod = self.store.get("pods", space, names[0].partition(":")[0])
        if pod is None:
            return self.refuse(404, "NotFound", "no such pod")
        address, port = pod["status"]["podIP"], int(names[0].partition(":")[2])
        connection = http.client.HTTPConnection(address, port, timeout=5)
        try:
            connection.request("GET", "/" + "/".join(names[2:]))
            answer = connection.getresponse()
            self.answer(answer.read(), answer.status, answer.headers["content-type"])
        except (OSError, http.client.HTTPException) as error:
            self.refuse(503, "ServiceUnavailable", f"the pod does not answer: {error}")
        finally:
            connection.close()

    def denied(self, resource: str, space: str, value: Object) -> str:
        """Why `value` may not be kept; "" where it may."""
        return ""

    def do_PATCH(self) -> None:
        parts, query = self.place()
        body = self.rfile.read(int(self.headers["content-length"]))
        change = yaml.safe_load(body)
        space, (resource, name, *sub) = self.within(parts[2:] if parts[0] == "api" else parts[3:])
        self.note("patch", resource, [name, *sub])
        applied = "apply-patch" in self.headers["content-type"]
        strategic = "strategic" in self.headers["content-type"]
        key = (RESOURCES[resource][0], resource, space, name)
        twice = "twice" in self.store.odd.get(self.asked, [])[:1]  # a proxy sends it again
        with self.store.lock:
            for _ in range(1 + twice):
                old = self.store.objects.get(key)
                if old is None and not applied:
                    return self.refuse(404, "NotFound", f'{resource} "{name}" not found')
                asked = change.get("metadata", {}).get("resourceVersion")
                if old and asked and asked != old["metadata"]["resourceVersion"]:
                    return self.refuse(409, "Conflict", f"{name}: the object has been modified")
                if sub == ["scale"]:
                    change = {"spec": {"replicas": change["spec"]["replicas"]}}
                new = merged(old, change, strategic)
                if "selector" in change.get("spec", {}):  # one value, not a map to add to
                    new["spec"]["selector"] = change["spec"]["selector"]
                try:
                    kept, gone = self.store.taken(key, new, old)
                    if why := self.denied(resource, space, new):
                        return self.refuse(403, "Forbidden", why)
                    if gone and query.get("fieldValidation") == ["Strict"]:
                        return self.refuse(400, "BadRequest", f"strict decoding error: {gone}")
                    new = kept if "dryRun" in query else self.store.put(key, new, old)
                except ValueError as error:
                    return self.refuse(422, "Invalid", str(error))
        self.answer(scale_of(new) if sub == ["scale"] else new)

    def do_DELETE(self) -> None:
        parts, _ = self.place()
        space, (resource, name) = self.within(parts[2:] if parts[0] == "api" else parts[3:])
        self.note("delete", resource, [name])
        self.store.remove((RESOURCES[resource][0], resource, space, name))
        self.answer({"kind": "Status", "apiVersion": "v1", "status": "Success", "metadata": {}})

    def do_PUT(self) -> None:
        parts, _ = self.place()
        value = json.loads(self.rfile.read(int(self.headers["content-length"])))
        space, (resource, name, *sub) = self.within(parts[2:] if parts[0] == "api" else parts[3:])
        self.note("update", resource, [name, *sub])
        key = (RESOURCES[resource][0], resource, space, name)
        with self.store.lock:
            old = self.store.objects.get(key)
            if old is None:
                return self.refuse(404, "NotFound", f'{resource} "{name}" not found')
            asked = value["metadata"].get("resourceVersion")
            if asked and asked != old["metadata"]["resourceVersion"]:
                return self.refuse(409, "Conflict", f"{name}: the object has been modified")
            if sub == ["status"]:
                value = old | {"status": value.get("status")}
            try:
                new = self.store.put(key, value, old)
            except ValueError as error:
                return self.refuse(422, "Invalid", str(error))
        self.answer(new)

    def do_POST(self) -> None:
        """An eviction, which a budget may refuse; nothing else is made by POST here."""
        parts, _ = self.place()
        self.rfile.read(int(self.headers["content-length"]))
        space, (resource, name, *sub) = self.within(parts[2:] if parts[0] == "api" else parts[3:])
        self.note("create", resource, [name, *sub])
        pod = self.store.get("pods", space, name)
        if sub != ["eviction"] or pod is None:
            return self.refuse(404, "NotFound", f'{resource} "{name}" not found')
        if blocked(self.store, pod):
            why = "Cannot evict pod as it would violate the pod's disruption budget."
            return self.refuse(429, "TooManyRequests", why)
        self.store.remove(("v1", "pods", space, name))
        self.answer({"kind": "Status", "apiVersion": "v1", "status": "Success", "metadata": {}})


def blocked(store: Store, pod: Object) -> bool:
    """Whether a budget forbids to evict `pod` now: maxUnavailable of its pods are not ready."""
    for budget in store.all("poddisruptionbudgets", pod["metadata"]["namespace"]):
        wanted = budget["spec"]["selector"]["matchLabels"].items()
        both = (p for p in store.all("pods", pod["metadata"]["namespace"]) if p["status"])
        mine = [p for p in both if wanted <= p["metadata"]["labels"].items()]
        down = [p for p in mine if p["status"]["conditions"][0]["status"] != "True"]
        own = wanted <= pod["metadata"]["labels"].items()
        if own and len(down) >= budget["spec"]["maxUnavailable"]:
            return True
    return False


def described(version: str) -> Object:
    """All that kubectl wants of a schema: that this server validates fields itself."""
    group, _, short = version.rpartition("/")
    paths = {}
    for name, (where, kind, _) in RESOURCES.items():
        if where == version:
            patch: Object = {"parameters": [{"name": "fieldValidation", "in": "query"}]}
            known = {"group": group, "version": short, "kind": kind}
            patch |= {"x-kubernetes-group-version-kind": known, "responses": {}}
            paths[f"/{name}/{{name}}"] = {"patch": patch}
    return {"openapi": "3.0.0", "info": {"title": "", "version": ""}, "paths": paths}


def scale_of(found: Object) -> Object:
    """The scale subresource of a Deployment."""
    meta = {key: found["metadata"][key] for key in ("name", "namespace", "resourceVersion", "uid")}
    count = found["spec"].get("replicas", 1)
    told = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta}
    return told | {"spec": {"replicas": count}, "status": {"replicas": count}}


@dataclass
class Pod:
    """A pod: its object's key, address, image, process, and what came of it."""

    key: Key
    address: str
    image: Image | None  # one that is nowhere: nothing starts
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    next_start: float = 0.0
    ready: bool = False
    leaving: bool = False
    end_at: float = 0.0
    told: bool = False  # to end


@dataclass
class Cluster:
    """The API server, the controller of Deployments, and what the drills need of them."""

    store: Store
    port: int
    kubeconfig: Path
    images: dict[str, Path] = field(default_factory=dict)  # image -> folder it is built from
    built: dict[tuple[str, Path], Image] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)  # of every pod
    pods: dict[Key, Pod] = field(default_factory=dict)
    net: int = field(default_factory=lambda: random.randrange(1 << 14))
    count: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def apply(self, text: str) -> None:
        """Keep every object of a YAML text."""
        for value in yaml.safe_load_all(text):
            if value:
                self.store.add(value)

    def control(self) -> None:
        """What controllers and kubelets do, until `stop`."""
        while not self.stop.wait(0.05):
            for service in self.store.all("services"):
                self.sliced(service["metadata"])
            for deployment in self.store.all("deployments"):
                self.rolled(deployment)
            for pod in list(self.pods.values()):
                self.kept(pod)
        for pod in self.pods.values():
            end(pod)

    def sliced(self, service: Object) -> None:
        """A Service has an EndpointSlice, also one that no pod is behind."""
        key = ("discovery.k8s.io/v1", "endpointslices", service["namespace"], service["name"])
        labels = {"kubernetes.io/service-name": service["name"]}
        with self.store.lock:
            if key not in self.store.objects:
                value = {"metadata": {"labels": labels}, "addressType": "IPv4", "endpoints": []}
                self.store.put(key, value | {"ports": [{"name": "http", "port": 8000}]}, None)

    def rolled(self, deployment: Object) -> None:
        """Pods of the newest template, one more than wanted at most, none less."""
        meta, spec = deployment["metadata"], deployment["spec"]
        key = f"{meta['name']}-{template_hash(spec['template'])}-"
        mine = [
            pod
            for pod in self.pods.values()
            if pod.key[2] == meta["namespace"]
            and pod.key[3].rpartition("-")[0].rpartition("-")[0] == meta["name"]
            and not pod.leaving
        ]
        new = [pod for pod in mine if pod.key[3].startswith(key)]
        old = [pod for pod in mine if pod not in new]
        wanted = spec.get("replicas", 1)
        if len(new) < wanted and len(mine) <= wanted:
            self.begin(deployment, key)
        enough = len([pod for pod in new if pod.ready]) + len(old) > wanted
        surplus = new if len(new) > wanted else old if enough or not wanted else []
        if surplus and len(mine) > wanted:
            surplus[-1].leaving = True
        ready = [pod for pod in mine if pod.ready]
        status = {
            "observedGeneration": meta["generation"],
            "replicas": len(mine),
            "updatedReplicas": len(new),
            "readyReplicas": len(ready),
            "availableReplicas": len(ready),
        }
        if deployment.get("status") != status:
            with self.store.lock:
                kept = self.store.get("deployments", meta["namespace"], meta["name"])
                place = ("apps/v1", "deployments", meta["namespace"], meta["name"])
                if kept:
                    self.store.put(place, kept | {"status": status}, kept)

    def begin(self, deployment: Object, stem: str) -> None:
        self.count += 1
        spec = deployment["spec"]["template"]
        space = deployment["metadata"]["namespace"]
        address = f"127.{64 + self.net // 256}.{self.net % 256}.{self.count}"
        image = spec["spec"]["containers"][0]["image"]
        key = ("v1", "pods", space, f"{stem}{self.count}")
        self.pods[key] = Pod(key, address, self.pulled(image))
        self.told(self.pods[key], spec)

    def pulled(self, name: str) -> Image | None:
        """The image of that name: what its project was when it was first asked for."""
        if name not in self.images:
            return None
        source = (name, self.images[name])
        if source not in self.built:
            root = self.kubeconfig.parent / "images" / str(len(self.built))
            self.built[source] = built(self.images[name], root)
        return self.built[source]

    def kept(self, pod: Pod) -> None:
        """Start it, start it again, ask whether it is ready, or end it."""
        pod.leaving |= self.store.get("pods", *pod.key[2:]) is None  # deleted, or evicted
        if pod.leaving:
            self.left(pod)
            return
        if pod.process is not None and pod.process.poll() is not None:
            pod.process, pod.restarts, pod.ready = None, pod.restarts + 1, False
            pod.next_start = time.monotonic() + min(2.0**pod.restarts, 10.0) / 4
        if pod.image and pod.process is None and time.monotonic() >= pod.next_start:
            path = {"PATH": os.environ["PATH"]}
            pod.process = subprocess.Popen(
                [word.replace("HOST=::", f"HOST={pod.address}") for word in pod.image.command],
                cwd=pod.image.workdir,
                env=path | pod.image.environment | self.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        ready = pod.process is not None and (answers(pod.address) if not pod.ready else True)
        pod.ready = ready
        self.told(pod)

    def left(self, pod: Pod) -> None:
        """No requests any more, then SIGTERM; its object goes with the process."""
        if not pod.end_at:
            pod.ready, pod.end_at = False, time.monotonic() + 0.5
            self.told(pod)
        elif pod.process is None or pod.process.poll() is not None:
            self.store.remove(pod.key)
            del self.pods[pod.key]
        elif not pod.told and time.monotonic() >= pod.end_at:
            pod.told = True
            pod.process.send_signal(signal.SIGTERM)

    def told(self, pod: Pod, template: Object | None = None) -> None:
        """The objects of a pod: itself, and the EndpointSlice that brings requests to it."""
        old = self.store.get("pods", pod.key[2], pod.key[3])
        if template is None and old is None:
            self.store.remove(slice_key(pod))
            return
        value = old or {"metadata": copy.deepcopy(template["metadata"]), "spec": template["spec"]}  # type: ignore[index]
        state = "True" if pod.ready else "False"
        value = value | {
            "status": {
                "phase": "Running",
                "podIP": pod.address,
                "conditions": [{"type": "Ready", "status": state}],
                "containerStatuses": [
                    {"name": "service", "ready": pod.ready, "restartCount": pod.restarts}
                ],
            }
        }
        with self.store.lock:
            self.store.put(pod.key, value, self.store.objects.get(pod.key))
        service = pod.key[3].rpartition("-")[0].rpartition("-")[0]
        if not pod.ready:
            self.store.remove(slice_key(pod))
            return
        meta = {"labels": {"kubernetes.io/service-name": service}}
        conditions = {"ready": True, "serving": True, "terminating": False}
        sliced = {
            "metadata": meta,
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8000, "protocol": "TCP"}],
            "endpoints": [{"addresses": [pod.address], "conditions": conditions}],
        }
        with self.store.lock:
            if slice_key(pod) not in self.store.objects:
                self.store.put(slice_key(pod), sliced, None)


def slice_key(pod: Pod) -> Key:
    return ("discovery.k8s.io/v1", "endpointslices", pod.key[2], pod.key[3])


def template_hash(template: Object) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]


def answers(address: str) -> bool:
    """Whether /ready of a pod says yes."""
    connection = http.client.HTTPConnection(address, 8000, timeout=1)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def end(pod: Pod) -> None:
    if pod.process is not None:
        pod.process.kill()
        pod.process.wait()


@contextlib.contextmanager
def cluster(folder: Path, answering: type[Handler] = Handler) -> Iterator[Cluster]:
    """A running cluster whose kubeconfig is in `folder`."""
    needed("kubectl")
    store = Store()
    handler = type("OneHandler", (answering,), {"store": store})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "drill",
                "clusters": [{"name": "drill", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                "contexts": [{"name": "drill", "context": {"cluster": "drill", "user": ""}}],
            }
        )
    )
    made = Cluster(store, port, kubeconfig)
    controller = threading.Thread(target=made.control)
    controller.start()
    try:
        yield made
    finally:
        made.stop.set()
        controller.join()
        server.shutdown()
        server.server_close()


GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: traefik}
spec: {controllerName: traefik.io/gateway-controller}
---
apiVersion: v1
kind: Namespace
metadata: {name: gateway}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gateway, namespace: gateway}
spec:
  gatewayClassName: traefik
  listeners:
    - name: web
      protocol: HTTP
      port: PORT
      allowedRoutes: {namespaces: {from: All}}
"""


@contextlib.contextmanager
def gateway(made: Cluster, port: int, log: Path) -> Iterator[None]:
    """Traefik on `port` of the loopback, reading the routes of the cluster."""
    made.apply(GATEWAY.replace("PORT", str(port)))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                "traefik",
                f"--entrypoints.web.address=127.0.0.1:{port}",
                "--providers.kubernetesgateway=true",
                f"--providers.kubernetesgateway.endpoint=http://127.0.0.1:{made.port}",
                "--providers.kubernetesgateway.token=none",
                "--providers.kubernetesgateway.throttleduration=100ms",
                "--providers.providersthrottleduration=100ms",
                "--global.checknewversion=false",
                "--global.sendanonymoususage=false",
                "--log.level=INFO",
            ],
            cwd=log.parent,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)
