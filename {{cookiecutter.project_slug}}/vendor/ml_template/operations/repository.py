"""What the workflows rely on at GitHub: whether the repository is set up so (docs/github.md)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

from ..outside import web
from ..settings.config import InputError

WORKFLOWS = Path(".github/workflows")
CHECKS = ("check", "model")
TOKENS = ("MLFLOW_TRACKING_TOKEN", "REGISTRY_PASSWORD", "JENKINS_TOKEN")
CLOUDS = {"AWS_ROLE", "GCP_PROVIDER", "AZURE_CLIENT"}
CLAIMS = {"repo", "context", "ref"}
RULES = {
    "pull_request": "a review",
    "non_fast_forward": "no forced push",
    "deletion": "no deletion",
}
Line = tuple[bool, str, str]


def lines() -> list[Line]:
    """One for each setting that can be read: whether it is so, of what, and what is so or missing.

    Asks the API of GITHUB_REPOSITORY with GITHUB_TOKEN. Raises InputError without both, and where
    the API does not answer as it should: the token may not read it, or there is no such repository.
    """
    if not (os.environ.get("GITHUB_REPOSITORY") and os.environ.get("GITHUB_TOKEN")):
        raise InputError(
            "doctor: ASK=github needs GITHUB_REPOSITORY=org/name and GITHUB_TOKEN (gh auth token)"
        )
    try:
        return [*_main(), *_environments(), *_secrets(), *_subjects()]
    except (LookupError, TypeError, AttributeError) as error:
        raise InputError(f"doctor: GitHub answers in another form: {error!r}") from None


def _main() -> Iterator[Line]:
    rules: dict[str, Any] = {}
    for rule in _ask("rules/branches/main"):
        rules.setdefault(rule["type"], []).append(rule.get("parameters") or {})
    for kind, what in RULES.items():
        yield kind in rules, "main", f"{what}: rule {kind}"
    asked = {
        check["context"]
        for parameters in rules.get("required_status_checks", [])
        for check in parameters["required_status_checks"]
    }
    for name in CHECKS:
        yield name in asked, "main", f"required check {name}"
    reviews = rules.get("pull_request", [])
    if Path(".github/CODEOWNERS").exists():
        owners = any(found.get("require_code_owner_review") for found in reviews)
        yield owners, "main", "a review by the owners of .github/CODEOWNERS"


def _environments() -> Iterator[Line]:
    answer = _ask("environments?per_page=100")["environments"]
    known = {each["name"]: each for each in answer}
    texts = [path.read_text(encoding="utf-8") for path in sorted(WORKFLOWS.glob("*.yml"))]
    for name in sorted(set(re.findall(r"^ +environment: ([a-z]+)", "\n".join(texts), re.M))):
        found = known.get(name)
        yield found is not None, name, f"environment {name}"
        if found is None:
            continue
        policy = found.get("deployment_branch_policy") or {}
        branches = {"a protected one"} if policy.get("protected_branches") else set()
        if policy.get("custom_branch_policies"):
            allowed = _ask(f"environments/{name}/deployment-branch-policies")["branch_policies"]
            branches = {each["name"] for each in allowed}
        said = f"only main may use it: {', '.join(sorted(branches)) or 'every branch'} may"
        yield branches == {"main"}, name, said
        if name == "production":
            rules = [rule for rule in found["protection_rules"] if rule.get("reviewers")]
            yield bool(rules), name, "required reviewers"
            apart = bool(rules) and all(rule.get("prevent_self_review") for rule in rules)
            yield apart, name, "prevent self-review: whoever starts may not approve"


def _secrets() -> Iterator[Line]:
    names = {each["name"] for each in _ask("actions/secrets?per_page=100")["secrets"]}
    for name in TOKENS:
        where = (
            "of the repository: move it to its environments" if name in names else "of none else"
        )
        yield name not in names, "secrets", f"{name} is a secret {where}"


def _subjects() -> Iterator[Line]:
    names = {each["name"] for each in _ask("actions/variables?per_page=30")["variables"]}
    found = _ask("actions/oidc/customization/sub")
    claims = set(found.get("include_claim_keys") or ())
    if names & CLOUDS:
        named = not found.get("use_default") and claims >= CLAIMS
        yield named, "cloud", f"the subject of a login names {', '.join(sorted(CLAIMS))}"


def _ask(path: str) -> Any:
    try:
        return web.ask_github(path)
    except (OSError, ValueError, HTTPException) as error:
        what = path.partition("?")[0]
        raise InputError(f"doctor: GitHub does not tell {what}: {error}") from None
