#!/usr/bin/env bash
# The checker's own tests, short soaks of processes that die (of messages, of tasks), copies of a spool in use, and the places of the mutants.
# The command is $SPOOL, or spool on the PATH.
set -euo pipefail
cd "$(dirname "$0")/../Tests/Soak"
export PYTHONDONTWRITEBYTECODE=1
python3 test_check_history.py
python3 soak.py --seconds 25
python3 tasks.py --seconds 20
python3 copies.py --copies 6
python3 ../Mutants/run.py --check
