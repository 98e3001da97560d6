#!/bin/sh
# info.sh [programs]: what can be seen of this machine from the sandbox.
set -u
if [ "${1:-}" = programs ]; then
  for name in awk bash bc cc curl ffmpeg gcc git go java jq make node npm pandoc pdftotext perl python3 ruby rustc sqlite3 tar unzip zip; do
    place=$(command -v "$name") || continue
    case $name in
      go) version=$(go version 2>/dev/null) ;;
      java | perl | unzip | zip | awk) version= ;;
      *) version=$("$name" --version 2>/dev/null | head -n 1) ;;
    esac
    printf '%-10s %s  %s\n' "$name" "$place" "$version"
  done
  exit 0
fi
[ $# -eq 0 ] || { echo "system-info: only programs can be asked for besides" >&2; exit 1; }
PRETTY_NAME=$(uname -s)
[ ! -r /usr/lib/os-release ] || . /usr/lib/os-release
echo "system: $PRETTY_NAME, $(uname -s) $(uname -r), $(uname -m)"
awk -F ': *' '/^model name/ { name = $2; n++ } /^processor/ { p++ } END { print "processor: " (name == "" ? "unknown" : name) ", " p " threads" }' /proc/cpuinfo
awk '/^MemTotal/ { total = $2 } /^MemAvailable/ { free = $2 } END { printf "memory: %.1f GB, of which %.1f GB are free\n", total / 1048576, free / 1048576 }' /proc/meminfo
awk '{ print "load: " $1 " " $2 " " $3 " (over 1, 5 and 15 minutes)" }' /proc/loadavg
awk '{ d = int($1 / 86400); h = int($1 % 86400 / 3600); m = int($1 % 3600 / 60); print "up: " d " days, " h " hours, " m " minutes" }' /proc/uptime
df -hP . | awk 'NR == 2 { print "disk of the workspace: " $3 " used, " $4 " free, " $5 " full" }'
echo "time: $(date '+%Y-%m-%d %H:%M %Z')"
