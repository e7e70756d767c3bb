#!/usr/bin/env bash
# run_instance.sh v1 CATEGORY ONNX VNNLIB RESULTS_FILE TIMEOUT: one instance. The results file gets
# sat (and a counterexample), unsat, timeout, unknown or error.
set -u

. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"
expect_arguments 6 $# "${1-}"
expect_python
onnx=$3 vnnlib=$4 results=$5 limit=$6

answer() { # WORD: where there is no answer yet
    [ -s "$results" ] || printf '%s\n' "$1" >"$results"
}

rm -f -- "$results"
if ! { : >"$results"; } 2>/dev/null; then
    printf "%s: the results file '%s' cannot be written\n" "$0" "$results" >&2
    exit 1
fi
# Starting takes a part of the time, and writing the answer; the whole tool is ended at the limit.
inner=$(awk -v limit="$limit" 'BEGIN { if (limit + 0 <= 0) exit 1; r = limit / 10; if (r > 1) r = 1
    printf "%.3f", limit - r }') || {
    printf "%s: the time limit must be a positive number of seconds, not '%s'\n" "$0" "$limit" >&2
    answer error
    exit 0
}

group='' note=''
# shellcheck disable=SC2329 # the trap calls it
stop() { # the competition ends this script: so does the tool, and at once
    kill -TERM -- "-$group" 2>/dev/null
    wait "$group"
    answer timeout
    rm -f -- "$note"
    exit 0
}
trap stop TERM INT HUP

# In a process group of its own (which is what timeout makes), so that nothing of it is left.
OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} timeout --kill-after=3 "$limit" \
    "$python" -m relucert certify "$onnx" "$vnnlib" --timeout "$inner" --seed 0 \
    --result-file "$results" &
group=$!
(umask 077 && mkdir -p -- "$runs")
note=$runs/$group.run
printf '%s %s %s %s\n' "$group" "$(started_at "$group")" "$$" "$(started_at "$$")" >"$note"

wait "$group"
code=$?
kill -KILL -- "-$group" 2>/dev/null # a solver's process that its parent did not live to end
rm -f -- "$note"
case $code in
    124 | 137) # ended at the limit, where an answer may just have been written
        grep -qxE 'sat|unsat' -- "$results" 2>/dev/null || printf 'timeout\n' >"$results"
        ;;
    *) answer error ;;
esac
exit 0
