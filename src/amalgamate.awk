# The work of amalgamate.sh: prints the internal headers and the sources that are its arguments as
# one file, and writes the public headers to the file `public`.
#
# What is local to a file stays so: a static function or variable, a type or an enumeration constant
# of a source is called NAME_in_FOLDER_FILE if any other file uses that word, for whatever, and a
# tag, if another has that tag; a macro ends with its file. All internal headers come first, and
# what they declare is static.
BEGIN {
    features = "^#(define|undef) (_GNU_SOURCE|_XOPEN_SOURCE|_POSIX_C_SOURCE|_DARWIN_C_SOURCE|" \
        "_NETBSD_SOURCE|__EXTENSIONS__|_FILE_OFFSET_BITS)"
    literal = "^([0-9][A-Za-z_0-9.]*|\"([^\"\\\\]|\\\\.)*\"|'([^'\\\\]|\\\\.)*'|->|##)"
    printf "" >public
    add_public("include/aloop.h")

    for (f = 1; f < ARGC; f++)
        find_headers(ARGV[f])
    close(public)
    read_names(public)
    for (f = 1; f <= header_count; f++)
        read_names(headers[f])
    for (f = 1; f < ARGC; f++)
        read_names(ARGV[f])

    for (f = 1; f <= header_count; f++)
        add_header(headers[f])
    for (f = 1; f < ARGC; f++)
        add_source(ARGV[f])
}

function fail(text)
{
    print "amalgamate: " text >"/dev/stderr"
    exit 1
}

