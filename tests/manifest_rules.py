"""What must hold for the objects of an environment: rules on each, and what refers to what."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]
Objects = list[Object]

BY_DIGEST = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"} | {
    "persistentVolumeClaim",
    "projected",
}
GRACE_SECONDS = 30  # of serving/serve.py, after SERVE_DRAIN_SECONDS
SETTINGS = {"MAX_ROWS", "MAX_BYTES", "MAX_IN_FLIGHT", "MAX_SLOW", "REQUEST_SECONDS"} | {
    *("DRAIN_SECONDS", "LOG", "LOG_SHARE", "LOG_FEATURES", "LOG_BYTES", "LOG_WRITERS"),
}
CLUSTER_WIDE = {"Namespace"}
CALLED = {  # by jobs, outside of the cluster's own objects
    443: "a remote",
    5000: "MLflow",
    6443: "the API server",
    9000: "S3-compatible storage",
    9091: "the Pushgateway",
}
METADATA = {  # addresses, and what of them jobs may not call: it hands out credentials
    "0.0.0.0/0": {"169.254.0.0/16"},
    "::/0": {"fe80::/10", "fd00:ec2::/32", "fd20:ce::254/128"},
}
OF_ITS_OWN = {"containers", "serviceAccountName", "automountServiceAccountToken"} | {
    *("container args", "container env", "container envFrom", "container resources"),
}
# Job: all of it but its pod. Exit codes: 3 is an answer that another try does not change, 4 is
# too little data so far. A monitor is due each night; what is late by an hour waits for the next.
_STEP = "podFailurePolicy rules 0"
JOBS: dict[str, Object] = {
    "train": {
        "backoffLimit": 1,
        "activeDeadlineSeconds": 6 * 3600,
        "ttlSecondsAfterFinished": 24 * 3600,
    },
    "rollout": {
        "backoffLimit": 3,
        "activeDeadlineSeconds": 6 * 3600,
        "ttlSecondsAfterFinished": 24 * 3600,
        f"{_STEP} action": "FailJob",
        f"{_STEP} onExitCodes containerName": "work",
        f"{_STEP} onExitCodes operator": "In",
        f"{_STEP} onExitCodes values 0": 3,
        f"{_STEP} onPodConditions": [],
    },
    "monitor": {
        "schedule": "17 3 * * *",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 3600,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 3,
        "jobTemplate spec backoffLimit": 0,
        "jobTemplate spec activeDeadlineSeconds": 3600,
        "jobTemplate spec ttlSecondsAfterFinished": 3 * 24 * 3600,
    },
    "decide": {
        "backoffLimit": 0,
        "activeDeadlineSeconds": 1800,
        f"{_STEP} action": "Ignore",
        f"{_STEP} onExitCodes containerName": "work",
        f"{_STEP} onExitCodes operator": "In",
        f"{_STEP} onExitCodes values 0": 4,
        f"{_STEP} onPodConditions": [],
    },
}
WORKLOADS = ("Deployment", "Job", "CronJob", "AnalysisTemplate")


def faults(objects: Objects) -> list[str]:
    """One line for each rule that is broken."""
    rules = [pods, services, jobs, tracks, namespaces, networks, rights, scaling, routes]
    rules += [scraping, graph]
    return [said for rule in rules for said in rule(objects)]


def of_kind(objects: Objects, *kinds: str) -> Iterator[Object]:
    return (thing for thing in objects if thing["kind"] in kinds)


def name_of(thing: Object) -> str:
    return f"{thing['kind']} {thing['metadata'].get('name')}"


def template(thing: Object) -> Object:
    """The pod template of a workload."""
    spec = thing["spec"]
    if thing["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    if thing["kind"] == "AnalysisTemplate":
        spec = spec["metrics"][0]["provider"]["job"]["spec"]
    made: Object = spec["template"]
    return made


def labels_of(thing: Object, objects: Objects) -> Object:
    """Labels of the pods of a workload, with those that Argo Rollouts gives to stable ones."""
    labels = dict(template(thing)["metadata"]["labels"])
    for rollout in of_kind(objects, "Rollout"):
        same = rollout["spec"]["workloadRef"].get("name") == thing["metadata"]["name"]
        if same and thing["kind"] == "Deployment":
            labels |= rollout["spec"]["strategy"]["canary"]["stableMetadata"]["labels"]
    return labels


def selects(selector: Object | None, labels: Object) -> bool:
    """Whether a label selector (an empty one: everything) chooses `labels`."""
    wanted = (selector or {}).get("matchLabels", {})
    return all(labels.get(key) == value for key, value in wanted.items())


def pods(objects: Objects) -> Iterator[str]:
    """Pod Security "restricted" and stricter: digest, read-only root, limits, no token."""
    for thing in of_kind(objects, *WORKLOADS):
        spec, name = template(thing)["spec"], name_of(thing)
        yield from (f"{name}: {said}" for said in _pod(spec))
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            yield from (f"{name}: {said}" for said in _container(container))


def _pod(spec: Object) -> Iterator[str]:
    secure = spec.get("securityContext", {})
    if secure.get("runAsNonRoot") is not True or not secure.get("runAsUser"):
        yield "may run as root"
    if secure.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "seccompProfile is not RuntimeDefault"
    for key in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
        if spec.get(key):
            yield f"{key} is on"
    driver = spec.get("serviceAccountName", "").endswith("-rollout")
    if spec.get("automountServiceAccountToken") is not driver:
        yield "a token where none is needed, or none where one is"
    if spec.get("enableServiceLinks") is not False:
        yield "enableServiceLinks is on: other services would set its variables"
    for volume in spec.get("volumes", []):
        kinds = volume.keys() - {"name"}
        if not kinds <= VOLUMES or not kinds:
            yield f"volume {volume['name']} is of a kind that is not allowed"
        if "emptyDir" in volume and not (volume["emptyDir"] or {}).get("sizeLimit"):
            yield f"volume {volume['name']} has no sizeLimit"
    disk = sum(
        amount((volume["emptyDir"] or {}).get("sizeLimit"))
        for volume in spec.get("volumes", [])
        if "emptyDir" in volume and (volume["emptyDir"] or {}).get("medium") != "Memory"
    )
    most = sum(
        amount(container.get("resources", {}).get("limits", {}).get("ephemeral-storage"))
        for container in spec["containers"]
    )
    if disk >= most:
        yield f"volumes of {disk:g} bytes in a pod that is evicted at {most:g}"


def _container(container: Object) -> Iterator[str]:
    if not BY_DIGEST.fullmatch(container.get("image", "")):
        yield f"image {container.get('image')} is not named by digest"
    secure = container.get("securityContext", {})
    if secure.get("allowPrivilegeEscalation") is not False or secure.get("privileged"):
        yield "privileges may be raised"
    if secure.get("readOnlyRootFilesystem") is not True:
        yield "the root file system is not read-only"
    if secure.get("capabilities") != {"drop": ["ALL"]}:
        yield "capabilities are not all dropped"
    if secure.keys() & {"runAsUser", "runAsNonRoot", "seccompProfile", "procMount"}:
        yield "the container overrides the security of its pod"
    resources = container.get("resources", {})
    for key in ("cpu", "memory", "ephemeral-storage"):
        asked, most = (resources.get(part, {}).get(key) for part in ("requests", "limits"))
        if asked is None or most is None or amount(asked) > amount(most):
            yield f"{key}: request {asked}, limit {most}"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield "hostPort is set"
    for variable in container.get("env", []):
        if "value" in variable and re.search(r"TOKEN|PASS|SECRET|KEY", variable["name"]):
            yield f"{variable['name']} stands in plain text"


def amount(text: Any) -> float:
    """A quantity such as 250m or 512Mi as a number."""
    found = re.fullmatch(r"([0-9.]+)(m|Ki|Mi|Gi|k|M|G)?", str(text))
    if found is None:
        return float("inf")
    powers = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9}
    powers |= {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}
    return float(found[1]) * powers.get(found[2], 1)


def services(objects: Objects) -> Iterator[str]:
    """A service is taken out before it is killed, ends its answers, and is spread."""
    maps = {thing["metadata"]["name"]: thing.get("data", {}) for thing in objects}
    for thing in of_kind(objects, "Deployment"):
        spec, name = thing["spec"], name_of(thing)
        pod = template(thing)
        yield from (f"{name}: {said}" for said in _probes(pod["spec"]["containers"][0]))
        rolling = spec.get("strategy", {}).get("rollingUpdate", {})
        if rolling.get("maxUnavailable") != 0 or not rolling.get("maxSurge"):
            yield f"{name}: an update takes pods away before others are ready"
        if not spec.get("progressDeadlineSeconds") or not spec.get("minReadySeconds"):
            yield f"{name}: an update has no deadline or no patience"
        spread = pod["spec"].get("topologySpreadConstraints", [])
        apart = [s for s in spread if selects(s.get("labelSelector"), pod["metadata"]["labels"])]
        if {s["topologyKey"] for s in apart if "labelSelector" in s} != {
            "kubernetes.io/hostname",
            "topology.kubernetes.io/zone",
        }:
            yield f"{name}: its pods are not spread over nodes and zones"
        data: Object = {}
        for source in pod["spec"]["containers"][0].get("envFrom", []):
            data |= maps.get(source.get("configMapRef", {}).get("name"), {})
        unknown = {key for key in data if key.removeprefix("SERVE_") not in SETTINGS}
        if unknown or not all(isinstance(value, str) for value in data.values()):
            yield f"{name}: settings the service does not know: {sorted(unknown)}"
        grace = pod["spec"].get("terminationGracePeriodSeconds", 30)
        if not float(data.get("SERVE_DRAIN_SECONDS", 0)) > 0:
            yield f"{name}: it stops before the gateway knows"
        elif grace < float(data["SERVE_DRAIN_SECONDS"]) + GRACE_SECONDS:
            yield f"{name}: it is killed before its last answer"


def _probes(container: Object) -> Iterator[str]:
    probes = {key: container.get(f"{key}Probe") for key in ("startup", "readiness", "liveness")}
    for key, probe in probes.items():
        if not probe:
            yield f"there is no {key} probe"
        elif probe.get("timeoutSeconds", 1) < 2:
            yield f"the {key} probe waits a second only"
        elif "httpGet" not in probe:
            yield f"the {key} probe does not ask the service"
    if not all(probes.values()):
        return
    paths = {key: (probe or {}).get("httpGet", {}).get("path") for key, probe in probes.items()}
    if paths != {"startup": "/ready", "readiness": "/ready", "liveness": "/health"}:
        yield f"a probe asks for the wrong thing: {paths}"
    ports = {port["name"] for port in container.get("ports", [])}
    seconds = {}
    for key, probe in probes.items():
        assert probe is not None
        if probe.get("httpGet", {}).get("port") not in ports:
            yield f"the {key} probe asks a port that is not there"
        seconds[key] = probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3)
    if seconds["liveness"] < 2 * seconds["readiness"]:
        yield "it is killed when it should be taken out"
    if seconds["startup"] < 60:
        yield "it has no time to load"


def jobs(objects: Objects) -> Iterator[str]:
    """Jobs end, are tried again where that helps, and leave no rubbish: as JOBS says."""
    for thing in of_kind(objects, "Job", "CronJob", "AnalysisTemplate"):
        spec, name = thing["spec"], name_of(thing)
        if thing["kind"] == "AnalysisTemplate":
            spec = spec["metrics"][0]["provider"]["job"]["spec"]
        found = _flat({key: value for key, value in spec.items() if key != "template"})
        work = re.search("-(train|rollout|monitor|decide)(-[0-9]+)?$", name)
        expected = JOBS.get(work[1] if work else "", {})
        for path in sorted(found.keys() | expected.keys()):
            if found.get(path) != expected.get(path):
                yield f"{name}: {path}: expected {expected.get(path)}, found {found.get(path)}"
        if template(thing)["spec"].get("restartPolicy") != "Never":
            yield f"{name}: it starts again inside its pod, and its first log is gone"


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """{path: scalar} of all that is in `value`, less pod templates; an empty list stays one."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    found: dict[str, Any] = {}
    for key, part in parts:
        if key == "template":
            continue
        here = f"{path} {key}".strip()
        found |= _flat(part, here) if isinstance(part, dict | list) and part else {here: part}
    return found


