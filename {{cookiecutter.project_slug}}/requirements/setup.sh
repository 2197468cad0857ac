# Make .venv from the locks. Usage: sh requirements/setup.sh PYTHON_MINIMUM (from the project folder)
set -eu
minimum=$1
ok="import sys; assert tuple(map(int, '$minimum'.split('.'))) <= sys.version_info[:2] <= (3, 13)"

whole="$ok; import os, sysconfig; assert os.path.isdir(sysconfig.get_path('purelib'))"

if { [ -e .venv ] || [ -L .venv ]; } && ! .venv/bin/python -c "$whole" 2>/dev/null; then
    echo "setup: .venv has no Python from $minimum to 3.13 that starts and has a place for packages:" \
        "it is made anew"
    rm -rf .venv
fi
# Every 5 s, that it goes on: on a terminal in one line.
begin='' end='\n' clear=''
if [ -t 2 ]; then begin='\r' end='' clear='\r\033[K'; fi
tell() {
    seconds=5
    while sleep 5 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
        printf "${begin}setup: installing the packages (%s s)$end" "$seconds" >&2
        seconds=$((seconds + 5))
    done
}
tell &
trap 'kill '$!' 2>/dev/null || true; printf "$clear" >&2' EXIT

if command -v uv >/dev/null 2>&1; then
    echo "setup: installing the locked packages with uv"
    [ -x .venv/bin/python ] || uv venv --quiet --no-project --python ">=$minimum,<3.14" .venv
    uv pip sync --quiet --python .venv/bin/python --require-hashes \
        requirements/dev.txt requirements/extra.txt requirements/extra-dev.txt
else
    # uv, or a setup that was cut off, leaves none with pip.
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        for python in "python$minimum" python3 python3.13 python3.12 python3.11; do
            if command -v "$python" >/dev/null 2>&1 && "$python" -c "$ok" 2>/dev/null; then
                found=$python
                break
            fi
        done
        if [ -z "${found:-}" ]; then
            echo "ERROR: setup: Python $minimum or newer (up to 3.13) is needed, and none is on the PATH:" \
                "install it, or install uv" >&2
            exit 1
        fi
        rm -rf .venv
        "$found" -m venv .venv
    fi
    echo "setup: installing the locked packages with pip (uv is quicker where it is installed)"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
        -r requirements/dev.txt -r requirements/extra.txt -r requirements/extra-dev.txt
fi
# Looked at before Python starts again; what is refused must not run at the next `make` either.
if ! sh requirements/pth.sh .venv; then
    rm -rf .venv
    exit 1
fi
# src/ and vendor/ are put on the path by a file relative to itself: nothing is built, the folder
# may move.
site=$(.venv/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")
printf '../../../../%s\n' src vendor >"$site/project.pth"
touch .venv/.ready
