#!/bin/sh
# ctest: timeout=60 What the example tells Prometheus: the text is in order by the rules of its
# format, and the numbers agree with each other.
set -eu
export LC_ALL=C
metrics=${ALOOP_BINARY_DIR:?}/examples/metrics
[ -x "$metrics" ] || { echo "the examples are not built"; exit 77; }
command -v curl >/dev/null || { echo "no curl"; exit 77; }
command -v python3 >/dev/null || { echo "no python3"; exit 77; }
. "${ALOOP_SOURCE_DIR:?}/tests/support/peers.sh"

start metrics "$metrics" 0
url=${words##* }
expect "content type" "text/plain; version=0.0.4" \
    "$(curl -s -o "$scratch/one" -w '%{content_type}' --max-time 20 "$url")"
expect "another path" 404 \
    "$(curl -s -o /dev/null -w '%{http_code}' --max-time 20 "${url%metrics}")"
curl -s -o "$scratch/two" --max-time 20 "$url"
stop metrics

cat >"$scratch/check.py" <<'PYTHON'
import re, sys

def parse(path):
    """Samples by name and labels, and the type of each family."""
    text = open(path).read()
    assert text.endswith("\n")
    types, helps, samples, done, family = {}, {}, {}, set(), None
    for line in text.splitlines():
        m = re.fullmatch(r"# (HELP|TYPE) ([a-z_:][a-z0-9_:]*) (.+)", line)
        if m:
            kind, name, rest = m.groups()
            if name != family:
                # All of a family stands together.
                assert name not in done, line
                done.add(name)
                family = name
            seen = helps if kind == "HELP" else types
            assert name not in seen, line
            seen[name] = rest
            continue
        m = re.fullmatch(r'([a-z_:][a-z0-9_:]*)(?:\{le="([^"]+)"\})? (\S+)', line)
        assert m, line
        name, le, value = m.groups()
        base = re.sub(r"_(bucket|sum|count)$", "", name) if types[family] == "histogram" else name
        assert base == family and family in types and family in helps, line
        assert (name, le) not in samples, line
        samples[name, le] = float(value)
    for name, kind in types.items():
        assert kind in ("counter", "gauge", "histogram"), kind
        assert name.endswith("_total") == (kind == "counter"), name
        if kind != "histogram":
            assert (name, None) in samples, name
            continue
        buckets = [(float(le), v) for (n, le), v in samples.items() if n == name + "_bucket"]
        assert len(buckets) > 20 and buckets[-1][0] == float("inf"), name
        assert buckets == sorted(buckets) and len({b[0] for b in buckets}) == len(buckets)
        assert all(a[1] <= b[1] for a, b in zip(buckets, buckets[1:])), name
        count, total = samples[name + "_count", None], samples[name + "_sum", None]
        assert buckets[-1][1] == count
        # The sum lies between what the buckets' ends allow.
        below, low, high = 0, 0.0, 0.0
        for i, (end, so_far) in enumerate(buckets):
            start = buckets[i - 1][0] if i else 0.0
            low += (so_far - below) * start
            high += (so_far - below) * end if so_far > below else 0.0
            below = so_far
        assert low <= total * 1.001 + 1e-6 and total <= high * 1.001 + 1e-6, (low, total, high)
    return types, samples

types, one = parse(sys.argv[1])
types_two, two = parse(sys.argv[2])
assert types == types_two and len(types) == 18, len(types)
for (name, le), value in one.items():
    family = re.sub(r"_(bucket|sum|count)$", "", name)
    if types.get(name) == "counter" or types.get(family) == "histogram":
        assert two[name, le] >= value, (name, le)

def number(name):
    return two[name, None]

# Three requests by then; twenty workers, the main task, the server's and the one that answers.
assert number("aloop_tasks_created_total") - number("aloop_tasks_done_total") == \
    number("aloop_tasks") >= 23
assert number("aloop_tasks_done_total") >= 2
assert number("aloop_polls_total") <= number("aloop_turns_total")
assert number("aloop_callbacks_total") >= number("aloop_step_seconds_count") > 25
assert number("aloop_turn_seconds_count") <= number("aloop_turns_total")
assert number("aloop_lag_seconds_count") <= number("aloop_polls_total")
assert number("aloop_timers") >= 20 and number("aloop_fds") >= 2
assert 0 < number("aloop_pool_used_bytes") <= number("aloop_pool_held_bytes")
assert number("aloop_step_seconds_sum") <= number("aloop_turn_seconds_sum") * 1.001
print("%d families, %d samples" % (len(types), len(two)))
PYTHON
if python3 "$scratch/check.py" "$scratch/one" "$scratch/two"; then sound=yes; else sound=no; fi
expect "the text is in order" yes $sound
exit $status
