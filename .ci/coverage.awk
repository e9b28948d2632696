# Reads what "gcov --stdout" prints for every object file, and says which lines of ROOT/src ran. A
# line of a header counts once, however many objects have it, and has run if it ran in one of them.
function percent(part, whole)
{
    return whole ? 100 * part / whole : 100
}

{
    count = $0
    sub(/:.*$/, "", count)
    gsub(/[ *]/, "", count)
    number = $0
    sub(/^[^:]*:[ ]*/, "", number)
    sub(/:.*$/, "", number)
}

number == "0" && /:Source:/ {
    file = $0
    sub(/^.*:Source:/, "", file)
    wanted = index(file, root "/src/") == 1
    file = substr(file, length(root) + 2)
    next
}

!wanted || number !~ /^[1-9][0-9]*$/ || count == "-" || count == "" { next }

{
    if (!((file, number) in ran)) {
        lines[file]++
        ran[file, number] = 0
        if (number + 0 > last[file])
            last[file] = number + 0
    }
    if (count !~ /^[#=$%]/)
        ran[file, number] = 1
}

END {
    for (file in lines) {
        # Runs of missed lines are shown as one range, whatever comments lie in between.
        missed = ""
        from = to = 0
        for (n = 1; n <= last[file] + 1; n++) {
            counts = (file, n) in ran
            if (counts && !ran[file, n]) {
                from = from ? from : n
                to = n
            } else if (from && (counts || n > last[file])) {
                missed = missed " " (from == to ? from : from "-" to)
                from = 0
            }
            total += counts
            covered += counts && ran[file, n]
            here[file] += counts && ran[file, n]
        }
        if (missed != "")
            printf "%6.1f %%  %s: not run:%s\n", percent(here[file], lines[file]), file, missed
    }
    printf "lines covered in src: %.1f %%\n", percent(covered, total)
    if (!total) {
        print "no line of " root "/src was found"
        exit 1
    }
    exit percent(covered, total) < minimum
}