def alike(workloads: Objects) -> Iterator[str]:
    """The pods of jobs, which every kind of workload writes down anew, are of one shape."""
    first, *others = workloads
    one = _shape(first)
    for thing in others:
        other = _shape(thing)
        for part in sorted(one.keys() | other.keys()):
            if one.get(part) != other.get(part):
                yield f"{name_of(thing)}: {part} is not that of {name_of(first)}"


def _shape(thing: Object) -> Object:
    """A pod of a job without what is its own: account, words, size, Secret, the log it reads."""
    pod = template(thing)
    (container,) = pod["spec"]["containers"]
    parts = {f"container {key}": value for key, value in container.items()} | pod["spec"]
    parts |= {"labels": pod["metadata"]["labels"]}
    for key in ("volumes", "container volumeMounts"):
        parts[key] = [part for part in parts.get(key, []) if part["name"] != "predictions"]
    return {key: value for key, value in parts.items() if key not in OF_ITS_OWN}


def tracks(objects: Objects) -> Iterator[str]:
    """Two tracks of one pod template, each with its lineage; no pod belongs to both."""
    seen = []
    for thing in of_kind(objects, "Deployment"):
        pod, name = template(thing), name_of(thing)
        facts, labels = pod["metadata"].get("annotations", {}), labels_of(thing, objects)
        if not selects(thing["spec"]["selector"], labels):
            yield f"{name}: its selector does not choose its pods"
        if "model" in thing["spec"]["selector"]["matchLabels"]:
            yield f"{name}: its selector changes with the model"
        for key, length in (("model-digest", 64), ("verdict", 64), ("revision", 40)):
            if not re.fullmatch(rf"[0-9a-f]{{{length}}}", str(facts.get(key))):
                yield f"{name}: {key} {facts.get(key)!r} is no digest"
        if labels.get("model") != str(facts.get("model-digest"))[:16]:
            yield f"{name}: the label model is another than the model"
        if labels.get("track") != ("canary" if name.endswith("-canary") else "stable"):
            yield f"{name}: track {labels.get('track')}"
        same = json.loads(json.dumps(pod))
        same["spec"]["containers"][0]["image"] = ""
        same["metadata"] = {}
        for spread in same["spec"].get("topologySpreadConstraints", []):
            spread.get("labelSelector", {}).get("matchLabels", {}).pop("track", None)
        seen.append((name, thing["spec"]["selector"], labels, same))
    for (a, selector, _, one), (b, _, labels, other) in itertools.permutations(seen, 2):
        if selects(selector, labels):
            yield f"{a} chooses pods of {b}"
        if one != other:
            yield f"{a} and {b} are not of one pod template"


