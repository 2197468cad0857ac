"""Write copier.yml from cookiecutter.json, the only source of questions, rules and derived values.

python tools/sync_copier.py           write copier.yml
python tools/sync_copier.py --check   exit 1 where copier.yml is not what would be written
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
HEAD = "# Generated from cookiecutter.json by `make sync`: edit that file, not this one.\n"
SETTINGS = {
    "_min_copier_version": "9.18.0",  # several patterns in one _exclude entry
    "_subdirectory": "{% raw %}{{cookiecutter.project_slug}}{% endraw %}",
    "_templates_suffix": "",
    "_envops": {"undefined": "jinja2.StrictUndefined"},
    "_exclude": [
        "{% for path, keep in cookiecutter.__keep.items() if keep != 'True' %}"
        "/{{ path }}\n{% endfor %}"
    ],
    "_message_after_copy": "{{ cookiecutter.__next_steps }}\n",
}


class Dumper(yaml.SafeDumper):
    """Writes text of several lines as a `|` block, so that it reads as it was meant."""


def block_style(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, "|" if "\n" in text else None)


Dumper.add_representer(str, block_style)


def bare(expression: str) -> str:
    """The expression as a Copier default sees it: `cookiecutter.x`, `cookiecutter._x` are `x`."""
    return re.sub(r"\bcookiecutter\._?(?=[a-z])", "", expression)


def validator(rule: dict[str, Any]) -> str:
    """Prints the error of a rule that the answer breaks; the pre_gen hook applies the same rule."""
    # `is none`: regex_search gives the matched text, which is empty for an allowed empty answer.
    broken = f"{rule['question']} | regex_search({json.dumps(rule['pattern'])}) is none"
    if rule.get("reserved"):
        broken += f" or {rule['question']} in reserved"
    return f"{{% if {broken} %}}{rule['error']}{{% endif %}}"


def question(name: str, value: Any, source: dict[str, Any]) -> dict[str, Any]:
    asked: dict[str, Any] = {"type": "str", "help": source["__prompts__"][name]}
    if isinstance(value, list):
        return asked | {"choices": value, "default": value[0]}
    (rule,) = (rule for rule in source["_rules"] if rule["question"] == name)
    return asked | {"default": bare(value), "validator": validator(rule)}


def namespace(source: dict[str, Any]) -> str:
    """Jinja that builds the `cookiecutter` dict of the template files out of the answers."""
    lines = ["{% set cookiecutter = dict(_copier_answers) %}"]
    for key, value in derived(source).items():
        if isinstance(value, dict):
            lines.append("{% set values = {} %}")
            for path, keep in value.items():
                lines.append(
                    f"{{% set path %}}{path}{{% endset %}}{{% set value %}}{keep}{{% endset %}}"
                )
                lines.append("{% set values = dict(values, **{path: value}) %}")
            lines.append(f"{{% set cookiecutter = dict(cookiecutter, **{{'{key}': values}}) %}}")
        else:
            lines.append(f"{{% set value %}}{value}{{% endset %}}")
            lines.append(f"{{% set cookiecutter = dict(cookiecutter, **{{'{key}': value}}) %}}")
    return "\n".join([*lines, "{{ cookiecutter | tojson }}"])


def derived(source: dict[str, Any]) -> dict[str, Any]:
    """The `__x` values in order; Cookiecutter renders strings first, then dicts."""
    values = {key: v for key, v in source.items() if re.match(r"__[a-z]+(_[a-z]+)*$", key)}
    values["__answers_file"] = "{{ _copier_conf.answers_file }}"
    return values


def hidden(value: str) -> dict[str, Any]:
    """A question that is never asked nor stored, and computed anew on every run."""
    return {"type": "json", "when": False, "default": value}


def copier_yml(source: dict[str, Any]) -> str:
    questions: dict[str, Any] = {"reserved": hidden(json.dumps(source["_reserved"]))}
    for name, value in source.items():
        if not name.startswith("_"):
            questions[name] = question(name, value, source)
    questions["cookiecutter"] = hidden(namespace(source))
    settings = SETTINGS | {"_skip_if_exists": source["_skip_if_exists"]}
    blocks = [settings, *({name: body} for name, body in questions.items())]
    dumped = (yaml.dump(b, Dumper=Dumper, sort_keys=False, allow_unicode=True) for b in blocks)
    return HEAD + "\n" + "\n".join(dumped)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    check = parser.parse_args().check
    target = ROOT / "copier.yml"
    wanted = copier_yml(json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8")))
    if not check:
        target.write_text(wanted, encoding="utf-8")
    elif not target.is_file() or target.read_text(encoding="utf-8") != wanted:
        print("copier.yml is not what cookiecutter.json says: run `make sync`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
