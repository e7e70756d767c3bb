# Sourced by the three scripts: where the tool is, which Python runs it, which runs are under way.
# shellcheck shell=bash disable=SC2034

scripts=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)
tool=$(dirname -- "$scripts")
# Another environment than the one that install_tool.sh makes.
python=${RELUCERT_PYTHON:-$tool/.venv/bin/python}
# Runs under way, a file each, of this user and no other.
runs=${RELUCERT_RUNS:-${TMPDIR:-/tmp}/relucert-runs-$(id -u)}

expect_arguments() { # WANTED FOUND VERSION: ends the script where they do not fit
    if [ "$3" != v1 ]; then
        printf "%s: the first argument must be the version 'v1', not '%s'\n" "$0" "$3" >&2
        exit 1
    fi
    if [ "$2" -ne "$1" ]; then
        printf '%s: %d arguments expected, %d given\n' "$0" "$1" "$2" >&2
        exit 1
    fi
}

expect_python() {
    if [ ! -x "$python" ]; then
        printf '%s: there is no %s: run install_tool.sh v1 first\n' "$0" "$python" >&2
        exit 1
    fi
}

started_at() { # PID: the moment it started, in clock ticks; nothing where there is no such process
    sed -n 's/^.*) //p' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20
}

is_running() { # PID MOMENT: the very process, not another with its number
    [ -n "$2" ] && [ "$(started_at "$1")" = "$2" ]
}
