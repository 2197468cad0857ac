"""T46: faults planted in the objects of an environment, one a row."""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
GONE = object()  # the value is taken away


@dataclass(frozen=True)
class More:
    """The value is one more of a list."""

    value: Any


@dataclass(frozen=True)
class Fault:
    """In the object of this kind whose name ends so, what stands at `path` is made `value`."""

    name: str
    kind: str
    ending: str  # of the name, after that of the project
    path: str
    value: Any
    bundle: str = "canary"
    says: str = ""  # part of what the rule that was written for it says

    def plant(self, objects: list[Object], project: str) -> list[Object]:
        """`objects` with the fault; raises AssertionError where there is nothing to change."""
        planted = copy.deepcopy(objects)
        if not self.path:
            return [*planted, self.value]
        (thing,) = (
            t
            for t in planted
            if t["kind"] == self.kind
            and t["metadata"]["name"].startswith(project + self.ending)
            and (t["kind"] == "ConfigMap" or t["metadata"]["name"] == project + self.ending)
        )
        steps: list[Any] = [int(s) if s.isdecimal() else s for s in self.path.split(" ")]
        last = steps.pop()
        place: Any = functools.reduce(lambda part, step: part[step], steps, thing)
        if self.value is GONE:
            del place[last]
        elif isinstance(self.value, More):
            place[last] = [*place.get(last, []), self.value.value]
        else:
            place[last] = self.value
        assert planted != objects, self.name
        return planted


PROJECT = "example-credit-model"
POD = "spec template spec "
ONE = POD + "containers 0 "
MIRROR = {
    "type": "RequestMirror",
    "requestMirror": {"backendRef": {"name": "example-credit-model-canary", "port": 80}},
}
REWRITE = {"type": "URLRewrite", "urlRewrite": {"hostname": "a"}}
METRICS = {"path": {"type": "Exact", "value": "/metrics"}}
OPEN = {"backendRefs": [{"name": "example-credit-model", "port": 80, "weight": 100}]}
END = "spec endpoints 0 "
MATCHED = "spec selector "
SPACES = "spec namespaceSelector "
RULE = "spec groups 1 rules 0 "
PRIVILEGES = "containers 0 securityContext allowPrivilegeEscalation"
LABELS = "spec template metadata labels app.kubernetes.io/"
ENDED = "spec podFailurePolicy rules 0 "
WAITED = "spec metrics 0 provider job spec podFailurePolicy rules 0 action"
CRON = "spec jobTemplate spec template spec "


def serving(name: str, path: str, value: Any, ending: str = "") -> Fault:
    return Fault(name, "Deployment", ending, path, value)


def of(kind: str, ending: str, name: str, path: str, value: Any, bundle: str = "canary") -> Fault:
    return Fault(name, kind, ending, path, value, bundle)


def scraped(name: str, path: str, value: Any, says: str, kind: str = "ServiceMonitor") -> Fault:
    return Fault(name, kind, "", path, value, "monitoring", says)


