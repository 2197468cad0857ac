#!/bin/sh
# The pictures of docs/ from the pages of a project that ran: sh tests/pictures.sh PROJECT
# Takes reports/report.html, and reports/monitoring.html where it is there. Needs chromium.
set -eu
cd "$(dirname "$0")/.."
for page in report monitoring; do
  source=$(realpath "$1")/reports/$page.html
  [ -f "$source" ] || continue
  chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=900,1250 \
    --screenshot="$PWD/docs/$page.png" "file://$source"
done
