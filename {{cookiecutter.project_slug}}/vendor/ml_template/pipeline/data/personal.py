"""Personal data and spreadsheet formulas in texts, found by their form.

Found: e-mail addresses, phone numbers, payment cards (Luhn), IBANs (ISO 13616), US social security
numbers, IP addresses. Not found: names, places of birth and whatever has no form of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np

ENOUGH = 100_000  # different texts of a column that are looked at


def _luhn(text: str) -> bool:
    digits = [int(sign) for sign in text if sign.isdigit()][::-1]
    total = sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return len(set(digits)) > 1 and total % 10 == 0


def _iban(text: str) -> bool:
    plain = text.replace(" ", "")
    turned = plain[4:] + plain[:4]
    return int("".join(str(int(sign, 36)) for sign in turned)) % 97 == 1


def _always(text: str) -> bool:
    return True


FORMS: dict[str, tuple[str, re.Pattern[str], Callable[[str], bool]]] = {
    "an e-mail address": (
        "personal_data",
        re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)*\.[A-Za-z]{2,}"),
        _always,
    ),
    "a phone number": (
        "personal_data",
        re.compile(r"(?<![\w+])(\+\d{1,3}[ .-]?(\(?\d{2,4}\)?[ .-]?){2,4}\d{2,4}"
                   r"|\(\d{3}\) ?\d{3}-\d{4}|\d{3}[ .-]\d{3}[ .-]\d{4})(?!\w)"),
        _always,
    ),
    "a payment card number": (
        "personal_data",
        re.compile(r"(?<!\d)(\d{4}[ -]?){3}\d{1,7}(?!\d)"),
        _luhn,
    ),
    "an IBAN": (
        "personal_data",
        re.compile(r"(?<!\w)[A-Z]{2}\d{2} ?([A-Z0-9]{4} ?){2,7}[A-Z0-9]{1,4}(?!\w)"),
        _iban,
    ),
    "a social security number": (
        "personal_data",
        re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])"),
        _always,
    ),
    "an IP address": (
        "personal_data",
        re.compile(r"(?<![\d.])((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.])"),
        _always,
    ),
    "a formula": (
        "formula",
        re.compile(r"^\s*[=+@-]\s*([A-Za-z_][\w.]*)?\s*[(|!]"),
        _always,
    ),
}  # fmt: skip


def findings(values: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    """(check, what was found, its rows as booleans (n,)) for object `values` (n,)."""
    different = list({value for value in values.tolist() if value is not None})[:ENOUGH]
    for what, (check, form, proves) in FORMS.items():
        found = {v for v in different if (hit := form.search(v)) and proves(hit.group())}
        if found:
            yield check, what, np.array([value in found for value in values.tolist()])