DIGEST = "@sha256:" + "0" * 64
FAULTS = [
    serving("a tag instead of a digest", ONE + "image", "registry.example.com/credit:1"),
    serving("no tag at all", ONE + "image", "registry.example.com/credit"),
    serving("a tag in the canary", ONE + "image", "credit:latest", "-canary"),
    serving("a short digest", ONE + "image", "credit@sha256:0123"),
    serving("privileged", ONE + "securityContext privileged", True),
    serving("privileges may be raised", ONE + "securityContext allowPrivilegeEscalation", GONE),
    serving("a root that is written", ONE + "securityContext readOnlyRootFilesystem", False),
    serving("capabilities kept", ONE + "securityContext capabilities", GONE),
    serving("a capability added", ONE + "securityContext capabilities add", ["NET_ADMIN"]),
    serving("no security context", ONE + "securityContext", GONE),
    serving("root by the container", ONE + "securityContext runAsUser", 0),
    serving("root by the pod", POD + "securityContext runAsUser", 0),
    serving("nobody says non-root", POD + "securityContext runAsNonRoot", GONE),
    serving("no seccomp profile", POD + "securityContext seccompProfile", GONE),
    serving("unconfined", POD + "securityContext seccompProfile type", "Unconfined"),
    serving("the network of the host", POD + "hostNetwork", True),
    serving("the processes of the host", POD + "hostPID", True),
    serving("a port of the host", ONE + "ports 0 hostPort", 8000),
    serving("a folder of the host", POD + "volumes 0", {"name": "tmp", "hostPath": {"path": "/"}}),
    serving("a volume without limit", POD + "volumes 0 emptyDir", {}),
    serving("volumes above its disk", POD + "volumes 0 emptyDir sizeLimit", "256Mi"),
    serving("disk below its volumes", ONE + "resources limits ephemeral-storage", "320Mi"),
    serving("a volume that is not mounted", POD + "volumes", More({"name": "x", "emptyDir": {}})),
    serving("a mount without volume", ONE + "volumeMounts 0 name", "other"),
    serving("a folder by an unset variable", ONE + "env", []),
    serving("nowhere to write", ONE + "volumeMounts 0 mountPath", "/temp"),
    serving("a token", POD + "automountServiceAccountToken", True),
    serving("a token by default", POD + "automountServiceAccountToken", GONE),
    serving("the account of the driver", POD + "serviceAccountName", "default"),
    serving("an account that is not there", POD + "serviceAccountName", "someone"),
    serving("variables of other services", POD + "enableServiceLinks", GONE),
    serving("a secret in plain text", ONE + "env", More({"name": "API_TOKEN", "value": "abc"})),
    serving("no limits", ONE + "resources limits", GONE),
    serving("no requests", ONE + "resources requests", GONE),
    serving("no memory limit", ONE + "resources limits memory", GONE),
    serving("a request above its limit", ONE + "resources requests memory", "2Gi"),
    serving("memory in wrong units", ONE + "resources limits memory", "512 MB"),
    serving("no startup probe", ONE + "startupProbe", GONE),
    serving("no readiness probe", ONE + "readinessProbe", GONE),
    serving("no liveness probe", ONE + "livenessProbe", GONE),
    serving("a probe of one second", ONE + "livenessProbe timeoutSeconds", GONE),
    serving("liveness = readiness", ONE + "livenessProbe httpGet path", "/ready"),
    serving("liveness quicker than readiness", ONE + "livenessProbe failureThreshold", 1),
    serving("readiness that is only alive", ONE + "readinessProbe httpGet path", "/health"),
    serving("a probe of a port that is not there", ONE + "readinessProbe httpGet port", "web"),
    serving("a probe of a command", ONE + "readinessProbe", {"exec": {}, "timeoutSeconds": 3}),
    serving("no time to load", ONE + "startupProbe failureThreshold", 3),
    serving("a misspelt probe", ONE + "readynessProbe", {"httpGet": {"path": "/", "port": 1}}),
    serving("killed before the last answer", POD + "terminationGracePeriodSeconds", 10),
    serving("the default grace", POD + "terminationGracePeriodSeconds", GONE),
    serving("pods taken before others are ready", "spec strategy rollingUpdate maxUnavailable", 1),
    serving("everything at once", "spec strategy", {"type": "Recreate"}),
    serving("an update without deadline", "spec progressDeadlineSeconds", GONE),
    serving("all on one node", POD + "topologySpreadConstraints", GONE),
    serving("spread of nothing", POD + "topologySpreadConstraints 0 labelSelector", GONE),
    serving("a selector that fits nothing", "spec selector matchLabels track", "other"),
    serving("a selector of both tracks", "spec selector matchLabels", {"track": "canary"}),
    serving("a selector by model", "spec selector matchLabels model", "1" * 16),
    serving("pods of the other track", "spec template metadata labels track", "canary"),
    serving("another model than said", "spec template metadata labels model", "0" * 16),
    serving("no lineage", "spec template metadata annotations", {}),
    serving("no verdict", "spec template metadata annotations verdict", GONE),
    serving("a model that is a number", "spec template metadata labels model", 1234567890123456),
    serving("replicas against the autoscaler", "spec replicas", 3),
    serving("replicas as text", "spec replicas", "3", "-canary"),
    serving("a canary with more memory", ONE + "resources limits memory", "2Gi", "-canary"),
    serving("a canary with other settings", ONE + "envFrom", [], "-canary"),
    serving("a canary with one more container", POD + "containers", More({}), "-canary"),
    serving("the port as text", ONE + "ports 0 containerPort", "8000"),
    serving("the wrong group", "apiVersion", "extensions/v1beta1"),
    serving("an unknown key", "spec replica", 2),
    serving("another namespace", "metadata namespace", "default"),
    serving("an absent ConfigMap", ONE + "envFrom 0 configMapRef name", "settings"),
    serving("a Secret that must be there", ONE + "envFrom", More({"secretRef": {"name": "x"}})),
    of("ConfigMap", "-limits", "an unknown setting", "data SERVE_SPEED", "11"),
    of("ConfigMap", "-limits", "a setting that is no text", "data SERVE_MAX_ROWS", 100),
    of("ConfigMap", "-limits", "a stop without drain", "data SERVE_DRAIN_SECONDS", GONE),
    of("ConfigMap", "-limits", "a drain longer than the grace", "data SERVE_DRAIN_SECONDS", "60"),
    of("Service", "", "a port that is not there", "spec ports 0 targetPort", "web"),
    of("Service", "", "a service of both tracks", "spec selector track", GONE),
    of("Service", "", "a service of nobody", "spec selector track", "green"),
    of("Service", "-canary", "a canary service of stable", "spec selector name", "other"),
    of("Service", "", "open beside the gateway", "spec type", "LoadBalancer"),
    of("Service", "", "the port of a service as text", "spec ports 0 port", "http"),
    of("Service", "-canary", "another name", "metadata name", "tried"),
    of("ServiceAccount", "", "a token for all", "automountServiceAccountToken", GONE),
    of("Namespace", "-staging", "privileged pods allowed", "metadata labels", {}),
    of("PodDisruptionBudget", "", "nodes that cannot be drained", "spec maxUnavailable", 0),
    of("PodDisruptionBudget", "", "every pod at once", "spec maxUnavailable", "100%"),
    of("PodDisruptionBudget", "", "a budget of all", "spec minAvailable", 2),
    of("PodDisruptionBudget", "", "a budget of nobody", "spec selector matchLabels track", "x"),
    of("PodDisruptionBudget", "-canary", "all of a canary", "spec selector matchLabels track", "x"),
    of(
        "PodDisruptionBudget",
        "-canary",
        "stable twice",
        "spec selector matchLabels track",
        "stable",
    ),
    of("HorizontalPodAutoscaler", "-canary", "stable twice", "spec scaleTargetRef name", PROJECT),
    of("PodDisruptionBudget", "", "an API that is gone", "apiVersion", "policy/v1beta1"),
    of("HorizontalPodAutoscaler", "", "scales another", "spec scaleTargetRef name", "other"),
    of("HorizontalPodAutoscaler", "", "one pod", "spec minReplicas", 1),
    of("HorizontalPodAutoscaler", "", "more than the most", "spec minReplicas", 9),
    of("HorizontalPodAutoscaler", "", "scales on nothing", "spec metrics", []),
    of("HorizontalPodAutoscaler", "", "an old API", "apiVersion", "autoscaling/v2beta2"),
    of("NetworkPolicy", "-deny", "nothing denied", "spec policyTypes", ["Ingress"]),
    of("NetworkPolicy", "-deny", "some denied", "spec podSelector", {"matchLabels": {"a": "b"}}),
    of("NetworkPolicy", "-service", "open to all", "spec ingress 0 from", GONE),
    of("NetworkPolicy", "-service", "every port", "spec ingress 0 ports", GONE),
    of(
        "NetworkPolicy",
        "-service",
        "every namespace",
        "spec ingress 0 from 0",
        {"namespaceSelector": {}},
    ),
    of(
        "NetworkPolicy",
        "-service",
        "every address",
        "spec ingress 0 from 0",
        {"ipBlock": {"cidr": "0.0.0.0/0"}},
    ),
    of(
        "NetworkPolicy",
        "-service",
        "a port that is not there",
        "spec ingress 0 ports 0 port",
        "web",
    ),
    of(
        "NetworkPolicy",
        "-service",
        "the service calls others",
        "spec egress",
        [{"to": [{"podSelector": {}}], "ports": [{"port": 1}]}],
    ),
    of(
        "NetworkPolicy",
        "-work",
        "credentials of the cloud",
        "spec egress 1 to 0 ipBlock except",
        GONE,
    ),
    of(
        "NetworkPolicy",
        "-work",
        "credentials of the cloud over IPv6",
        "spec egress 1 to 1 ipBlock except",
        ["fe80::/10"],
    ),
    of("NetworkPolicy", "-work", "no IPv6", "spec egress 1 to 1", GONE),
    of("NetworkPolicy", "-work", "no IPv4", "spec egress 1 to 0", GONE),
    of("NetworkPolicy", "-work", "jobs to every port", "spec egress 1 ports", GONE),
    of("NetworkPolicy", "-work", "no way to the Pushgateway", "spec egress 1 ports 4 port", 9092),
    of("Role", "-rollout", "everything", "rules 0 verbs", ["*"]),
    of("Role", "-rollout", "every route", "rules 0 resourceNames", GONE),
    of("Role", "-rollout", "a route that is not there", "rules 0 resourceNames", ["other"]),
    of("Role", "-rollout", "secrets", "rules 3 resources", ["pods", "secrets"]),
    of("Role", "-rollout", "it may delete", "rules 0 verbs", ["get", "patch", "delete"]),
    of("Role", "-rollout", "it may run any image", "rules 1 verbs", ["get", "patch"]),
    of(
        "Role",
        "-rollout",
        "an analysis that moves shares",
        "rules 0 verbs",
        ["get", "patch"],
        "argo",
    ),
    of("RoleBinding", "-rollout", "rights for all", "subjects 0 name", "default"),
    of("RoleBinding", "-rollout", "a role that is not there", "roleRef name", "other"),
    of("RoleBinding", "-rollout", "rights everywhere", "kind", "ClusterRoleBinding"),
    of("HTTPRoute", "", "weights below 100", "spec rules 0 backendRefs 0 weight", 90),
    of("HTTPRoute", "", "a weight that is missing", "spec rules 0 backendRefs 1 weight", GONE),
    of(
        "HTTPRoute",
        "",
        "the canary begins",
        "spec rules 0 backendRefs",
        [
            {"name": "example-credit-model", "port": 80, "weight": 95},
            {"name": "example-credit-model-canary", "port": 80, "weight": 5},
        ],
    ),
    of(
        "HTTPRoute",
        "",
        "a service that is not there",
        "spec rules 0 backendRefs 1 name",
        "x-canary",
    ),
    of("HTTPRoute", "", "a port that is not offered", "spec rules 0 backendRefs 0 port", 8000),
    of("HTTPRoute", "", "a weight as text", "spec rules 0 backendRefs 0 weight", "100"),
    of("HTTPRoute", "", "a port as text", "spec rules 0 backendRefs 0 port", "80"),
    of("HTTPRoute", "", "no gateway", "spec parentRefs", GONE),
    of("HTTPRoute", "", "every path is public", "spec rules 0 matches", GONE),
    of("HTTPRoute", "", "no path of its own", "spec rules 0 matches", [{"method": "POST"}]),
    of("HTTPRoute", "", "metrics are public", "spec rules 0 matches 0 path value", "/metrics"),
    of(
        "HTTPRoute",
        "",
        "what begins so is public",
        "spec rules 0 matches 0 path type",
        "PathPrefix",
    ),
    of("HTTPRoute", "", "a second path", "spec rules 0 matches", More(METRICS)),
    of("HTTPRoute", "", "a second rule", "spec rules", More(OPEN)),
    of("HTTPRoute", "", "rules of the wrong type", "spec rules", {}),
    of("HTTPRoute", "", "an old API of routes", "apiVersion", "gateway.networking.k8s.io/v1alpha9"),
    of("HTTPRoute", "", "a kind that is not there", "kind", "HttpRoute"),
    of("HTTPRoute", "", "a mirror before the rollout", "spec rules 0 filters", [MIRROR], "shadow"),
    of("HTTPRoute", "", "another path", "spec rules 0 filters", [REWRITE]),
    of("HTTPRoute", "", "a filter of the wrong type", "spec rules 0 filters", [{"type": 7}]),
    of("Rollout", "", "another workload", "spec workloadRef name", "other", "argo"),
    of(
        "Rollout",
        "",
        "a service that is not there",
        "spec strategy canary canaryService",
        "x",
        "argo",
    ),
    of(
        "Rollout",
        "",
        "a weight that is not judged",
        "spec strategy canary steps 1",
        {"pause": {}},
        "argo",
    ),
    of("Rollout", "", "a weight as text", "spec strategy canary steps 0 setWeight", "5", "argo"),
    of("Rollout", "", "weights that go down", "spec strategy canary steps 2 setWeight", 1, "argo"),
    of(
        "Rollout",
        "",
        "a judge that is not there",
        "spec strategy canary steps 1 analysis templates 0 templateName",
        "x",
        "argo",
    ),
    of(
        "Rollout",
        "",
        "tracks that are not told apart",
        "spec strategy canary canaryMetadata labels track",
        "stable",
        "argo",
    ),
    of("Service", "-canary", "a service of no pods of Argo", "spec selector track", "x", "argo"),
    of("Rollout", "", "a deadline as text", "spec progressDeadlineSeconds", "600", "argo"),
    of(
        "AnalysisTemplate",
        "-decide",
        "a failure let through",
        "spec metrics 0 failureLimit",
        3,
        "argo",
    ),
    of("AnalysisTemplate", "-decide", "metrics of the wrong type", "spec metrics", {}, "argo"),
    of("CronJob", "-monitor", "runs that overlap", "spec concurrencyPolicy", "Allow", "monitor"),
    of(
        "CronJob",
        "-monitor",
        "no end",
        "spec jobTemplate spec activeDeadlineSeconds",
        GONE,
        "monitor",
    ),
    of("CronJob", "-monitor", "a month without a look", "spec schedule", "17 3 1 * *", "monitor"),
    of("CronJob", "-monitor", "late by days", "spec startingDeadlineSeconds", 360_000, "monitor"),
    of("CronJob", "-monitor", "no failed one is kept", "spec failedJobsHistoryLimit", 0, "monitor"),
    of("CronJob", "-monitor", "asked again", "spec jobTemplate spec backoffLimit", 6, "monitor"),
    of("Job", "-train", "training of a minute", "spec activeDeadlineSeconds", 60, "train"),
    of("Job", "-train", "gone at once", "spec ttlSecondsAfterFinished", 0, "train"),
    of("Job", "-train", "trained over and over", "spec backoffLimit", 99, "train"),
    of("Job", "-rollout", "a driver that nobody replaces", "spec backoffLimit", 0, "rollout"),
    of("Job", "-rollout", "tried again after an abort", "spec podFailurePolicy", GONE, "rollout"),
    of("Job", "-rollout", "another code", ENDED + "onExitCodes values", [1], "rollout"),
    of("Job", "-rollout", "an abort that counts for nothing", ENDED + "action", "Count", "rollout"),
    of("AnalysisTemplate", "-decide", "too little data is a failure", WAITED, "FailJob", "argo"),
    of("CronJob", "-monitor", "a schedule of four", "spec schedule", "17 3 * *", "monitor"),
    of("CronJob", "-monitor", "a tag in a job", CRON + "containers 0 image", "work:1", "monitor"),
    of(
        "CronJob",
        "-monitor",
        "a volume that is not there",
        CRON + "volumes 2 persistentVolumeClaim claimName",
        "x",
        "monitor",
    ),
    of(
        "CronJob",
        "-monitor",
        "a token in a job",
        CRON + "automountServiceAccountToken",
        True,
        "monitor",
    ),
    of(
        "CronJob",
        "-monitor",
        "a Secret that must be there",
        CRON + "containers 0 envFrom 0 secretRef optional",
        GONE,
        "monitor",
    ),
    of(
        "Job",
        "-rollout",
        "a driver without token",
        POD + "automountServiceAccountToken",
        False,
        "rollout",
    ),
    of("Job", "-rollout", "a driver as root", POD + "securityContext", GONE, "rollout"),
    of("Job", "-train", "training without limits", ONE + "resources limits", GONE, "train"),
    of("Job", "-train", "training that starts again", POD + "restartPolicy", "OnFailure", "train"),
    of(
        "Job",
        "-train",
        "training that stays for ever",
        "spec ttlSecondsAfterFinished",
        GONE,
        "train",
    ),
    scraped("a port nobody offers", END + "port", "metrics", "has no port metrics"),
    scraped("the port has another name", "spec ports 0 name", "web", "no port http", "Service"),
    scraped("another path", END + "path", "/stats", "/metrics is at another path"),
    scraped("a path as a number", END + "path", 1, "path"),
    scraped("endpoints of the wrong type", "spec endpoints", {}, "endpoints"),
    scraped("no endpoint", "spec endpoints", [], "scrapes nothing"),
    scraped("an answer later than the next", END + "scrapeTimeout", "30s", "scrapeTimeout 30s"),
    scraped("labels nobody has", MATCHED + "matchLabels tier", "web", "does not choose Service"),
    scraped("every Service", MATCHED + "matchLabels", {}, "chooses every Service"),
    scraped("a Service without labels", "metadata labels", {}, "does not choose", "Service"),
    scraped("another namespace", SPACES + "matchNames", ["default"], "does not look into"),
    scraped("every namespace", SPACES[:-1], {"any": True}, "looks into every namespace"),
    scraped("a job by another label", "spec jobLabel", "app", "job None"),
    scraped(
        "a job with another name",
        "spec jobLabel",
        "app.kubernetes.io/component",
        "job service, and its rules ask for example-credit-model",
    ),
    scraped("tracks not told apart", "spec podTargetLabels", [], "does not keep the label track"),
    scraped("a label no pod has", "spec podTargetLabels", ["track", "tier"], "have no tier"),
    scraped("groups of the wrong type", "spec groups", "a", "groups", "PrometheusRule"),
    scraped("a rule for as a number", RULE + "for", 5, "for", "PrometheusRule"),
    scraped("a kind of no operator", "kind", "ServiceWatch", "there is no ServiceWatch"),
    Fault(
        "a right over the cluster",
        "",
        "",
        "",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "all"},
            "rules": [],
        },
    ),
    Fault(
        "a secret in git",
        "",
        "",
        "",
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s", "namespace": "example-credit-model-staging"},
            "stringData": {"a": "b"},
        },
    ),
    Fault(
        "an object in no namespace",
        "",
        "",
        "",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s"}},
    ),
    Fault(
        "a second route",
        "",
        "",
        "",
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "more", "namespace": "example-credit-model-staging"},
            "spec": {},
        },
    ),
]

JOB = "spec metrics 0 provider job spec template spec "
DRIFTED = [  # planted into the pod of one workload that runs jobs; the others stay
    of("Job", "-train", "another user", POD + "securityContext runAsUser", 10002, "train"),
    of("Job", "-rollout", "another group", POD + "securityContext fsGroup", 10002, "rollout"),
    of("CronJob", "-monitor", "more disk", CRON + "volumes 0 emptyDir sizeLimit", "8Gi", "monitor"),
    of("CronJob", "-monitor", "restarted", CRON + "restartPolicy", "OnFailure", "monitor"),
    of("Job", "-train", "another folder", ONE + "volumeMounts 0 mountPath", "/work", "train"),
    of("Job", "-rollout", "pulled each time", ONE + "imagePullPolicy", "Always", "rollout"),
    of("AnalysisTemplate", "-decide", "links", JOB + "enableServiceLinks", True, "argo"),
    of("AnalysisTemplate", "-decide", "more rights", JOB + PRIVILEGES, True, "argo"),
    of("Job", "-train", "no policy lets it out", LABELS + "component", "train", "train"),
    of("Job", "-rollout", "a container of its own", POD + "initContainers", [], "rollout"),
]