# The file of an #include of the project's own, "" otherwise.
function included(line)
{
    if (line ~ /^#include "/) {
        gsub(/^#include "|".*/, "", line)
        return "src/" line
    }
    if (line ~ /^#include <aloop[\/.]/) {
        gsub(/^#include <|>.*/, "", line)
        return "include/" line
    }
    return ""
}

function add_public(path, line, other)
{
    is_public[path] = 1
    while ((getline line <path) > 0) {
        other = included(line)
        if (other == "")
            print line >public
        else if (!(other in is_public))
            add_public(other)
    }
    close(path)
}

# Headers in an order in which each finds before it what it includes.
function find_headers(path, line, other)
{
    while ((getline line <path) > 0) {
        other = included(line)
        if (other ~ /^src/ && !(other in is_found)) {
            is_found[other] = 1
            find_headers(other)
            headers[++header_count] = other
        } else if (other ~ /^include/ && !(other in is_public)) {
            fail(path " includes " other ", which include/aloop.h does not")
        }
    }
    close(path)
}

# One token: its text, its kind (" " for what lies between tokens, "i" for a word, "" for the rest),
# and the name of the directive that it is in.
function token(value, of_kind)
{
    text[++count] = value
    kind[count] = of_kind
    directive[count] = in_directive
}

# The tokens of a file, without the lines that have no place in the one file.
function tokenise(path, line, rest, in_comment, end)
{
    count = 0
    in_directive = ""
    while ((getline line <path) > 0) {
        if (in_directive == "" && !in_comment) {
            if (included(line) != "" || line ~ features)
                continue
            if (line ~ /^[ ]*#/) {
                in_directive = line
                sub(/^[ ]*#[ ]*/, "", in_directive)
                sub(/[^a-z].*/, "", in_directive)
            }
        }
        rest = line
        while (rest != "") {
            if (in_comment || substr(rest, 1, 2) == "/*") {
                end = index(in_comment ? rest : "  " substr(rest, 3), "*/")
                in_comment = !end
                RLENGTH = end ? end + 1 : length(rest)
                token(substr(rest, 1, RLENGTH), " ")
            } else if (match(rest, /^([ ]|\\$)+/)) {
                token(substr(rest, 1, RLENGTH), " ")
            } else if (match(rest, /^[A-Za-z_][A-Za-z_0-9]*/)) {
                token(substr(rest, 1, RLENGTH), "i")
            } else if (match(rest, literal)) {
                token(substr(rest, 1, RLENGTH), "")
            } else {
                RLENGTH = 1
                token(substr(rest, 1, 1), "")
            }
            rest = substr(rest, RLENGTH + 1)
        }
        token("\n", " ")
        if (!in_comment && line !~ /\\$/)
            in_directive = ""
    }
    close(path)
    find_code()
}

# code[1..code_count] are the tokens that are neither blank nor in a directive; scope[i] is what the
# i-th of them stands in: "" at file scope, else "struct", "enum", "function" or "other"; opens[i]
# says that a declaration at file scope begins there, and parens[i] how many parentheses are open.
function find_code(i, j, depth, paren, value, before, stack, begins)
{
    code_count = 0
    for (i = 1; i <= count; i++) {
        if (kind[i] != " " && directive[i] == "")
            code[++code_count] = i
    }
    code[code_count + 1] = code[code_count + 2] = code[code_count + 3] = 0
    code[0] = code[-1] = 0
    text[0] = ""
    begins = 1
    stack[0] = ""
    for (j = 1; j <= code_count; j++) {
        value = text[code[j]]
        if (value == "}")
            depth--
        else if (value == ")" || value == "]")
            paren--
        scope[j] = stack[depth]
        parens[j] = paren
        opens[j] = depth == 0 && paren == 0 && (begins || value ~ /^(static|typedef|extern)$/)
        if (opens[j])
            begins = 0
        if (value == "{") {
            before = text[code[j - 1]]
            if (before !~ /^(struct|union|enum)$/)
                before = text[code[j - 2]]
            if (before == "union")
                before = "struct"
            if (before !~ /^(struct|enum)$/)
                before = depth == 0 && text[code[j - 1]] == ")" ? "function" : "other"
            stack[++depth] = before
        } else if (value == "(" || value == "[") {
            paren++
        } else if (depth == 0 && paren == 0 && value ~ /^[;}]$/) {
            begins = value == ";" || stack[1] == "function"
        }
    }
}

# The words of a file, and of a source those that are its own: own[file, "tag" or "name", word].
function read_names(path, i, j, value, before, after, declares)
{
    tokenise(path)
    for (i = 1; i <= count; i++) {
        if (kind[i] == "i" && !((path, text[i]) in is_in)) {
            is_in[path, text[i]] = 1
            files_with[text[i]]++
        }
        if (text[i] == "##" && text[i + 1] ~ /^_/)
            pasted[path] = pasted[path] text[i + 1] "|"
    }
    for (j = 1; j <= code_count; j++) {
        if (path !~ /\.c$/) {
            if (text[code[j]] ~ /^(struct|union|enum)$/)
                is_header_tag[text[code[j + 1]]] = 1
            continue
        }
        if (opens[j])
            declares = text[code[j]]
        value = text[code[j]]
        before = text[code[j - 1]]
        after = text[code[j + 1]]
        if (kind[code[j]] != "i")
            continue
        if (before ~ /^(struct|union|enum)$/ && after == "{") {
            files_with_tag[value] += !((path, "tag", value) in own)
            own[path, "tag", value] = 1
        } else if (scope[j] == "enum" && before ~ /^[{,]$/)
            own[path, "name", value] = 1
        else if (scope[j] != "")
            continue
        else if (declares == "ALOOP_CORO" && before == "(")
            is_coroutine[path, value] = 1
        else if (declares ~ /^(static|typedef)$/ && is_declared(j, before, after))
            own[path, "name", value] = 1
    }
}

# Whether the static or typedef at file scope declares the j-th word of the code.
function is_declared(j, before, after)
{
    if (before == "*" && text[code[j - 2]] == "(" && after == ")")
        return parens[j] == 1
    return parens[j] == 0 && after ~ /^[(=;,[]$/ && text[code[j + 2]] != "*" &&
        text[code[j]] !~ /^_/
}

# The word as it is called in the one file.
function renamed(path, space, word, name)
{
    if (!((path, space, word) in own) || files_with[word] < 2)
        return word
    # Debuggers know some tags.
    if (space == "tag" && (word in is_header_tag || files_with_tag[word] < 2))
        return word
    # A coroutine's name is shown to the user, and a name that a macro pastes together has no word.
    if ((path, word) in is_coroutine || word ~ "(" pasted[path] "##)$")
        return word
    name = path
    gsub(/^src\/|\.c$/, "", name)
    gsub(/[^A-Za-z0-9]/, "_", name)
    name = word "_in_" name
    if (name in files_with)
        fail(path ": there is a " name " already")
    return name
}

# Whether a word names a member of a struct. `third` stands before it, `first` two before that.
function is_member(scope, paren, first, third, after)
{
    if (third == "." || third == "->")
        return 1
    # CONTAINER_OF(node, struct job, entry)
    if (third == "," && first ~ /^(struct|union)$/)
        return 1
    return scope == "struct" && !paren && after ~ /^[;,:[]$/
}

function rename_all(path, i, j, k, first, second, third, after, space)
{
    j = 0
    for (i = 1; i <= count; i++) {
        if (kind[i] == " ")
            continue
        if (directive[i] == "")
            j++
        for (k = i + 1; k <= count && kind[k] == " "; k++)
            ;
        after = k <= count ? text[k] : ""
        if (kind[i] == "i" && (directive[i] == "" || directive[i] == "define")) {
            space = third ~ /^(struct|union|enum)$/ ? "tag" : "name"
            if (!is_member(directive[i] == "" ? scope[j] : "", parens[j], first, third, after))
                new_text[i] = renamed(path, space, text[i])
        }
        first = second
        second = third
        third = text[i]
    }
    for (i in new_text)
        text[i] = new_text[i]
    split("", new_text)
}

function print_tokens(path, i)
{
    printf "\n/* %s */\n", path
    for (i = 1; i <= count; i++)
        printf "%s", text[i]
}

# Where the declaration that begins at j has its end, or the beginning of what it is defined as.
function declaration_end(j)
{
    while (j < code_count && (parens[j] > 0 || text[code[j]] !~ /^[;={]$/))
        j++
    return j
}

function add_header(path, j, end, first, name)
{
    tokenise(path)
    for (j = 1; j <= code_count; j++) {
        first = text[code[j]]
        if (!opens[j] || first ~ /^(typedef|_Static_assert|ALOOP_API)$/)
            continue
        if (first == "static") {
            text[code[j]] = "static ALOOP_UNUSED"
            continue
        }
        end = declaration_end(j)
        if (first == "extern") {
            name = text[code[end - 1]] == "]" ? array_name(end) : text[code[end - 1]]
            # The probes' semaphore is what tracers find by its name.
            if (name !~ /^aloop_/) {
                text[code[j]] = "ALOOP_INTERNAL"
                is_data[name] = 1
            }
        } else if (text[code[end]] == ";" && has_parameters(j, end)) {
            text[code[j]] = "ALOOP_INTERNAL " first
        }
    }
    print_tokens(path)
}

function has_parameters(j, end)
{
    for (; j < end; j++) {
        if (text[code[j]] == "(")
            return 1
    }
    return 0
}

function array_name(end)
{
    while (text[code[end]] != "[")
        end--
    return text[code[end - 1]]
}

function add_source(path, i, j, end, name, guarded, undefined)
{
    tokenise(path)
    rename_all(path)
    for (j = 1; j <= code_count; j++) {
        if (!opens[j] || text[code[j]] ~ /^(static|typedef|extern)$/)
            continue
        end = declaration_end(j)
        name = text[code[end - 1]] == "]" ? array_name(end) : text[code[end - 1]]
        if (name in is_data)
            text[code[j]] = "ALOOP_INTERNAL_DATA " text[code[j]]
    }
    print_tokens(path)
    # A macro that stands in for one that the system lacks is the same everywhere.
    for (i = 1; i <= count; i++) {
        if (directive[i] == "" || directive[i] == directive[i - 1] && text[i - 1] != "#")
            continue
        if (text[i] == "ifndef")
            guarded = text[i + 2]
        else if (text[i] == "define" && text[i + 2] != guarded && !(text[i + 2] in undefined)) {
            undefined[text[i + 2]] = 1
            print "#undef " text[i + 2]
        }
    }
}
