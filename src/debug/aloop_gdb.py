"""
The tasks of a loop, from outside: of a process that hangs, or of a core file. In gdb:

    source aloop_gdb.py
    aloop-dump              the loops that run in the threads of the program
    aloop-dump EXPRESSION   a loop by a pointer to it

It prints what aloop_dump() would (see <aloop/debug.h>), as far as that can be known without calling
anything in the process: all but the counts of what is no task, and the words of some operations.
The library must have been compiled with debug information.
"""
import gdb

NEVER = (1 << 63) - 1
SCOPE_GROUP, SCOPE_HOLD = 2, 3
FUTURE_PLAIN, FUTURE_GATHER = 0, 2
TASK_MODE, TASK_WAITS, TASK_YIELDS, TASK_IS_QUEUED = 3, 1, 2, 4
OP_HAS_TIMEOUT, OP_DEADLINE_SET = 2, 4
SCOPE_FIRED, GROUP_CLOSED = 1, 4
FINALLY, FRAMES_END, INDENT_MAX = 1, 32, 20


def type_of(name):
    return gdb.lookup_type(name)


def cast(value, name):
    return value.cast(type_of(name).pointer())


def address(value):
    return int(value)


def offset_of(struct, member):
    for field in type_of(struct).fields():
        if field.name == member:
            return field.bitpos // 8
    raise gdb.GdbError("%s has no %s" % (struct, member))


def container_of(value, struct, member):
    pointer = gdb.Value(address(value) - offset_of(struct, member))
    return pointer.cast(type_of(struct).pointer())


def text(value):
    return value.string() if address(value) != 0 else ""


