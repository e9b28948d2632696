#!/bin/sh
# The shared library exports what the public headers declare: nothing more (a host program's own
# names are safe from ours), and nothing less (what is declared can be linked).
set -eu
export LC_ALL=C
library=${ALOOP_SHARED_LIBRARY:?the shared library}
here=$(cd "$(dirname "$0")" && pwd)
root=${ALOOP_SOURCE_DIR:-$here/../..}
command -v nm >/dev/null || { echo "nm is not installed"; exit 77; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Names that begin with an underscore are the compiler's and the linker's.
case $(uname -s) in
Darwin) nm -gU "$library" | awk '{ sub(/^_/, "", $NF); print $NF }' ;;
*) nm -D --defined-only "$library" | awk '{ sub(/@.*/, "", $NF); print $NF }' ;;
esac | grep -v '^_' | sort -u >"$scratch/exported"

# A declaration runs from ALOOP_API to its ";" or "{", and declares the first name followed by "(",
# or, for data, the last one.
find "$root/include" -name '*.h' -exec awk -f "$here/code.awk" {} + | awk '{
    sub(/^[^:]*:[0-9]*:/, "")
    if (/^[ ]*#/)
        next
    if (!open && !sub(/^.*ALOOP_API/, ""))
        next
    open = 1
    text = text " " $0
    if (!/[;{]/)
        next
    gsub(/ALOOP_[A-Z_]*\([^)]*\)|__attribute__[ ]*\(\(.*\)\)/, "", text)
    if (match(text, /aloop_[a-z_0-9]+[ ]*\(/)) {
        name = substr(text, RSTART, RLENGTH - 1)
        sub(/[ ]*$/, "", name)
        print name
    } else {
        sub(/[ ]*(\[.*\])?[ ]*[;{=].*$/, "", text)
        sub(/^.*[ *]/, "", text)
        print text
    }
    open = 0
    text = ""
}' | sort -u >"$scratch/declared"

status=0
if ! [ -s "$scratch/exported" ] || ! [ -s "$scratch/declared" ]; then
    echo "found no names to compare"
    status=1
fi
if grep -v '^aloop_' "$scratch/exported" >"$scratch/foreign"; then
    sed 's/^/exported without the prefix aloop_: /' "$scratch/foreign"
    status=1
fi
if ! comm -23 "$scratch/exported" "$scratch/declared" | awk '
    { print "exported, but in no public header: " $0; found = 1 } END { exit found }'; then
    status=1
fi
if ! comm -13 "$scratch/exported" "$scratch/declared" | awk '
    { print "declared, but not exported: " $0; found = 1 } END { exit found }'; then
    status=1
fi
[ $status -eq 0 ] && echo "symbols: $(wc -l <"$scratch/exported") exported and declared"
exit $status
