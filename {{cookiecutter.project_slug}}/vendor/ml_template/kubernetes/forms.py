"""What is read of the answers of a cluster, by kind: whatever has another form is no answer."""

from __future__ import annotations

from typing import Any

_NOTES = {str: str}
_TOLD = {"labels?": _NOTES, "annotations?": _NOTES, "deletionTimestamp?": str}
_CONTAINERS = {"containers": ({"image": str},)}
_CONDITION: dict[str, Any] = {"type": str, "status": str, "reason?": str, "message?": str}
_CONDITION |= {"observedGeneration?": int}
_WHY = {"reason?": str, "message?": str}
_FILTER = {"type?": str, "requestMirror?": {"backendRef": {"name": str, "port?": int}}}
_COUNTS = ("observedGeneration", "replicas", "updatedReplicas", "availableReplicas")
# what is read of an object: text or a number, a list (a tuple: of at least one), a map; a key with
# `?` may be absent or null
FORMS: dict[str, Any] = {
    "config": {  # of kubectl
        "current-context?": str,
        "contexts?": [{"name": str, "context": {"cluster?": str}}],
        "clusters?": [{"name": str, "cluster": {"server?": str}}],
    },
    "deployment": {
        "metadata": _TOLD | {"name": str, "generation?": int},
        "spec": {
            "replicas?": int,
            "selector?": {"matchLabels?": _NOTES},
            "template": {"metadata?": _TOLD, "spec": _CONTAINERS},
        },
        "status?": {f"{name}?": int for name in (*_COUNTS, "readyReplicas")}
        | {"conditions?": [{"type": str, "status": str, "message?": str}]},
    },
    "httproute": {
        "metadata": {"resourceVersion": str, "annotations?": _NOTES, "generation?": int},
        "spec": {
            "rules": ({"backendRefs?": [{"name": str, "weight?": int}], "filters?": [_FILTER]},),
        },
        "status?": {"parents?": [{"conditions?": [_CONDITION]}]},
    },
    "httproutes": {
        "items": [
            {
                "metadata": {"name": str, "namespace": str},
                "spec": {
                    "parentRefs?": [{"name": str, "namespace?": str, "sectionName?": str}],
                    "hostnames?": [str],
                    "rules?": [{"matches?": [{"path?": {"type?": str, "value?": str}}]}],
                },
            }
        ]
    },
    "pods": {
        "items": [
            {
                "metadata": _TOLD | {"name": str, "creationTimestamp?": str},
                "spec?": _CONTAINERS,
                "status?": {
                    "conditions?": [{"type": str, "status": str, "message?": str}],
                    "containerStatuses?": [{"restartCount?": int, "state?": {"waiting?": _WHY}}],
                },
            }
        ]
    },
    "ready": {"model": str},  # of a pod
}
