"""Columns that say which rows are of the same person or thing, by their names and values."""

from __future__ import annotations

import re

import numpy as np

from ..data.wording import IDENTIFIER, underscored
from .texts import Texts

FEWEST = 10  # groups: fewer cannot be held out whole and still be like the others
MANY = 50  # more different values than anyone lists are names of something

_SUBJECTS = (
    "subject|patient(en|in)?|paciente|paziente|pasient|participant|proband(en)?|respondent|"
    "speaker|case_?person|candidate"
)
_PEOPLE = (
    "customer|client|cliente?|kunde(n)?|klant|kund|user|utilisateur|usuario|utente|member|"
    "mitglied(er)?|household|haushalt|hogar|foyer|menage|person(en)?|persona|personne|student|"
    "pupil|schueler|schüler|employee|mitarbeiter|empleado|employe|borrower|donor|driver|fahrer|"
    "player|spieler|visitor|passenger|subscriber|family|familie|famille|author|rider|session|"
    "sitzung|versicherte[rn]?"
)
_THINGS = (
    "account|konto|cuenta|compte|device|gerät|geraet|machine|maschine|vehicle|fahrzeug|engine|"
    "unit|policy|contract|vertrag(s)?|animal|tier|sensor|card|karte(n)?|owner|company|firma"
)
_END = r"(_?(id|ids|nr|no|num|number|nummer|key|code|uuid|guid|hash|ref|kennung|codigo|código|#))"
_START = r"((id|numero|número|numéro|nummer|uuid|codigo|código|code)_?(de_|der_|du_|des_)?)"
_SUBJECT = re.compile(f"({_SUBJECTS})#?", re.IGNORECASE)
_ALONE = re.compile(f"({_SUBJECTS}|{_PEOPLE})#?", re.IGNORECASE)  # not: revenue_per_customer
_BARE = re.compile(f"(.*_)?({_SUBJECTS}|{_PEOPLE})#?", re.IGNORECASE)
_ANY = f"({_SUBJECTS}|{_PEOPLE}|{_THINGS})"
_NUMBERED = re.compile(f"id|(.*_)?{_ANY}{_END}|{_START}{_ANY}", re.IGNORECASE)
_COUNTED = re.compile(
    r"(^|_)(nr|no|num|number|row|rownum|rowid|record|index|idx|serial)$|^(row|index|record)(_|$)",
    re.IGNORECASE,
)


def is_named(name: str) -> bool:
    """Whether a column of that name holds the numbers of people or things: PatientID, kunde_nr."""
    return _NUMBERED.fullmatch(underscored(name)) is not None


def is_group(name: str, texts: Texts, numeric: bool) -> bool:
    """Whether the values of the column `name` say only which rows belong together."""
    different, plain = len(texts.values), underscored(name)
    bare = (_ALONE if numeric else _BARE).fullmatch(plain) is not None
    if different > MANY and (IDENTIFIER.search(plain) or bare):
        return True
    if different < FEWEST:
        return False
    if is_named(name) or (numeric and _SUBJECT.fullmatch(plain)):
        return True
    digits = [any(sign.isdigit() for sign in value) for value in texts.values]
    return bare and not numeric and bool(np.mean(digits) > 0.9)


def rank(name: str) -> int:
    """0 for people, who are strangers when the model is used; 1 for things; 2 for a mere number.

    A number (`rooms_no`) may be an amount: nothing is split by it unless a person says so.
    """
    plain = underscored(name)
    if _BARE.fullmatch(re.sub(f"{_END}$|^{_START}", "", plain, flags=re.IGNORECASE)):
        return 0
    return 1 if is_named(name) or not _COUNTED.search(plain) else 2
