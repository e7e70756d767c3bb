#!/usr/bin/env bash
# prepare_instance.sh v1 CATEGORY ONNX VNNLIB: ends what an earlier run left behind, and sees to it
# that the compiled search kernels are there. No analysis.
set -u

. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"
expect_arguments 4 $# "${1-}"
expect_python

for file in "$3" "$4"; do
    if [ ! -r "$file" ]; then
        printf '%s: cannot read %s\n' "$0" "$file" >&2
        exit 1
    fi
done

# A run whose script is gone is left over; one whose script still waits for it is somebody's.
for note in "$runs"/*.run; do
    [ -O "$note" ] || continue
    read -r process moment script script_moment <"$note" || continue
    is_running "$script" "$script_moment" && continue
    if is_running "$process" "$moment"; then
        printf '%s: ending process %s, left over\n' "$0" "$process"
        kill -KILL -- "-$process" 2>/dev/null
    fi
    rm -f -- "$note"
done

"$python" -c 'from relucert.search.star.kernel import compiled_kernel as k, ready_kernel as r; r() or k()'
exit 0
