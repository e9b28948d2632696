#!/bin/sh
# Built with probes, the library has each of them where tracers look, with its arguments and its
# semaphore; built without, it has no trace of them.
set -eu
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
root=${ALOOP_SOURCE_DIR:-$here/../..}
compiler=${ALOOP_CC:-cc}
command -v readelf >/dev/null || { echo "readelf is not installed"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# notes FLAGS...: what a build with these flags says of its probes.
notes() {
    "$compiler" -std=c11 -D_POSIX_C_SOURCE=200809L -O2 -I"$root/include" -I"$root/src" "$@" \
        -c -o "$scratch/observe.o" "$root/src/loop/observe.c"
    # An object file is not linked, so the addresses are not known; names and arguments are.
    readelf -n "$scratch/observe.o" 2>/dev/null
}

status=0
if notes -UALOOP_USDT | grep -q stapsdt || nm "$scratch/observe.o" | grep -i probe; then
    echo "there are probes in a build without them"
    status=1
fi
if ! echo '#include <sys/sdt.h>' | "$compiler" -E - >/dev/null 2>&1; then
    echo "probes: none without <sys/sdt.h>"
    [ $status -eq 0 ] && exit 77
    exit 1
fi

notes -DALOOP_USDT >"$scratch/notes"
# The hooks of an instrument, but for the one that is not about what the loop does.
sed -n 's/^    void (\*\([a-z_]*\))(aloop \*loop.*/\1/p' "$root/include/aloop/instrument.h" |
    grep -v '^closed$' | sort >"$scratch/hooks"
awk '$1 == "Provider:" { provider = $2 }
    $1 == "Name:" && provider == "aloop" { print $2 }' "$scratch/notes" |
    sort -u >"$scratch/probes"
if ! [ -s "$scratch/hooks" ] || ! diff -u "$scratch/hooks" "$scratch/probes"; then
    echo "the probes are not those that an instrument has hooks for"
    status=1
fi
while read -r name; do
    nm "$scratch/observe.o" | grep -q " aloop_${name}_semaphore$" ||
        { echo "$name: no semaphore"; status=1; }
done <"$scratch/hooks"
# The loop in all of them, and what it is about in most.
if grep Arguments: "$scratch/notes" | awk 'NF < 2 { bad = 1 } END { exit !bad }'; then
    echo "there are probes without arguments"
    status=1
fi
[ $status -eq 0 ] && echo "probes: $(wc -l <"$scratch/probes"), and none in a build without them"
exit $status
