# Draws the figures that the benchmarks write, as SVG: a line for each work, on which a mark for
# each engine stands where its cost is, measured in that of the engine which comes first (ours),
# with a bar from its smallest to its largest sample. The scale is logarithmic.
#     awk -f chart.awk results.csv >results.svg

# The fields of a line; some are in quotes and hold commas.
function split_line(line, out,    count, i, c, quoted)
{
    delete out
    count = 1
    out[1] = ""
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (c == "\"")
            quoted = !quoted
        else if (c == "," && !quoted)
            out[++count] = ""
        else
            out[count] = out[count] c
    }
    return count
}

function text(x, y, class, words)
{
    gsub(/&/, "\\&amp;", words)
    gsub(/</, "\\&lt;", words)
    printf "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">%s</text>\n", x, y, class, words
}

# Where a ratio stands; what is off the scale stands at its end.
function place(ratio)
{
    if (ratio < lowest)
        ratio = lowest
    if (ratio > highest)
        ratio = highest
    return left + width * (log(ratio) - log(lowest)) / (log(highest) - log(lowest))
}

function round_to(value)
{
    return value < 10 ? sprintf("%.2f", value) : value < 1000 ? sprintf("%.1f", value) \
                                                             : sprintf("%.0f", value)
}

function family(engine)
{
    sub(/-.*/, "", engine)
    return engine
}

function color(engine,    name)
{
    name = family(engine)
    if (name in colors)
        return colors[name]
    return "#777777"
}

# The ways of a library are all of one color; their shapes tell them apart.
function mark(x, y, engine, index_in_family, title,    shape)
{
    if (index_in_family == 1)
        shape = sprintf("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"", x, y)
    else if (index_in_family == 2)
        shape = sprintf("<rect x=\"%.1f\" y=\"%.1f\" width=\"8\" height=\"8\"", x - 4, y - 4)
    else
        shape = sprintf("<path d=\"M%.1f %.1fl5 8h-10z\"", x, y - 5)
    printf "%s fill=\"%s\" fill-opacity=\"0.85\"><title>%s</title></%s>\n", shape, color(engine),
        title, index_in_family == 1 ? "circle" : index_in_family == 2 ? "rect" : "path"
}

BEGIN {
    left = 190
    width = 620
    row = 22
    lowest = 1 / 8
    highest = 512
    colors["libaloop"] = "#c0392b"
    colors["epoll"] = "#444444"
    colors["libuv"] = "#2e86c1"
    colors["libev"] = "#28a05a"
    colors["libevent"] = "#8e5cc0"
    colors["evhttp"] = "#b8860b"
    colors["redis"] = "#d35400"
    colors["nginx"] = "#0e8f8f"
    colors["raw"] = "#444444"
    colors["asyncio"] = "#c4a000"
}

FNR == 1 { next }

{
    split_line($0, field)
    # A window too short for the clock that was read.
    if (field[7] <= 0 || field[9] <= 0)
        next
    section = field[1] ": " field[4]
    if (!(section in section_rows))
        sections[++section_count] = section
    name = section SUBSEP field[2]
    if (!(name in engines_of)) {
        names[section, ++section_rows[section]] = field[2]
        first[name] = field[6] + 0
    }
    i = ++engines_of[name]
    engine[name, i] = field[3]
    seen = ++families[name, family(field[3])]
    index_of[name, i] = seen
    median[name, i] = field[6] + 0
    more = field[5] == "more"
    # As a cost: of what there should be more of, the inverse.
    cost[name, i] = more ? field[9] : 1 / field[9]
    spread_low[name, i] = cost[name, i] * (more ? field[6] / field[8] : field[7] / field[6])
    spread_high[name, i] = cost[name, i] * (more ? field[6] / field[7] : field[8] / field[6])
    known[family(field[3])]
}

END {
    height = 110
    # One engine alone compares with nothing.
    for (s = 1; s <= section_count; s++) {
        shown[s] = 0
        for (r = 1; r <= section_rows[sections[s]]; r++)
            if (engines_of[sections[s], names[sections[s], r]] > 1)
                shown[s]++
        if (shown[s] > 0)
            height += 44 + row * shown[s]
    }
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" " \
        "viewBox=\"0 0 %d %d\">\n", left + width + 120, height, left + width + 120, height
    print "<style>text{font:12px sans-serif;fill:#222}.head{font-weight:bold;font-size:13px}" \
        ".row{text-anchor:end}.tick{text-anchor:middle;font-size:10px;fill:#666}" \
        ".value{font-size:10px;fill:#666}</style>"
    print "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
    text(16, 24, "head",
         "The cost of each engine, in that of libaloop's first one on the same line")
    text(16, 42, "value", "To the right of 1: it costs more than libaloop. Marks: median; bars: " \
        "from the smallest to the largest sample. Squares and triangles: a library's second and " \
        "third way.")
    text(16, 57, "value", "At the right: the figure of libaloop's first way.")
    x = 16
    count = split("libaloop epoll libuv libev libevent evhttp redis nginx asyncio", order, " ")
    for (e = 1; e <= count; e++)
        if (order[e] in known && order[e] in colors) {
            mark(x + 4, 76, order[e], 1, order[e])
            text(x + 13, 80, "legend", order[e])
            x += 84
        }
    y = 110
    for (s = 1; s <= section_count; s++) {
        section = sections[s]
        if (shown[s] == 0)
            continue
        text(16, y, "head", section)
        top = y + 18
        bottom = top + row * shown[s]
        for (tick = lowest; tick <= highest; tick *= 2) {
            printf "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n",
                place(tick), place(tick), top, bottom, tick == 1 ? "#c0392b" : "#dddddd"
            text(place(tick), top - 4, "tick", tick < 1 ? "1/" 1 / tick : tick)
        }
        y = top + row / 2
        for (r = 1; r <= section_rows[section]; r++) {
            name = section SUBSEP names[section, r]
            if (engines_of[name] < 2)
                continue
            text(left - 12, y + 4, "row", names[section, r])
            for (i = engines_of[name]; i >= 1; i--)
                printf "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" " \
                    "stroke-width=\"2\" stroke-opacity=\"0.45\"/>\n", place(spread_low[name, i]),
                    place(spread_high[name, i]), y, y, color(engine[name, i])
            for (i = engines_of[name]; i >= 1; i--)
                mark(place(cost[name, i]), y, engine[name, i], index_of[name, i],
                     engine[name, i] ": " round_to(median[name, i]))
            text(left + width + 14, y + 4, "value", round_to(first[name]))
            y += row
        }
        y = bottom + 26
    }
    print "</svg>"
}
