# Reads C files and prints "FILE:LINE:CODE" for each line, with comments gone and the contents of
# string and character literals emptied, so that a search sees what the compiler sees. A line that
# carries a comment beginning with "allowed:" (which says why) is left out altogether.
function emit()
{
    if (!allowed && code !~ /^[ ]*$/)
        printf "%s:%d:%s\n", FILENAME, FNR, code
}

FNR == 1 { in_comment = 0 }

{
    code = ""
    allowed = index($0, "/* allowed:") > 0
    n = length($0)
    for (i = 1; i <= n; i++) {
        two = substr($0, i, 2)
        c = substr($0, i, 1)
        if (in_comment) {
            if (two == "*/") {
                in_comment = 0
                i++
            }
        } else if (two == "/*") {
            in_comment = 1
            code = code " "
            i++
        } else if (two == "//") {
            break
        } else if ((c == "\"" || c == "'") && code !~ /^[ ]*#[ ]*include/) {
            code = code c
            for (i++; i <= n && substr($0, i, 1) != c; i++)
                if (substr($0, i, 1) == "\\")
                    i++
            code = code c
        } else {
            code = code c
        }
    }
    emit()
}