def namespaces(objects: Objects) -> Iterator[str]:
    """One namespace, where Pod Security "restricted" is enforced, for everything."""
    found = list(of_kind(objects, "Namespace"))
    for thing in found:
        labels = thing["metadata"].get("labels", {})
        if labels.get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"{name_of(thing)}: Pod Security is not enforced"
    inside = (t for t in objects if t["kind"] not in CLUSTER_WIDE and not _watches(t))
    spaces = {thing["metadata"].get("namespace") for thing in inside}
    if found and spaces != {thing["metadata"]["name"] for thing in found}:
        yield f"objects in {spaces}"
    names = [(t["kind"], t["metadata"].get("name")) for t in objects]
    yield from (f"twice: {name}" for name in {n for n in names if names.count(n) > 1})


def _watches(thing: Object) -> bool:
    """Whether it is of deploy/monitoring: one for both environments."""
    labels = thing["metadata"].get("labels", {})
    return thing["apiVersion"].startswith("monitoring.coreos.com/") or "grafana_dashboard" in labels


def networks(objects: Objects) -> Iterator[str]:
    """Nothing connects but what is named; the service connects to nothing."""
    policies = list(of_kind(objects, "NetworkPolicy"))
    if not policies:
        if any(of_kind(objects, "Namespace")):
            yield "there is no NetworkPolicy"
        return
    everything = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    if everything not in [policy["spec"] for policy in policies]:
        yield "nothing is denied by default"
    for policy in policies:
        spec, name = policy["spec"], name_of(policy)
        for rule in spec.get("ingress", []):
            if not rule.get("from") or not rule.get("ports"):
                yield f"{name}: everybody may connect, or to every port"
            yield from (f"{name}: {said}" for said in _peers(rule.get("from", [])))
        for rule in spec.get("egress", []):
            if not rule.get("to") or not rule.get("ports"):
                yield f"{name}: it may connect to everybody, or to every port"
            for peer in rule.get("to", []):
                block = peer.get("ipBlock", {})
                held = METADATA.get(block.get("cidr"), set()) - set(block.get("except", []))
                if held:
                    yield f"{name}: it may ask the cloud for credentials at {sorted(held)}"
                if block:
                    ports = {port.get("port") for port in rule.get("ports", [])}
                    missed = [what for port, what in CALLED.items() if port not in ports]
                    yield from (f"{name}: jobs cannot call {what}" for what in missed)
            yield from (f"{name}: {said}" for said in _peers(rule.get("to", []), outside=True))
            blocks = {peer["ipBlock"]["cidr"] for peer in rule.get("to", []) if "ipBlock" in peer}
            if blocks and blocks != METADATA.keys():
                yield f"{name}: jobs call nobody of {sorted(METADATA.keys() - blocks)}"
        pods = [t for t in of_kind(objects, "Deployment") if _chosen(spec, t)]
        if spec.get("egress") and pods:
            yield f"{name}: the service may connect to others"


