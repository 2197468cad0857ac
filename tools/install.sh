#!/usr/bin/env bash
# Install what the tests need besides Python and git, where it is missing (Debian or Ubuntu).
set -euo pipefail

# what is looked for: the package that brings it
needed="
docker: docker.io
dockerd: docker.io
iptables: iptables
kubectl: kubernetes-client
mmdebstrap: mmdebstrap
node: nodejs
npm: npm
groovy: groovy
/usr/lib/jvm/java-1[17]-*: openjdk-17-jre-headless
java: openjdk-17-jdk-headless
javac: openjdk-17-jdk-headless
amtool: prometheus-alertmanager
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
if [ ${#missing[@]} -gt 0 ]; then
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
fi

# Unpacked and not installed: a registry that starts by itself is not wanted, and cosign 2.5 is of
# Debian's next release, which is read from the same mirror with lists of its own.
folder=$(cd "$(dirname "$0")/.." && pwd)/build/tools
wanted=()
for program in cosign docker-registry; do
    [ -x "$folder/usr/bin/$program" ] || command -v "$program" > /dev/null || wanted+=("$program")
done
if [ ${#wanted[@]} -gt 0 ]; then
    echo "unpacking: ${wanted[*]}"
    lists=$(mktemp -d)
    trap 'rm -rf "$lists"' EXIT
    mkdir -p "$folder" "$lists/lists/partial" "$lists/cache/archives/partial"
    . /etc/os-release
    # shellcheck disable=SC2016 # the names are apt's
    apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
        awk -v here="${VERSION_CODENAME:-}" '$2 == here && !seen++ {
            print "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] " $1 " trixie main" }' \
            > "$lists/next.list"
    [ -s "$lists/next.list" ] || { echo "ERROR: put these on the PATH: ${wanted[*]}" >&2; exit 1; }
    next=(-o "Dir::Etc::SourceList=$lists/next.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$lists/lists" -o "Dir::Cache=$lists/cache" -o APT::Sandbox::User=root)
    apt-get -qq "${next[@]}" update
    (cd "$lists" && apt-get -qq "${next[@]}" download "${wanted[@]}")
    for package in "$lists"/*.deb; do
        dpkg -x "$package" "$folder"
    done
fi
