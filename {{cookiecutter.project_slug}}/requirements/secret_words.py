"""What detect-secrets does not know by itself: a secret as an option, a header or a bare value."""

import re

from detect_secrets.plugins.base import RegexBasedDetector

_NAME = r"(?i:[\w-]*(?:token|password|passwd|secret|api[-_]?key))"
_MIXED = r"(?=[^\s'\"]*(?:[a-z\d][A-Z]|[A-Z][a-z\d]))[\w+/=-]{16,}"
_PLAIN = r"(?=[a-z]*\d)[a-z\d]{20,}"
_VALUE = rf"({_MIXED}|{_PLAIN})(?![\w.(\[])"


class SecretWords(RegexBasedDetector):  # type: ignore[misc]  # it ships no types
    """`--token x`, `Bearer x`, `PASSWORD := x`, `password='x'`; named in .secrets.baseline."""

    secret_type = "Named value"  # noqa: S105 - it is none  # pragma: allowlist secret
    denylist = (re.compile(rf"(?:--{_NAME}[ =]|[Bb]earer |{_NAME}\s*:?=\s*['\"]?){_VALUE}"),)
