#!/bin/sh
# summary.sh [FOLDER]: where a repository stands.
set -eu
folder=${1:-.}
export GIT_OPTIONAL_LOCKS=0 GIT_PAGER=cat
git -C "$folder" rev-parse --is-inside-work-tree >/dev/null 2>&1 || { echo "git: $folder is no repository" >&2; exit 1; }
g() { git -C "$folder" -c core.fsmonitor=false -c core.hooksPath=/dev/null "$@"; }
echo "branch: $(g symbolic-ref --short -q HEAD || echo '(detached)')"
echo "author: $(g config user.name || echo '(none)') <$(g config user.email || echo none)>"
g remote -v | awk '$3 == "(fetch)" { print "remote: " $1 " " $2 }'
echo "not committed:"
g status --short | head -n 50 | sed 's/^/  /'
echo "newest commits:"
g log -10 --date=short --format='  %h %ad %an: %s' 2>/dev/null || echo "  (none yet)"
echo "branches:"
g for-each-ref --sort=-committerdate --count=15 --format='  %(refname:short) %(committerdate:short)' refs/heads
