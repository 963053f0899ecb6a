# shellcheck shell=bash
# What the scripts of this folder share: sourced, never run. Sets `root` and goes there; `caller`
# is where the user was. Answers --help where it is the first argument.
set -euo pipefail

# The first comment of the script that runs.
usage() { awk 'NR > 1 && (!/^#/ || /^# shellcheck/) {exit} NR > 1 {sub(/^# ?/, ""); print}' "$0"; }

if [[ ${1:-} == -h || ${1:-} == --help ]]; then usage && exit 0; fi

# shellcheck disable=SC2034
caller=$PWD
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root"

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
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

# For a command line that makes no sense.
wrong() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 2
}

# How many processors this process may use.
jobs() { nproc 2>/dev/null || echo 2; }

# The files of the project below the current folder that match one of the patterns (default: all),
# one a line: what git tracks or would add, and where there is no git (an unpacked archive) what
# lies there.
project_files() {
  local file pattern patterns=("$@")
  if [[ ${#patterns[@]} -eq 0 ]]; then patterns=('*'); fi
  if [[ $(git rev-parse --show-toplevel 2>/dev/null) == "$(pwd -P)" ]]; then
    git ls-files --cached --others --exclude-standard
  else
    find . \( -name build -o -name 'build-*' -o -name runs -o -name .git -o -name .cache \) -prune \
      -o -type f -print | sed 's|^\./||'
  fi | LC_ALL=C sort -u | while IFS= read -r file; do
    for pattern in "${patterns[@]}"; do
      # shellcheck disable=SC2053
      if [[ $file == $pattern && -f $file ]]; then
        printf '%s\n' "$file"
        break
      fi
    done
  done
}

# configure PRESET [OPTION...]: quiet unless something is wrong.
configure() {
  local preset=$1
  shift
  cmake --preset "$preset" "$@" >/dev/null || die "cmake --preset $preset failed"
}
