#!/bin/sh
# The pictures of docs/ from the pages of a project that ran: sh tests/pictures.sh PROJECT
# Takes reports/report.html, and reports/monitoring.html where it is there. Needs chromium.
set -eu
reports=$(cd "$1" && pwd)/reports
cd "$(dirname "$0")/.."
[ -f "$reports/report.html" ] || { echo "$reports/report.html is missing: make run there" >&2; exit 1; }
for page in report monitoring; do
  source=$reports/$page.html
  [ -f "$source" ] || continue
  chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=900,1250 \
    --screenshot="$PWD/docs/$page.png" "file://$source"
done
