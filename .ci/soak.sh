#!/usr/bin/env bash
# The checker's own tests, and a short soak of processes that die. The command is $SPOOL, or spool on the PATH.
set -euo pipefail
cd "$(dirname "$0")/../Tests/Soak"
export PYTHONDONTWRITEBYTECODE=1
python3 test_check_history.py
python3 soak.py --seconds 25
