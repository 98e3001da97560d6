#!/bin/sh
# usage.sh [FOLDER] [COUNT]: the largest folders and files below FOLDER.
set -eu
folder=${1:-.}
count=${2:-15}
case $count in *[!0-9]* | "") echo "disk-usage: $count is no number" >&2; exit 1 ;; esac
[ -d "$folder" ] || { echo "disk-usage: there is no folder $folder" >&2; exit 1; }

human() { awk '{ s = $1; u = "KB"; if (s >= 1048576) { s /= 1048576; u = "GB" } else if (s >= 1024) { s /= 1024; u = "MB" } $1 = ""; printf "%8.1f %s %s\n", s, u, $0 }'; }

echo "folders:"
du -xk --max-depth=3 -- "$folder" 2>/dev/null | sort -rn | head -n "$count" | human
echo "files:"
find "$folder" -xdev -type f -printf '%k %p\n' 2>/dev/null | sort -rn | head -n "$count" | human
echo "disk:"
df -hP -- "$folder" | awk 'NR == 2 { print "  " $3 " used, " $4 " free, " $5 " full" }'