def _peers(peers: Objects, outside: bool = False) -> Iterator[str]:
    for peer in peers:
        spaces = peer.get("namespaceSelector")
        if (
            spaces is not None
            and not spaces.get("matchLabels")
            and not spaces.get("matchExpressions")
        ):
            yield "every namespace is let in"
        if not outside and peer.get("ipBlock", {}).get("cidr", "").endswith("/0"):
            yield "every address is let in"


def _chosen(spec: Object, thing: Object) -> bool:
    return selects(spec["podSelector"], template(thing)["metadata"]["labels"])


def rights(objects: Objects) -> Iterator[str]:
    """Only the driver of a rollout may do something, to named objects, in this namespace."""
    for thing in of_kind(objects, "ClusterRole", "ClusterRoleBinding", "Secret"):
        yield f"{name_of(thing)} does not belong here"
    for account in of_kind(objects, "ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield f"{name_of(account)} gives its token to every pod"
    for role in of_kind(objects, "Role"):
        for rule in role["rules"]:
            words = [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            if "*" in words or {"secrets", "pods/exec", "roles"} & set(words):
                yield f"{name_of(role)} may do too much: {words}"
            changes = set(rule["verbs"]) - {"get", "list", "watch"}
            if changes - {"patch", "update"} or (changes and not rule.get("resourceNames")):
                yield f"{name_of(role)} may change more than its objects: {words}"
            if changes and "deployments" in rule["resources"]:
                yield f"{name_of(role)} may have its pods run any image: {words}"
            if changes and any(of_kind(objects, "Rollout")):
                yield f"{name_of(role)} is that of an analysis, which only reads: {words}"
    for binding in of_kind(objects, "RoleBinding"):
        for subject in binding["subjects"]:
            if subject["kind"] != "ServiceAccount" or not subject["name"].endswith("-rollout"):
                yield f"{name_of(binding)} gives rights to {subject['kind']} {subject['name']}"


def scaling(objects: Objects) -> Iterator[str]:
    """Two pods at least, and a node can be drained."""
    lowest = min(
        (scaler["spec"].get("minReplicas", 1) for scaler in of_kind(objects, SCALER)), default=None
    )
    for scaler in of_kind(objects, SCALER):
        spec = scaler["spec"]
        if spec.get("minReplicas", 1) < 2 or spec["maxReplicas"] < spec["minReplicas"]:
            yield f"{name_of(scaler)}: from {spec.get('minReplicas')} to {spec['maxReplicas']}"
        if not spec.get("metrics"):
            yield f"{name_of(scaler)} scales on nothing"
        for target in of_kind(objects, spec["scaleTargetRef"]["kind"]):
            name = target["metadata"]["name"]
            same = name == spec["scaleTargetRef"]["name"] and not name.endswith("-canary")
            if same and "replicas" in target["spec"]:
                yield f"{name_of(target)}: replicas are the autoscaler's"
    deployments = list(of_kind(objects, "Deployment"))
    if deployments and lowest is None:
        yield "nothing scales"
    protected, argo = set[str | None](), any(of_kind(objects, "Rollout"))
    scaled = {scaler["spec"]["scaleTargetRef"]["name"] for scaler in of_kind(objects, SCALER)}
    for budget in of_kind(objects, "PodDisruptionBudget"):
        spec = budget["spec"]
        most, least = spec.get("maxUnavailable"), spec.get("minAvailable")
        if not (isinstance(most, int) and most == 1 and least is None):
            yield f"{name_of(budget)}: nodes cannot be drained, or every pod may go at once"
        labels = [labels_of(t, objects) for t in deployments]
        chosen = [label for label in labels if selects(spec.get("selector"), label)]
        known = {label.get("track") for label in chosen}
        mine = (spec.get("selector") or {}).get("matchLabels", {}).get("track")
        if len(chosen) != 1 and not (argo and mine == "canary"):
            yield f"{name_of(budget)} protects other pods"
        protected |= known
    for thing in deployments:
        track, name = labels_of(thing, objects).get("track"), thing["metadata"]["name"]
        if track not in protected:
            yield f"{name}: draining nodes may take every pod of {track}"
        if lowest is not None and name not in scaled:
            yield f"{name}: its pods do not follow the requests"


SCALER = "HorizontalPodAutoscaler"
PUBLIC = [{"path": {"type": "Exact", "value": "/predict"}}]


def routes(objects: Objects) -> Iterator[str]:
    """One path is public; at rest stable has all of its requests, and nothing is mirrored."""
    found = list(of_kind(objects, "HTTPRoute"))
    if any(of_kind(objects, "Deployment")) and len(found) != 1:
        yield f"{len(found)} HTTPRoutes"
    for route in found:
        if not route["spec"].get("parentRefs"):
            yield f"{name_of(route)}: no gateway"
        for rule in route["spec"].get("rules") or [{}]:
            weights = {b["name"]: b.get("weight", 1) for b in rule.get("backendRefs", [])}
            if sum(weights.values()) != 100:
                yield f"{name_of(route)}: weights {weights} are not 100 together"
            elif any(w for name, w in weights.items() if name.endswith("-canary")):
                yield f"{name_of(route)}: the canary begins with requests"
            if rule.get("matches") != PUBLIC:  # without any, every path is
                yield f"{name_of(route)}: public is {rule.get('matches')}"
            if rule.get("filters"):  # a gateway that does not know one may answer nothing
                yield f"{name_of(route)}: filters {rule['filters']}"
    for rollout in of_kind(objects, "Rollout"):
        steps = rollout["spec"]["strategy"]["canary"]["steps"]
        weights_set = [step["setWeight"] for step in steps if "setWeight" in step]
        judged = sum("analysis" in step for step in steps)
        if weights_set != sorted(set(weights_set)) or weights_set[-1:] != [99]:
            yield f"{name_of(rollout)}: weights {weights_set}"
        if {
            rollout["spec"]["strategy"]["canary"][f"{track}Metadata"]["labels"]["track"] == track
            for track in ("stable", "canary")
        } != {True}:
            yield f"{name_of(rollout)}: its pods are not told apart"
        if judged < len(weights_set):
            yield f"{name_of(rollout)}: a weight that is not judged"
    for analysis in of_kind(objects, "AnalysisTemplate"):
        for metric in analysis["spec"]["metrics"]:
            if metric.get("failureLimit") != 0 or not metric.get("count"):
                yield f"{name_of(analysis)}: a failure is let through"


def scraping(objects: Objects) -> Iterator[str]:
    """Every Service is scraped at its port, as the job and with the labels that rules ask for."""
    for monitor in of_kind(objects, "ServiceMonitor"):
        spec, name = monitor["spec"], name_of(monitor)
        if not spec["endpoints"]:
            yield f"{name} scrapes nothing"
        if not spec["selector"].get("matchLabels"):
            yield f"{name} chooses every Service"
        if not spec["namespaceSelector"].get("matchNames"):
            yield f"{name} looks into every namespace, or its own alone"
        for end in spec["endpoints"]:
            if end.get("path") != "/metrics":
                yield f"{name}: /metrics is at another path than {end.get('path')}"
            if seconds(end["scrapeTimeout"]) > seconds(end["interval"]):
                yield f"{name}: scrapeTimeout {end['scrapeTimeout']} is above its interval"
        if "track" not in spec.get("podTargetLabels", []):
            yield f"{name} does not keep the label track"
        for service in of_kind(objects, "Service"):
            yield from (f"{name} {said}" for said in _scraped(service, spec, objects))


def _scraped(service: Object, spec: Object, objects: Objects) -> Iterator[str]:
    meta, name = service["metadata"], name_of(service)
    if meta["namespace"] not in spec["namespaceSelector"].get("matchNames", [meta["namespace"]]):
        yield f"does not look into {meta['namespace']}"
    if not selects(spec["selector"], meta.get("labels", {})):
        yield f"does not choose {name}"
    offered = {port.get("name") for port in service["spec"]["ports"]}
    for end in spec["endpoints"]:
        if end.get("port") not in offered:
            yield f"asks {name}, which has no port {end.get('port')}"
    job = meta.get("labels", {}).get(spec["jobLabel"])
    for rule in of_kind(objects, "PrometheusRule"):
        for asked in set(re.findall(r'\bjob="([^"]*)"', json.dumps(rule).replace("\\", ""))):
            if asked != job:
                yield f"makes {name} job {job}, and its rules ask for {asked}"
    selector = {"matchLabels": service["spec"].get("selector")}
    for thing in of_kind(objects, "Deployment"):
        labels = template(thing)["metadata"]["labels"]
        missed = [key for key in spec.get("podTargetLabels", []) if key not in labels]
        if selects(selector, labels) and missed:
            yield f"keeps labels, and pods of {name} have no {', '.join(missed)}"


def seconds(text: str) -> float:
    """A duration such as 15s or 1m in seconds."""
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    number, unit = re.fullmatch(r"([0-9.]+)(ms|s|m|h)", text).groups()  # type: ignore[union-attr]
    return float(number) * units[unit]


def graph(objects: Objects) -> Iterator[str]:
    """Everything that is named is there: accounts, settings, volumes, ports, services, roles."""
    there = {(t["kind"], t["metadata"].get("name")) for t in objects}
    whole = any(of_kind(objects, "Namespace"))  # a job alone uses what the environment has
    for thing in objects:
        for kind, name in references(thing):
            if (kind, name) not in there and whole:
                yield f"{name_of(thing)}: there is no {kind} {name}"
    yield from _mounts(objects)
    yield from _ports(objects)
    labels = [template(t)["metadata"]["labels"] for t in of_kind(objects, *WORKLOADS)]
    for service in of_kind(objects, "Service"):
        selector = {"matchLabels": service["spec"].get("selector") or {"none": "at all"}}
        if sum(selects(selector, label) for label in labels) != 1:
            yield f"{name_of(service)} does not choose one kind of pods"
        if service["spec"].get("type", "ClusterIP") != "ClusterIP":
            yield f"{name_of(service)} is open beside the gateway"


def references(thing: Object) -> Iterator[tuple[str, str]]:
    """(kind, name) of each object that `thing` needs."""
    spec, kind = thing.get("spec", {}), thing["kind"]
    if kind in WORKLOADS:
        pod = template(thing)["spec"]
        yield "ServiceAccount", pod.get("serviceAccountName", "default")
        for volume in pod.get("volumes", []):
            if "persistentVolumeClaim" in volume:
                yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]
            if "configMap" in volume:
                yield "ConfigMap", volume["configMap"]["name"]
        for source in [s for c in pod["containers"] for s in c.get("envFrom", [])]:
            for key, what in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if key in source and not source[key].get("optional"):
                    yield what, source[key]["name"]
    if kind == SCALER:
        yield spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"]
    if kind == "HTTPRoute":
        for rule in spec.get("rules") or []:
            yield from (("Service", b["name"]) for b in rule.get("backendRefs", []))
    if kind == "RoleBinding":
        yield thing["roleRef"]["kind"], thing["roleRef"]["name"]
        yield from ((subject["kind"], subject["name"]) for subject in thing["subjects"])
    if kind == "Role":
        kinds = {"httproutes": "HTTPRoute", "deployments": "Deployment"}
        for rule in thing["rules"]:
            for resource in rule["resources"]:
                for name in rule.get("resourceNames", []):
                    if resource in kinds and not name.endswith("-canary"):  # Argo has none
                        yield kinds[resource], name
    if kind == "Rollout":
        canary = spec["strategy"]["canary"]
        yield spec["workloadRef"]["kind"], spec["workloadRef"]["name"]
        yield "Service", canary["stableService"]
        yield "Service", canary["canaryService"]
        yield (
            "HTTPRoute",
            canary["trafficRouting"]["plugins"]["argoproj-labs/gatewayAPI"]["httpRoute"],
        )
        for step in canary["steps"]:
            for used in step.get("analysis", {}).get("templates", []):
                yield "AnalysisTemplate", used["templateName"]


def _mounts(objects: Objects) -> Iterator[str]:
    for thing in of_kind(objects, *WORKLOADS):
        pod = template(thing)["spec"]
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        for container in pod["containers"]:
            mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
            if mounts.keys() != volumes:
                yield f"{name_of(thing)}: mounts {sorted(mounts)} of volumes {sorted(volumes)}"
            if "/tmp" not in mounts.values():
                yield f"{name_of(thing)}: nowhere to write"
            known = {variable["name"] for variable in container.get("env", [])}
            for mount in container["volumeMounts"]:
                if set(re.findall(r"\$\((\w+)\)", mount.get("subPathExpr", ""))) - known:
                    yield f"{name_of(thing)}: a folder named by a variable that is not set"


def _ports(objects: Objects) -> Iterator[str]:
    named = {
        port.get("name")
        for thing in of_kind(objects, "Deployment")
        for container in template(thing)["spec"]["containers"]
        for port in container.get("ports", [])
    }
    offered = {
        service["metadata"]["name"]: {port["port"] for port in service["spec"].get("ports", [])}
        for service in of_kind(objects, "Service")
    }
    for service in of_kind(objects, "Service"):
        for port in service["spec"].get("ports", []):
            if port.get("targetPort") not in named:
                yield f"{name_of(service)}: port {port.get('targetPort')} is not there"
    for route in of_kind(objects, "HTTPRoute"):
        for rule in route["spec"].get("rules") or []:
            for backend in rule.get("backendRefs", []):
                if backend.get("port") not in offered.get(backend["name"], set()):
                    yield f"{name_of(route)}: {backend['name']} has no port {backend.get('port')}"
    for policy in of_kind(objects, "NetworkPolicy"):
        for rule in policy["spec"].get("ingress", []):
            for port in rule.get("ports", []):
                if port.get("port") not in named:
                    yield f"{name_of(policy)}: port {port.get('port')} is not there"
