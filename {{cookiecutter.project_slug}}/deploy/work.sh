# Entry of the image of jobs: they work on a copy of the project, in /job, a volume of their own.
# DVC_REMOTE, from the Secret of the cluster, is the remote where .dvc/config names none.
set -eu
cp -R /project/. /job
if [ -n "${DVC_REMOTE:-}" ]; then
    printf "[core]\n    no_scm = true\n    remote = cluster\n['remote \"cluster\"']\n    url = %s\n" \
        "$DVC_REMOTE" > /job/.dvc/config.local
fi
exec python -m "$PACKAGE" "$@"
