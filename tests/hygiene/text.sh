#!/bin/sh
# The shape of the text: what no reader should stumble over, and no reviewer have to mention.
set -eu
export LC_ALL=C
root=${ALOOP_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$root"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

find include src tests examples CMakeLists.txt CMakePresets.json README.md LICENSE .ci .gitignore \
    .clang-format .editorconfig -type f ! -name '*.bin' ! -path '*/corpus/*' ! -path '*/golden/*' \
    ! -path '*/recorded/*' \
    2>/dev/null | sort >"$scratch/files"
[ -s "$scratch/files" ] || { echo "nothing to read in $root"; exit 1; }

while IFS= read -r file; do
    # A file that does not end its last line makes the next diff touch two.
    if [ -s "$file" ] && [ "$(tail -c 1 "$file" | wc -l)" -eq 0 ]; then
        echo "$file: no newline at the end"
    fi
    awk -v file="$file" '
    BEGIN {
        is_c = file ~ /\.[ch]$/
        is_prose = file ~ /(\.md|\.json|LICENSE)$/
    }
    /\t/ { print file ":" FNR ": a tab" }
    /[ \r]$/ { print file ":" FNR ": a blank at the end of the line" }
    # Macro definitions are laid out by their own logic.
    length($0) > 100 && !is_prose && !/\\$/ { print file ":" FNR ": " length($0) " columns" }
    is_c && /(^|[^A-Z])(TODO|FIXME|XXX|HACK)([^A-Z]|$)/ { print file ":" FNR ": a note to oneself" }
    is_c && /^[ ]*\/\*[*=-][*=-]/ { print file ":" FNR ": a banner" }
    is_c && /^{/ { opened = FNR }
    is_c && /^}/ && opened {
        if (FNR - opened > 71)
            print file ":" opened ": a function of " FNR - opened - 1 " lines"
        opened = 0
    }
    END {
        if (is_c && FNR > 650)
            print file ": " FNR " lines"
    }' "$file"
done <"$scratch/files" >"$scratch/found"

# The top level holds these and dot files, and nothing else; generated folders are not tracked.
for entry in *; do
    case $entry in
    include | src | tests | examples | CMakeLists.txt | CMakePresets.json | README.md | LICENSE) ;;
    build* | out) ;;
    *) echo "$entry: does not belong to the top level" >>"$scratch/found" ;;
    esac
done

if [ -s "$scratch/found" ]; then
    cat "$scratch/found"
    exit 1
fi
echo "text: $(wc -l <"$scratch/files") files, no violation"