def seconds(duration):
    duration = max(duration, 0)
    return "%d.%03d s" % (duration // 10**9, duration % 10**9 // 10**6)


def list_items(head, struct, member):
    """The structs in a list, by the link that they are in it with."""
    link = head["next"]
    while address(link) != 0 and address(link) != address(head.address):
        yield container_of(link, struct, member)
        link = link["next"]


def slot(slots, number, struct):
    """An object by its number; None if that names nothing."""
    index = number & ((1 << 30) - 1)
    if index >> 6 >= int(slots["chunk_count"]):
        return None
    chunk = slots["chunks"][index >> 6]
    found = gdb.Value(address(chunk) + (index & 63) * int(slots["object_size"]))
    found = cast(found, struct)
    return found if int(found["slot"]["number"]) == number else None


class Task:
    def __init__(self, pointer, number):
        self.pointer = pointer
        self.number = number
        self.future = address(pointer["future"].address)
        self.edges = []  # (node, is it a child, is there no other way to go on)

    def frames(self):
        frame, frames = self.pointer["frame"], []
        while address(frame) != 0:
            frames.append(frame)
            frame = frame["caller"]
        return frames[::-1]

    def scopes(self):
        scope = self.pointer["scope"]
        while address(scope) != 0:
            yield scope
            scope = scope["outer"]

    def mode(self):
        return int(self.pointer["state"]) & TASK_MODE

    def op(self):
        return self.pointer["op"] if self.mode() == TASK_WAITS else None

    def name(self):
        return "%s#%d" % (text(self.frames()[0]["coro"]["name"]), self.number)


class Composite:
    def __init__(self, future, kind):
        self.future = future
        self.kind = kind
        self.edges = []

    def name(self):
        return "gather" if self.kind == FUTURE_GATHER else "shield"


def line_of(frame):
    line = int(frame["line"])
    return line if line > 0 else int(frame["coro"]["line"])


def place_of(frame):
    return "%s:%d" % (text(frame["coro"]["file"]), line_of(frame))


def op_name(op):
    kind = op["type"]
    return text(kind["name"]) if address(kind) != 0 else "an operation"


def op_limit(op):
    both = OP_HAS_TIMEOUT | OP_DEADLINE_SET
    return int(op["timeout"]) if int(op["flags"]) & both == both else NEVER


class Dump:
    def __init__(self, loop):
        self.loop = loop
        self.now = int(loop["now"])
        self.nodes = []
        self.by_future = {}
        self.holders = {}
        last = int(loop["last_task_number"])
        for pointer in list_items(loop["tasks"], "struct aloop_task", "link"):
            number = int(pointer["number"])
            if number == 0:
                last += 1
                number = last
            self.add(Task(pointer, number))
        for pointer in list_items(loop["composites"], "struct composite", "link"):
            future = pointer["future"]
            self.add(Composite(address(future.address), int(future["kind"])))
        for node in self.nodes:
            if isinstance(node, Task):
                self.find_holds(node)
        for node in self.nodes:
            self.find_edges(node)

    def add(self, node):
        self.nodes.append(node)
        self.by_future[node.future] = node

    # --- who waits for whom ---

    def find_holds(self, task):
        for scope in task.scopes():
            if int(scope["kind"]) == SCOPE_HOLD:
                self.holders[address(cast(scope, "aloop_hold")["what"])] = task

    def futures_of(self, op):
        """What an operation waits for, and whether one of them is enough."""
        name, argument = op_name(op), op["arg"][0]["pointer"]
        if name in ("join", "shield", "gather"):
            return [address(argument)], False
        if name in ("group", "end of group"):
            return self.children_of(cast(argument, "aloop_group")), False
        if name in ("wait", "race"):
            chosen = cast(argument, "struct future_set")
            count = int(chosen["count"])
            return [address(chosen["members"][i]["future"]) for i in range(count)], True
        if name == "as_completed":
            pending = cast(cast(argument, "aloop_as_completed")["pending"].address, "struct list")
            entries = list_items(pending.dereference(), "struct entry", "link")
            return [address(entry["future"]) for entry in entries], True
        if name == "select":
            futures = []
            for case in self.cases_of(op):
                futures += self.futures_of(case)[0]
            return futures, True
        return [], False

    def cases_of(self, op):
        cases = cast(op["arg"][0]["pointer"], "aloop_select_case")
        return [cases[i]["op"] for i in range(int(op["arg"][1]["size"]))]

    def children_of(self, group):
        if int(group["flags"]) & GROUP_CLOSED:
            return []
        children = cast(group["children"].address, "struct list").dereference()
        members = list_items(children, "struct member", "link")
        return [address(member["task"]["future"].address) for member in members]

    def add_edge(self, node, future, is_child, is_must):
        to = self.by_future.get(future)
        if to is not None:
            node.edges.append((to, is_child, is_must))

    def find_edges(self, node):
        if isinstance(node, Composite):
            for future in self.parts_of(node):
                self.add_edge(node, future, False, True)
            return
        op, awaited = node.op(), None
        if op is not None:
            futures, is_any = self.futures_of(op)
            for future in futures:
                self.add_edge(node, future, False, not is_any and op_limit(op) == NEVER)
            awaited = address(op["arg"][0]["pointer"])
        for scope in node.scopes():
            if int(scope["kind"]) == SCOPE_GROUP and address(scope) != awaited:
                for future in self.children_of(cast(scope, "aloop_group")):
                    self.add_edge(node, future, True, False)

    def parts_of(self, node):
        if node.kind == FUTURE_GATHER:
            gather = cast(gdb.Value(node.future), "struct gather")
            futures = [gather["children"][i]["future"] for i in range(int(gather["count"]))]
        else:
            futures = [cast(gdb.Value(node.future), "struct shield")["inner"]]
        return [address(future) for future in futures]

    # --- words ---

    def fd_of(self, op, name):
        number = int(op["arg"][0]["number"])
        if name in ("readable", "writable"):
            return number
        if name == "connect":
            number = int(op["arg"][2]["number"])
        if name in ("recv", "recv_exactly", "send", "send_all", "accept", "connect"):
            watch = slot(self.loop["watches"], number, "struct watch")
            return int(watch["fd"]) if watch is not None else None
        if name.startswith("stream ") and address(self.loop["streams"]) != 0:
            streams = cast(self.loop["streams"], "struct streams")
            stream = slot(streams["slots"], number, "struct stream")
            if stream is not None and address(stream["context"]) == address(
                    stream["socket"].address):
                return int(stream["socket"]["fd"])
        return None

    def describe(self, op):
        name = op_name(op)
        words, fd = name, self.fd_of(op, name)
        if fd is not None:
            words += " on fd %d" % fd
        futures, _ = self.futures_of(op) if name != "select" else ([], False)
        if futures and futures[0] != 0:
            first = cast(gdb.Value(futures[0]), "struct aloop_future")
            if int(first["kind"]) == FUTURE_PLAIN:
                words += " on a future"
        if name.startswith("queue "):
            words += self.describe_queue(op, name)
        if name in ("lock", "once"):
            holder = self.holders.get(address(op["arg"][0]["pointer"]))
            if holder is not None:
                frame = holder.pointer["frame"]
                words += ", held by %s (%s)" % (holder.name(), place_of(frame))
        if name == "sleep":
            words += ", %s left" % seconds(int(op["arg"][0]["number"]) - self.now)
        if name == "select":
            words += " of " + " | ".join(self.describe(case) for case in self.cases_of(op))
        if op_limit(op) != NEVER:
            words += ", time limit in %s" % seconds(op_limit(op) - self.now)
        return words

    def describe_queue(self, op, name):
        queue = cast(op["arg"][0]["pointer"], "aloop_queue")
        count, limit = int(queue["count"]), int(queue["limit"])
        if name == "queue join":
            return ", %d items unfinished" % int(queue["unfinished"])
        if limit >= (1 << (8 * queue["limit"].type.sizeof)) - 1:
            return ", %d items" % count
        return ", %d of %d items" % (count, limit)

    def state_of(self, task):
        op, pointer = task.op(), task.pointer
        if address(self.loop["current_task"]) == address(pointer):
            return "runs"
        if op is not None:
            return self.describe(op) + (", woken" if int(pointer["state"]) & TASK_IS_QUEUED else "")
        if task.mode() == TASK_YIELDS:
            return "yields"
        frame = pointer["frame"]
        is_new = address(frame["caller"]) == 0 and int(frame["line"]) == 0
        return "has not begun" if is_new else "ready"

    # --- the text ---

    def print_frames(self, task, indent):
        frames = task.frames()
        for i, frame in enumerate(frames):
            if len(frames) > 2 * FRAMES_END and FRAMES_END <= i < len(frames) - FRAMES_END:
                if i == FRAMES_END:
                    print("%s  | ... %d more calls" % (indent, len(frames) - 2 * FRAMES_END))
                continue
            words = "%s  | %s (%s)" % (indent, text(frame["coro"]["name"]), place_of(frame))
            if int(frame["flags"]) & FINALLY:
                words += " [cleaning up]"
            for scope in task.scopes():
                if address(scope["frame"]) == address(frame):
                    deadline = self.deadline_of(scope)
                    if deadline != NEVER:
                        words += " [time limit in %s]" % seconds(deadline - self.now)
            if i == len(frames) - 1:
                words += ": " + self.state_of(task)
            print(words)
        generator = task.pointer["generators"]
        while address(generator) != 0:
            if not int(generator["is_running"]):
                frame = generator["frame"]
                print("%s  | generator %s (%s) stands still" %
                      (indent, text(frame["coro"]["name"]), place_of(frame)))
            generator = generator["older"]

    def deadline_of(self, scope):
        timer = cast(scope["timer"].address, "struct timer")
        if address(timer["place"]) == 0 and not int(scope["flags"]) & SCOPE_FIRED:
            return NEVER
        return int(timer["deadline"])

    def print_tree(self, start, printed):
        stack = [(start, 0, False)]
        while stack:
            node, depth, is_child = stack.pop()
            indent = " " * (4 * min(depth, INDENT_MAX))
            words = indent + node.name()
            if node.future in printed:
                print(words + " [see there]")
                continue
            printed.add(node.future)
            if is_child:
                words += " [in its group]"
            if isinstance(node, Task) and int(node.pointer["cancelling"]) > 0:
                words += " [cancelled]"
            print(words)
            if isinstance(node, Task):
                self.print_frames(node, indent)
            for to, to_is_child, _ in reversed(node.edges):
                stack.append((to, depth + 1, to_is_child))

    def print(self):
        tasks = sum(isinstance(node, Task) for node in self.nodes)
        print("time %s; %d task%s" % (seconds(self.now), tasks, "" if tasks == 1 else "s"))
        awaited = {edge[0].future for node in self.nodes for edge in node.edges}
        printed = set()
        for node in self.nodes:
            if node.future not in awaited:
                self.print_tree(node, printed)
        for node in self.nodes:
            if node.future not in printed:
                self.print_tree(node, printed)


def running_loops():
    """The loops that run in the threads of the program."""
    loops, selected = [], gdb.selected_thread()
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        try:
            loop = gdb.parse_and_eval("'running.c'::running_loop")
        except gdb.error:
            continue
        if address(loop) != 0:
            loops.append(loop)
    if selected is not None:
        selected.switch()
    return loops


class AloopDump(gdb.Command):
    """Print the tasks of a loop, as a tree of who waits for whom.

    aloop-dump [EXPRESSION]: a pointer to the loop; without it, those that run in some thread."""

    def __init__(self):
        super().__init__("aloop-dump", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        try:
            type_of("struct aloop_task")
        except gdb.error:
            raise gdb.GdbError("there is no debug information of libaloop")
        loops = [gdb.parse_and_eval(argument)] if argument else running_loops()
        if not loops:
            raise gdb.GdbError("no loop runs; give a pointer to one")
        for loop in loops:
            Dump(cast(loop, "struct aloop")).print()


AloopDump()
