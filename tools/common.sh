# shellcheck shell=bash
# What the scripts of this folder share: sourced, never run. Sets `root` and goes there; `caller`
# is where the user was.
set -euo pipefail

# shellcheck disable=SC2034
caller=$PWD
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root"

if [[ -t 1 ]]; then
  bold=$'\e[1m' plain=$'\e[0m'
else
  bold='' plain=''
fi

say() { printf '%s\n' "$*"; }

heading() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# How many processors this process may use.
jobs() { nproc 2>/dev/null || echo 2; }

# The files of the project that match the patterns, one a line: what git tracks or would add, and
# where there is no git (an unpacked archive) what lies in the folders.
project_files() {
  local pattern arguments=()
  if git -C "$root" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git -C "$root" ls-files --cached --others --exclude-standard -- "$@" | while IFS= read -r f; do
      if [[ -e $f ]]; then printf '%s\n' "$f"; fi
    done
    return
  fi
  for pattern in "$@"; do
    arguments+=(-o -path "./$pattern" -o -name "${pattern##*/}")
  done
  find . \( -name 'build' -o -name 'build-*' -o -name runs -o -name .git -o -name .cache \) -prune \
    -o -type f \( -false "${arguments[@]}" \) -print | sed 's|^\./||' | sort
}

# configure PRESET [OPTION...]: quiet unless something is wrong.
configure() {
  local preset=$1
  shift
  cmake --preset "$preset" "$@" >/dev/null || die "cmake --preset $preset failed"
}
