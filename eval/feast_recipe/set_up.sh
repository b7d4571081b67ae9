#!/bin/sh
# An environment for the Feast recipe: set_up.sh VENV. Redis is the system's (Debian: apt-get install redis-server).
set -eu
python3 -m venv "$1"
"$1/bin/pip" install --quiet --requirement "$(dirname "$0")/requirements.txt"
"$1/bin/feast" version
