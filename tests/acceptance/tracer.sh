#!/bin/sh
# ctest: timeout=120 A trace of the example web server under load: a JSON parser takes it, and it
# holds together.
set -eu
export LC_ALL=C
httpd=${ALOOP_BINARY_DIR:?}/examples/httpd
[ -x "$httpd" ] || { echo "the examples are not built"; exit 77; }
command -v curl >/dev/null || { echo "no curl"; exit 77; }
command -v python3 >/dev/null || { echo "no python3"; exit 77; }
. "${ALOOP_SOURCE_DIR:?}/tests/support/peers.sh"

mkdir "$scratch/root"
echo "hello" >"$scratch/root/hello.txt"
start httpd "$httpd" "$scratch/root" 0 "$scratch/trace.json"
url=${words##* }
url=${url%/}

for _ in 1 2 3; do
    expect "a file" hello "$(curl -s --max-time 20 "$url/hello.txt")"
done
sessions=3
if command -v wrk >/dev/null; then
    wrk -t1 -c16 -d1s "$url/hello.txt" >"$scratch/wrk"
    if grep -E 'Socket errors|Non-2xx' "$scratch/wrk"; then errors=yes; else errors=no; fi
    expect "errors under load" no $errors
    sessions=19
fi
stop httpd

cat >"$scratch/check.py" <<'PYTHON'
import json, sys
from collections import Counter, defaultdict

events = json.load(open(sys.argv[1]))
sessions = int(sys.argv[2])
names = {}  # of tracks
for e in events:
    assert e["pid"] == 1 and isinstance(e["tid"], int) and e["ph"] in "MXisf", e
    if e["ph"] == "M" and e["name"] == "thread_name":
        assert e["tid"] not in names, e
        names[e["tid"]] = e["args"]["name"]
assert names[1] == "loop" and len(set(names.values())) == len(names), names

slices = defaultdict(list)
for e in events:
    assert e["tid"] in names, e
    if e["ph"] == "M":
        continue
    assert e["ts"] >= 0, e
    if e["ph"] == "X":
        assert e["dur"] >= 0, e
        slices[e["tid"]].append(e)

# One thread: whatever the track, nothing begins before the last has ended.
end = 0.0
everything = sorted((e for each in slices.values() for e in each), key=lambda e: e["ts"])
for e in everything:
    assert e["ts"] >= end - 0.0005, (e, end)
    end = e["ts"] + e["dur"]

kinds = Counter(e["name"] for e in everything)
assert kinds["poll"] > sessions and kinds["callback"] >= 1, kinds
assert kinds["main_task"] >= 2 and kinds["serve"] >= 2, kinds
polls = [e for e in everything if e["name"] == "poll"]
assert sum(e["args"].get("events", 0) for e in polls) >= sessions
for e in everything:
    if e["name"] in ("poll", "callback"):
        assert e["tid"] == 1, e
        continue
    track = names[e["tid"]]
    assert track == e["name"] or track.startswith(e["name"] + " "), (e, track)
    assert e["args"]["task"] >= 1
    assert "result" in e["args"] or ("in" in e["args"] and ":" in e["args"]["at"]), e

# Each task is made once, and what has ended has ended once.
created = Counter(e["args"]["task"] for e in events if e["ph"] == "i" and e["name"] == "created")
ended = Counter(e["args"]["task"] for e in everything if "result" in e["args"])
assert max(created.values()) == 1 and max(ended.values()) == 1
connections = [e for e in events if e["ph"] == "i" and e["name"] == "created"
               and names[e["tid"]].split(" ")[0] == "connection"]
assert len(connections) >= sessions, len(connections)
assert set(created) <= set(ended)

# An arrow begins in a slice of what woke, and ends in a later step of the track that it names.
starts = {e["id"]: e for e in events if e["ph"] == "s"}
finishes = {e["id"]: e for e in events if e["ph"] == "f"}
assert starts and set(finishes) <= set(starts)
assert len(finishes) >= len(starts) - 100, (len(starts), len(finishes))
begins = {tid: {e["ts"] for e in each} for tid, each in slices.items()}
for id, f in finishes.items():
    s = starts[id]
    assert s["ts"] <= f["ts"], (s, f)
    assert s["ts"] in begins[s["tid"]] and f["ts"] in begins[f["tid"]], (s, f)
# While it serves, a connection stands in a coroutine that its own has called.
assert any(e["args"].get("in") == "read_head" for e in everything if e["name"] == "connection")
print("%d events, %d tracks, %d steps of connections, %d arrows" %
      (len(events), len(names), kinds["connection"], len(starts)))
PYTHON
if python3 "$scratch/check.py" "$scratch/trace.json" $sessions; then sound=yes; else sound=no; fi
expect "the trace holds together" yes $sound
exit $status
