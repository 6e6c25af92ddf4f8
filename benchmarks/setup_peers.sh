#!/usr/bin/env bash
# Creates .venv-bench with what the peers of the benchmarks need. Running it again is cheap: it
# installs only when the requirements or constraints have changed.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=.venv-bench
requirements=benchmarks/requirements-bench.txt
constraints=benchmarks/constraints-bench.txt
stamp=$venv/.installed

if [[ ! -x $venv/bin/python ]]; then
    "${PYTHON:-python3}" -m venv "$venv"
fi
if cat "$requirements" "$constraints" | cmp --silent - "$stamp"; then
    echo "$venv is up to date"
    exit 0
fi
"$venv/bin/python" -m pip install --quiet -r "$requirements" -c "$constraints"
"$venv/bin/python" -c 'import gymnasium, stable_baselines3, torch, torch.utils.tensorboard'
cat "$requirements" "$constraints" >"$stamp"
echo "$venv is ready"
