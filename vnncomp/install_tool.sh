#!/usr/bin/env bash
# install_tool.sh v1: relucert into an environment of its own, beside this folder.
set -eu

. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"
expect_arguments 1 $# "${1-}"

new_enough() {
    command -v "$1" >/dev/null && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))'
}

chosen=
for candidate in python3.13 python3.12 python3.11 python3; do
    if new_enough "$candidate"; then
        chosen=$candidate
        break
    fi
done
if [ -z "$chosen" ]; then
    printf '%s: relucert needs Python 3.11 or newer\n' "$0" >&2
    exit 1
fi
"$chosen" -m venv "$tool/.venv"
python=$tool/.venv/bin/python
"$python" -m pip install --quiet "$tool"
# The search kernels are compiled once, here.
"$python" -c 'from relucert.search.star.kernel import compiled_kernel as k, ready_kernel as r; r() or k()'
"$python" -m relucert --version
