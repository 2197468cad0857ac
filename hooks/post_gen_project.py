"""Cookiecutter only: delete what the answers switch off and write the answers file of Copier."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import yaml

CONTEXT = json.loads({{ cookiecutter | tojson | tojson }})  # fmt: skip
ANSWERS_FILE = ".copier-answers.yml"
WARNING = "# Changes here will be overwritten by Copier; NEVER EDIT MANUALLY\n"


def git(folder, *arguments):
    """What git prints, or "" where git is missing or refuses."""
    try:
        done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def template_folder():
    """The template on disk; a local one is given as typed, so relative to where the command ran."""
    typed = CONTEXT.get("_repo_dir")  # cruft gives none
    bases = [os.environ.get("PWD", ""), CONTEXT.get("_output_dir", ""), ".."]
    folders = [Path(base, typed).resolve() for base in bases if typed]
    return next((folder for folder in folders if (folder / "cookiecutter.json").is_file()), None)


def is_checkout(folder):
    """Whether the template itself is a git checkout, and not just a folder somewhere inside one."""
    top = git(folder, "rev-parse", "--show-toplevel")
    return bool(top) and Path(top).resolve() == folder


def archived_commit(folder):
    """The version that `git archive` wrote into the zip, if the template came as one."""
    archival = folder / ".git_archival.txt"
    text = archival.read_text(encoding="utf-8") if archival.is_file() else ""
    found = re.search(r"^describe-name: ([\w.+-]+)$", text, re.M) or re.search(
        r"^node: ([0-9a-f]{40})$", text, re.M
    )
    return found[1] if found else ""


def without_credentials(url):
    """An answers file is committed, so a token or password in the address must not get there."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "ssh"):
        return url
    user, _, host = parts.netloc.rpartition("@")
    user = user.partition(":")[0] if parts.scheme == "ssh" else ""
    return urlunsplit(parts._replace(netloc=f"{user}@{host}" if user else host))


def as_copier_needs_it(url):
    """Copier takes an address for a git repository if it ends in .git or starts with git+."""
    url = without_credentials(url)
    known = url.startswith(("git@", "git://", "https://github.com/", "https://gitlab.com/"))
    return f"git+{url}" if "://" in url and not url.endswith(".git") and not known else url


def source_and_commit():
    """Where `copier update` finds the template, and the version this project was born from."""
    typed = CONTEXT["_template"].removeprefix("git+")
    folder = template_folder()
    if folder is None:
        return as_copier_needs_it(typed), CONTEXT.get("_commit") or ""
    if not is_checkout(folder):
        return CONTEXT["_template_url"], archived_commit(folder)
    commit = git(folder, "describe", "--tags", "--always")
    if typed.startswith(("gh:", "gl:")):
        return typed, commit
    if Path(os.environ.get("PWD", ""), typed).is_dir() or Path("..", typed).is_dir():
        return str(folder), commit
    return as_copier_needs_it(git(folder, "config", "remote.origin.url")), commit


def advice(source, commit):
    """What to do at birth so that `copier update` works, or "" where nothing is needed."""
    if not commit:
        return (
            "The version of the template is unknown: no git data came with it. Once this project "
            "is under git, run `copier recopy` in it: it renders the newest release with the same "
            "answers and records its version."
        )
    folder = Path(source)
    if folder.is_dir() and git(folder, "status", "--porcelain"):
        return (
            f"The template in {source} has changes that are not committed. They count as your own "
            "edits of this project when it is updated."
        )
    if re.search(r"-\d+-g[0-9a-f]+$", commit):
        return (
            f"This project was born after a release of the template, at {commit}: `copier update` "
            "works from the next release on. For a release, generate with --checkout TAG."
        )
    return ""


def write_answers(source, commit):
    answers = {key: value for key, value in CONTEXT.items() if not key.startswith("_")}
    answers["_src_path"] = source
    if commit:
        answers["_commit"] = commit
    text = yaml.dump(answers, indent=4, allow_unicode=True, default_flow_style=False)
    with open(ANSWERS_FILE, "w", encoding="utf-8", newline="\n") as file:
        file.write(WARNING + text)


for path, keep in sorted(CONTEXT["__keep"].items(), reverse=True):  # files before their folder
    if keep != "True":
        remove = shutil.rmtree if os.path.isdir(path) else os.remove
        remove(path)

source, commit = source_and_commit()
write_answers(source, commit)
warning = advice(source, commit)
if warning:
    print(f"WARNING: {warning}", file=sys.stderr)
print("\n" + CONTEXT["__next_steps"])
