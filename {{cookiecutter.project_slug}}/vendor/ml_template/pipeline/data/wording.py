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
     "n.a.", "N.A.", "k.A.", "–", "—", "inf", "-inf", "Inf", "-Inf", "Infinity", "-Infinity", "tbd",
     "TBD", "undefined")
)  # fmt: skip

IDENTIFIER = re.compile(
    r"(^|[\s_.\-])(id|ids|uuid|guid|key|pk|nr|no|num|number|index|idx|row|rownum|rowid|record|hash|"
    r"ssn|iban|serial)$|^(id|row|index|record)([\s_.\-]|$)|[a-z](Id|ID|Nr|No|Key|UUID)$|level_\d+__$",
    re.IGNORECASE,
)
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
CODE = re.compile(
    r"(^|[\s_.\-])(code|codes|type|category|cat|zip|zipcode|postcode|postal|region|zone|district|"
    r"status|kind|cluster|department|dept|id|plz|postleitzahl|postcodes|postalcode|postnummer|"
    r"pincode|naics|fips)$|^(code|cod|código|codigo|codice)[\s_.\-]", re.IGNORECASE
)  # fmt: skip
PERSON = re.compile(
    r"^((first|last|full|middle|family|given|sur|customer|client|person|user|patient|passenger|"
    r"employee|student|teacher|doctor|author|owner|driver|guest|contact|nick)[\s_.\-]?)?name$|"
    r"e-?mail|phone|mobile|address|passport|^ssn$|^iban$", re.IGNORECASE
)  # fmt: skip
WHO = re.compile(  # whose texts are their names
    r"^(patient|passenger|employee|student|teacher|doctor|author|applicant|customer|client|person|"
    r"user|driver|owner|guest|contact|seller|buyer|manager|agent|player|people|who)s?$",
    re.IGNORECASE,
)
SENSITIVE = re.compile(
    r"(^|_)(sex|gender|race|ethnic\w*|religion|nationality|disab\w*|age|(sexual_)?orientation|"
    r"marital(_status)?|geschlecht|alter|nationalit(ae|ä)t|sexe|sexo|genero|género|edad|edat|"
    r"sesso|età|leeftijd|geslacht|raza|etnia|nacionalidad|nationalit(e|é))($|_)",
    re.IGNORECASE,
)
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
HELD = re.compile(
    r"test(ing)?|hold-?out|eval|val(id(ation)?)?|dev", re.IGNORECASE
)  # a mark of them
# a number with a sign, a currency or a unit: "1,234", "$5", "USD 12.50", "7 %", "48 kg"; not "C83"
DRESSED = re.compile(
    r"^([^\w\s]{0,3}|[A-Za-z]{1,3}\.?\s)[+-]?\s?\d{1,3}"
    r"([ ,.'’\u00a0\u2009\u202f]?\d{3})*([.,]\d+)?\s?([^\W\d]{0,10}|[^\w\s]{0,3})\.?$"
)
CURRENCY = re.compile(
    r"[A-Z]{0,3}[$€£¥₹₽₩₺₫₴₦₱฿₪¢₿]|USD|EUR|GBP|CHF|JPY|CNY|RMB|INR|RUB|BRL|CAD|AUD|NZD|SEK|NOK|DKK|"
    r"PLN|CZK|HUF|RON|BGN|TRY|ZAR|MXN|KRW|SGD|HKD|TWD|IDR|THB|MYR|PHP|VND|NGN|KES|EGP|ILS|AED|SAR|"
    r"UAH|ARS|CLP|COP|PEN|BTC|Rs|Fr|kr|Kč|zł|Ft|лв|руб|lei|RM|元|円"
)
UNIT = re.compile(r"[%‰°℃℉]|[^\W\d_](?:[^\W\d_]|[/·*²³°%]|[23](?=$|/)){0,14}|°[A-Z]")
MULTIPLES = {
    "k": 10**3, "K": 10**3, "tsd": 10**3, "Tsd": 10**3, "thousand": 10**3, "lakh": 10**5,
    "lakhs": 10**5, "million": 10**6, "Mio": 10**6, "mio": 10**6, "mln": 10**6, "Mn": 10**6,
    "mn": 10**6, "MM": 10**6, "M": 10**6, "m": 10**6, "crore": 10**7, "Cr": 10**7,
    "billion": 10**9, "Mrd": 10**9, "bn": 10**9, "Bn": 10**9, "B": 10**9,
}  # fmt: skip
DOUBTFUL_MULTIPLES = frozenset("KMBm") | {"Cr", "MM"}  # kelvin, metre: units, where alone
DAYS = (
    "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d", "%Y-%m-%d",
    "%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%d/%m/%y",
    "%m/%d/%y", "%d.%m.%y", "%d-%b-%y", "%a, %d %b %Y", "%Y%m%d",
    "%a %b %d %Y", "%A, %d %B %Y", "%A, %B %d, %Y", "%a, %b %d, %Y", "%d%b%Y", "%d/%b/%Y",
)  # fmt: skip
CLOCKS = (
    "", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %H:%M:%S %z",
    ", %H:%M", ", %H:%M:%S", ", %I:%M %p", ", %I:%M:%S %p", " %I:%M%p", " %I:%M:%S%p", " %Hh%M",
    " %H:%M UTC", " %H:%M:%S UTC", " %H:%M:%S GMT", ":%H:%M:%S", ":%H:%M:%S %z",
)  # fmt: skip
ONLY_CLOCKS = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p")
MONTHS = ("%Y-%m", "%Y/%m", "%m/%Y", "%b-%Y", "%b %Y", "%B %Y", "%b-%y", "%a %b %d %H:%M:%S %Y")
TOTALS = re.compile(
    r"(grand |sub ?)?totals?:?|sum:?|summe:?|gesamt(summe)?:?|total g[eé]n[eé]ral:?|totale:?|"
    r"totaal:?|итого:?|suma:?|合計|总计", re.IGNORECASE
)  # fmt: skip
INDEX = re.compile(r"__index_level_\d+__")  # what pandas calls an index without a name
FORMATS = (None, *(day + clock for day in DAYS for clock in CLOCKS), *MONTHS, *ONLY_CLOCKS)


def snake(name: str) -> str:
    """`customerName` as customer_Name."""
    return CAMEL.sub("_", name)


def underscored(name: str) -> str:
    """`Customer no.` as Customer_no_: nothing but underscores between its words."""
    return re.sub(r"[\s.\-]+", "_", snake(name.strip()))
