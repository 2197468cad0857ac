"""What words in a table usually say: missing markers, names of columns, forms of dates."""

from __future__ import annotations

import re

# no category is called so
SURE_MISSING = frozenset(
    ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "?", "n/a", "#N/A", "#N/A N/A", "<NA>", "NaT",
     "\\N", "(null)", "-NaN", "-nan", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!")
)  # fmt: skip
# a marker only where everything else in the column is a number or a time
LIKELY_MISSING = frozenset(
    ("-", "--", "---", ".", "..", "...", "*", "**", "x", "X", "na", "none", "None", "NONE", "nil",
     "Null", "missing", "Missing", "MISSING", "unknown", "Unknown", "UNKNOWN", "not available",
     "n.a.", "inf", "-inf", "Inf", "-Inf", "Infinity", "-Infinity", "tbd", "TBD", "undefined")
)  # fmt: skip

IDENTIFIER = re.compile(
    r"(^|[\s_.\-])(id|ids|uuid|guid|key|pk|nr|no|num|number|index|idx|row|rownum|rowid|record|hash|"
    r"ssn|iban|serial)$|^(id|row|index|record)([\s_.\-]|$)|[a-z](Id|ID|Nr|No|Key|UUID)$|level_\d+__$",
    re.IGNORECASE,
)
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
CODE = re.compile(
    r"(^|[\s_.\-])(code|codes|type|category|cat|zip|zipcode|postcode|postal|region|zone|district|"
    r"status|kind|cluster|department|dept|id)$", re.IGNORECASE
)  # fmt: skip
PERSON = re.compile(
    r"^((first|last|full|middle|family|given|sur|customer|client|person|user)[\s_.\-]?)?name$|"
    r"e-?mail|phone|mobile|address|passport|^ssn$|^iban$", re.IGNORECASE
)  # fmt: skip
TIME = re.compile(r"date|time|day|year|month|stamp|(^|_)(dt|ts|at|on)$", re.IGNORECASE)
SPLIT_NAME = re.compile(
    r"^_*(is_?)?(test|train|training|holdout|hold_out|validation|val)_*(set|flag|mark|split|fold)$|"
    r"^_*is_?(test|train|training|holdout|validation|val)$|"
    r"^_*(data)?_?split(_?(id|no|set|name|mark|type))?$|^_*(k_?|cv_?)?folds?(_?(id|no|nr|num|number))?$|"
    r"^_+(test|train|set|partition)$|^partition$", re.IGNORECASE
)  # fmt: skip
SPLIT_WORDS = frozenset(
    ("train", "training", "test", "testing", "val", "valid", "validation", "dev", "holdout",
     "hold-out", "eval", "predict", "unlabeled")
)  # fmt: skip
# a number with a sign, a currency or a unit: "1,234", "$5", "USD 12.50", "7 %", "48 kg"; not "C83"
DRESSED = re.compile(
    r"^([^\w\s]{0,3}|[A-Za-z]{1,3}\.?\s)[+-]?\s?\d{1,3}"
    r"([ ,.'’\u00a0\u2009\u202f]?\d{3})*([.,]\d+)?\s?([^\W\d]{0,10}|[^\w\s]{0,3})\.?$"
)
DAYS = (
    "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d", "%Y-%m-%d",
    "%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%d/%m/%y",
    "%m/%d/%y", "%d.%m.%y", "%d-%b-%y", "%a, %d %b %Y", "%Y%m%d",
    "%a %b %d %Y", "%A, %d %B %Y", "%d%b%Y", "%d/%b/%Y",
)  # fmt: skip
CLOCKS = (
    "", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %H:%M:%S %z",
    ", %H:%M", ", %H:%M:%S", ", %I:%M %p", ", %I:%M:%S %p", " %I:%M%p", " %I:%M:%S%p", " %Hh%M",
    " %H:%M UTC", " %H:%M:%S UTC", " %H:%M:%S GMT", ":%H:%M:%S", ":%H:%M:%S %z",
)  # fmt: skip
ONLY_CLOCKS = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p")
MONTHS = ("%Y-%m", "%Y/%m", "%m/%Y", "%b-%Y", "%b %Y", "%B %Y", "%b-%y", "%a %b %d %H:%M:%S %Y")
INDEX = re.compile(r"__index_level_\d+__")  # what pandas calls an index without a name
FORMATS = (None, *(day + clock for day in DAYS for clock in CLOCKS), *MONTHS, *ONLY_CLOCKS)
