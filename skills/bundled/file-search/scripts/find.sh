#!/bin/sh
# find.sh [--name PATTERN] [--days N] [--larger SIZE] [--kind file|folder] [--in FOLDER]: the newest first, at most 100.
set -eu
name='*' days= larger= kind=f folder=.
bad() { echo "file-search: $1" >&2; exit 1; }
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || bad "$1 wants a value"
  case $1 in
    --name) name=$2 ;;
    --days) case $2 in *[!0-9]* | "") bad "--days wants a number" ;; esac; days=$2 ;;
    --larger) case $2 in [0-9]*[kMG] | [0-9]*) larger=$2 ;; *) bad "--larger is written as 100k or 2M" ;; esac ;;
    --kind) case $2 in file) kind=f ;; folder) kind=d ;; *) bad "--kind is file or folder" ;; esac ;;
    --in) folder=$2 ;;
    *) bad "$1 is not known" ;;
  esac
  shift 2
done
[ -d "$folder" ] || bad "there is no folder $folder"
set -- "$folder" -mindepth 1 -name .git -prune -o -type "$kind" -iname "$name"
[ -z "$days" ] || set -- "$@" -mtime "-$days"
[ -z "$larger" ] || set -- "$@" -size "+$larger"
find "$@" -printf '%TY-%Tm-%Td %TH:%TM %10s  %p\n' 2>/dev/null | sort -r | head -n 100
