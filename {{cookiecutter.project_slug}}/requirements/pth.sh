# Refuse what would run by itself whenever Python starts. Usage: sh requirements/pth.sh VENV
# A package of a lock may bring such a file: one you trust is named in the extra.in or extra-dev.in
# that brings it: "# allow NAME.pth".
set -eu
here=$(dirname "$0")
found=0
ls -d "$1"/lib/python*/site-packages >/dev/null  # where there is nothing to look at, it ends here
for path in "$1"/lib/python*/site-packages/.*.pth "$1"/lib/python*/site-packages/*.pth \
    "$1"/lib/python*/site-packages/sitecustomize* "$1"/lib/python*/site-packages/usercustomize*; do
    name=${path##*/}
    [ -e "$path" ] || continue
    case $name in
    project.pth | _virtualenv.pth | distutils-precedence.pth) continue ;; # ours, uv's, setuptools'
    esac
    # The image of the service has no extra-dev.in: what that allows is not allowed there.
    grep -qsxF "# allow $name" "$here/extra.in" "$here/extra-dev.in" && continue
    echo "ERROR: setup: $name runs whenever Python starts, and no package is known to need it:" \
        "find out which brought it; if you trust it, add the line '# allow $name' to requirements/extra.in or extra-dev.in" >&2
    found=1
done
exit $found
