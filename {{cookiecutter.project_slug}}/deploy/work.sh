# Entry of the image of jobs: they work on a copy of the project, in /job, a volume of their own.
# DVC_REMOTE, from the Secret of the cluster, goes before a remote that .dvc/config names.
set -eu
cp -R --no-preserve=mode /project/. /job  # which may be read-only; /job itself is not ours to change
rm -rf /job/models/candidate  # an output of DVC, which does not pull over one it does not know
ln -sfn /venv /job/.venv  # where dvc.yaml looks for Python
if [ -n "${DVC_REMOTE:-}" ]; then
    printf "[core]\n    no_scm = true\n    remote = cluster\n['remote \"cluster\"']\n    url = %s\n    verify = true\n" \
        "$DVC_REMOTE" > /job/.dvc/config.local
fi
exec python -m "$PACKAGE" "$@"
