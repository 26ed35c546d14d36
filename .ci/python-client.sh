#!/usr/bin/env bash
# The Python client of examples/ and the real command, on one spool. The command is $SPOOL, or spool on the PATH.
exec python3 "$(dirname "$0")/python-client.py"
