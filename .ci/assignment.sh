#!/usr/bin/env bash
# The exact assignment beside SciPy's, and annealing beside that.
set -euo pipefail
directory="$(mktemp -d)"
trap 'rm -rf "$directory"' EXIT
python3 -c 'import scipy' 2>/dev/null || {
  python3 -m venv "$directory/venv" 2>/dev/null || { apt-get install -y -q python3-venv && python3 -m venv "$directory/venv"; }
  "$directory/venv/bin/pip" install -q scipy
  PATH="$directory/venv/bin:$PATH"
}
python3 "$(dirname "$0")/assignment.py" "${SPOOL:?the built spool}-bench" "$directory"
