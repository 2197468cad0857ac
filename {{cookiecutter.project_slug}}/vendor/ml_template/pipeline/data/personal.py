"""Personal data and spreadsheet formulas in texts, found by their form.

Found: e-mail addresses, phone numbers, payment cards (Luhn), IBANs (ISO 13616), US social security
numbers, IP addresses. Not found: names, places of birth and whatever has no form of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

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


FORMS = {
    "an e-mail address": re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)*\.[A-Za-z]{2,}"),
    "a phone number": re.compile(
        r"(?<![\w+])(\+\d{1,3}[ .-]?(\(?\d{2,4}\)?[ .-]?){2,4}\d{2,4}"
        r"|\(\d{3}\) ?\d{3}-\d{4}|\d{3}[ .-]\d{3}[ .-]\d{4})(?!\w)"
    ),
    "a payment card number": re.compile(r"(?<![\w-])(\d{4}[ -]?){3}\d{1,7}(?![\w-])"),
    "an IBAN": re.compile(r"(?<!\w)[A-Z]{2}\d{2} ?([A-Z0-9]{4} ?){2,7}[A-Z0-9]{1,4}(?!\w)"),
    "a social security number": re.compile(
        r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])"
    ),
    "an IP address": re.compile(
        r"(?<![\d.])((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.])"
    ),
    "a formula": re.compile(r"^\s*[=+@-]\s*([A-Za-z_][\w.]*)?\s*[(|!]"),
}
PROOFS = {"a payment card number": _luhn, "an IBAN": _iban}  # of others the form is enough


def findings(values: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    """(check, what was found, its rows as booleans (n,)) for object `values` (n,)."""
    different = list({value for value in values.tolist() if value is not None})[:ENOUGH]
    for what, form in FORMS.items():
        proves = PROOFS.get(what, bool)
        found = {v for v in different if (hit := form.search(v)) and proves(hit.group())}
        if found:
            check = "formula" if what == "a formula" else "personal_data"
            yield check, what, np.array([value in found for value in values.tolist()])
