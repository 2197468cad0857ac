#!/usr/bin/env bash
# Install what the tests need besides Python and git, where it is missing (Debian or Ubuntu).
set -euo pipefail

# what is looked for: the package that brings it
needed="
docker: docker.io
dockerd: docker.io
iptables: iptables
mmdebstrap: mmdebstrap
node: nodejs
npm: npm
groovy: groovy
/usr/lib/jvm/java-1[17]-*: openjdk-17-jre-headless
prometheus: prometheus
prometheus-alertmanager: prometheus-alertmanager
prometheus-pushgateway: prometheus-pushgateway
promtool: prometheus
wrk: wrk
"
PATH=$PATH:/usr/sbin
missing=()
while IFS=': ' read -r sought package; do
    case $sought in
    '') ;;
    /*) compgen -G "$sought" > /dev/null || missing+=("$package") ;;
    *) command -v "$sought" > /dev/null || missing+=("$package") ;;
    esac
done <<< "$needed"
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo --non-interactive)
if ! command -v apt-get > /dev/null || ! "${as_root[@]}" true; then
    echo "ERROR: install these, or what they are called here: ${missing[*]}" >&2
    exit 1
fi
echo "installing: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq --yes --no-install-recommends "${missing[@]}" > /dev/null
