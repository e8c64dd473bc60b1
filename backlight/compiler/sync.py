"""How threads meet, as LLVM text: the barrier inside programs, and what the pool's workers run between jobs.

The threads of a team share one block of memory, the sync area. Whatever different threads write stands 128 bytes
apart, since processors move memory between cores in lines of 64 bytes and often fetch two.

    ARRIVALS    i32   how many threads have reached the barrier
    EPOCH       i32   how often the barrier has opened; those who wait for it look here
    STOP        ptr   what thread 0 asks between steps whether to end: i64 (ptr sync), or null where nobody may ask; the
                      rest of the line is the program's. Threads that asked at different times would get different
                      answers, and one that ends leaves the others waiting for ever: thread 0 asks for all of them
    STATUS      i64   what went wrong while the program ran; 0 is nothing
    JOB               entry, arguments, threads, scratch, bytes of it for each thread
    REMAINING   i32   how many workers have not finished the job
    SIGNALS           when to look for signals next; Python's functions for that; the exception that a handler raised
    MAILBOXES   i32   one for each worker: what it does (AWAKE, ASLEEP) or is told to do (POSTED, QUIT)
"""

from __future__ import annotations

import sys
from platform import machine

__all__ = [
    "ARRIVALS",
    "EPOCH",
    "INTERRUPTED",
    "LINE",
    "MAILBOXES",
    "QUIT",
    "RAISED",
    "REMAINING",
    "SIGNALS",
    "STATUS",
    "STOP",
    "asked_text",
    "barrier_text",
    "pool_text",
    "take_text",
]

LINE = 128
ARRIVALS, EPOCH, STOP, STATUS, JOB, REMAINING, SIGNALS, MAILBOXES = (LINE * line for line in range(8))
RAISED = SIGNALS + LINE // 2
INTERRUPTED = 1 << 62  # the status of a run that a signal's handler has ended
AWAKE, POSTED, ASLEEP, QUIT = range(4)

# Who waits looks so many times (about a microsecond), then gives the core away between two looks: nobody else may want
# it, but if it is another thread of the team that does, looking on would only keep it waiting.
LOOKS = 30
# Milliseconds after which the thread that calls looks for signals again. Looking takes the interpreter's lock, which
# another thread of Python's may hold for 5 of them.
PATIENCE = 200
# A worker that has looked, and given way so many times (about 100 microseconds), goes to sleep.
YIELDS = 200

_PAUSE = {
    "x86_64": ("declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"),
    "aarch64": ("declare void @llvm.aarch64.isb(i32)", "call void @llvm.aarch64.isb(i32 15)"),
}
_ALIASES = {"amd64": "x86_64", "arm64": "aarch64"}


_BARRIER = """
; Returns when the word no longer holds %seen.
define internal void @await(ptr %word, i32 %seen) noinline nounwind {{
entry:
  br label %look
look:
  %turn = phi i64 [ 0, %entry ], [ %next, %pause ], [ %turn, %yield ]
  %now = load atomic i32, ptr %word acquire, align 4
  %same = icmp eq i32 %now, %seen
  br i1 %same, label %stay, label %done
stay:
  %patient = icmp ult i64 %turn, {LOOKS}
  br i1 %patient, label %pause, label %yield
pause:
  {pause}
  %next = add i64 %turn, 1
  br label %look
yield:
  %yielded = {yielding}
  br label %look
done:
  ret void
}}

; Every thread of the team arrives before any of them leaves, and each then sees what the others wrote before.
; The last to arrive opens the next epoch; nothing has to be reset when the next job has another number of threads.
define internal void @barrier(ptr %sync, i64 %thread, i64 %threads) noinline nounwind {{
entry:
  %alone = icmp ule i64 %threads, 1
  br i1 %alone, label %done, label %meet
meet:
  %epochs = getelementptr i8, ptr %sync, i64 {EPOCH}
  %epoch = load atomic i32, ptr %epochs monotonic, align 4
  %count = trunc i64 %threads to i32
  %before = atomicrmw add ptr %sync, i32 1 acq_rel
  %arrived = add i32 %before, 1
  %complete = icmp eq i32 %arrived, %count
  br i1 %complete, label %open, label %wait
open:
  store atomic i32 0, ptr %sync monotonic, align 4
  %following = add i32 %epoch, 1
  store atomic i32 %following, ptr %epochs release, align 4
  br label %done
wait:
  call void @await(ptr %epochs, i32 %epoch)
  br label %done
done:
  ret void
}}
"""

# Pieces are shared out beforehand, so that a thread finds again what it has read and written in its own cache. Who is
# done early goes on with what others have left: a core may be slower than another, or have something else to do.
_TAKE = """
; The number of a piece that nobody has taken, or -1: first of the thread's own, then of the others'.
define internal i64 @take(ptr %counters, i64 %pieces, i64 %thread, i64 %threads) noinline nounwind {{
entry:
  br label %look
look:
  %step = phi i64 [ 0, %entry ], [ %more, %next ]
  %sum = add i64 %thread, %step
  %beyond = icmp uge i64 %sum, %threads
  %around = sub i64 %sum, %threads
  %owner = select i1 %beyond, i64 %around, i64 %sum
  %start = mul i64 %owner, %pieces
  %first = udiv i64 %start, %threads
  %stop = add i64 %start, %pieces
  %last = udiv i64 %stop, %threads
  %count = sub i64 %last, %first
  %offset = mul i64 %owner, {LINE}
  %place = getelementptr i8, ptr %counters, i64 %offset
  %seen = load atomic i64, ptr %place monotonic, align 8
  %some = icmp ult i64 %seen, %count
  br i1 %some, label %grab, label %next
grab:
  %k = atomicrmw add ptr %place, i64 1 monotonic
  %mine = icmp ult i64 %k, %count
  br i1 %mine, label %found, label %next
found:
  %piece = add i64 %first, %k
  ret i64 %piece
next:
  %more = add i64 %step, 1
  %end = icmp uge i64 %more, %threads
  br i1 %end, label %none, label %look
none:
  ret i64 -1
}}
"""

# Between two steps of a loop, thread 0 asks whether to go on; what the answer costs depends on how long ago it asked.
_ASKED = """
define internal i64 @asked(ptr %sync) noinline nounwind {{
entry:
  %place = getelementptr i8, ptr %sync, i64 {STOP}
  %look = load ptr, ptr %place, align 8
  %nobody = icmp eq ptr %look, null
  br i1 %nobody, label %done, label %ask
ask:
  %answer = call i64 %look(ptr %sync)
  ret i64 %answer
done:
  ret i64 0
}}
"""

# Python notes a signal and calls its handler when the main thread next looks. A long run looks itself: the handler is
# called, and if it raises an exception, as that of Ctrl-C does, this is kept and the answer is to end.
_LOOK = """
define internal i64 @look(ptr %sync) nounwind {{
entry:
  %next = getelementptr i8, ptr %sync, i64 {SIGNALS}
  %due = load i64, ptr %next, align 8
  %now = call i64 @clock()
  %early = icmp ult i64 %now, %due
  br i1 %early, label %on, label %look
look:
  %pause = add i64 %now, {PATIENCE}
  store i64 %pause, ptr %next, align 8
  %place = getelementptr i8, ptr %next, i64 8
  %python = load [4 x ptr], ptr %place, align 8
  %ensure = extractvalue [4 x ptr] %python, 0
  %check = extractvalue [4 x ptr] %python, 1
  %fetch = extractvalue [4 x ptr] %python, 2
  %release = extractvalue [4 x ptr] %python, 3
  %held = call i32 %ensure()
  %failed = call i32 %check()
  %well = icmp eq i32 %failed, 0
  br i1 %well, label %leave, label %keep
keep:
  %kind = getelementptr i8, ptr %sync, i64 {RAISED}
  %value = getelementptr ptr, ptr %kind, i64 1
  %trace = getelementptr ptr, ptr %kind, i64 2
  call void %fetch(ptr %kind, ptr %value, ptr %trace)
  br label %leave
leave:
  %answer = phi i64 [ 0, %look ], [ 1, %keep ]
  call void %release(i32 %held)
  ret i64 %answer
on:
  ret i64 0
}}
"""

# Milliseconds since some moment: coarse and quick, a few nanoseconds for a look.
_CLOCK = {
    "linux": """
declare i32 @clock_gettime(i32, ptr)
define internal i64 @clock() nounwind {
  %time = alloca [2 x i64], align 8
  %code = call i32 @clock_gettime(i32 6, ptr %time)
  %second = load i64, ptr %time, align 8
  %place = getelementptr i64, ptr %time, i64 1
  %nanoseconds = load i64, ptr %place, align 8
  %whole = mul i64 %second, 1000
  %part = udiv i64 %nanoseconds, 1000000
  %sum = add i64 %whole, %part
  ret i64 %sum
}
""",
    "darwin": """
declare i64 @clock_gettime_nsec_np(i32)
define internal i64 @clock() nounwind {
  %nanoseconds = call i64 @clock_gettime_nsec_np(i32 5)
  %milliseconds = udiv i64 %nanoseconds, 1000000
  ret i64 %milliseconds
}
""",
    "win32": """
declare i64 @GetTickCount64()
define internal i64 @clock() nounwind {
  %milliseconds = call i64 @GetTickCount64()
  ret i64 %milliseconds
}
""",
}
_CLOCK_ELSEWHERE = """
declare i64 @time(ptr)
define internal i64 @clock() nounwind {
  %seconds = call i64 @time(ptr null)
  %milliseconds = mul i64 %seconds, 1000
  ret i64 %milliseconds
}
"""

# Arithmetic in the default mode, whatever some library has set for the thread that calls: round to nearest, keep the
# smallest numbers, raise nothing. The caller's mode, with its record of exceptions, comes back afterwards.
_MODE = {
    "x86_64": """
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)
define internal i64 @set_mode(i64 %mode) alwaysinline nounwind {{
  %place = alloca i64, align 8
  call void @llvm.x86.sse.stmxcsr(ptr %place)
  %old = load i32, ptr %place, align 8
  store i64 %mode, ptr %place, align 8
  call void @llvm.x86.sse.ldmxcsr(ptr %place)
  %long = zext i32 %old to i64
  ret i64 %long
}}
""",
    "aarch64": """
declare i64 @llvm.aarch64.get.fpcr()
declare void @llvm.aarch64.set.fpcr(i64)
define internal i64 @set_mode(i64 %mode) alwaysinline nounwind {{
  %old = call i64 @llvm.aarch64.get.fpcr()
  call void @llvm.aarch64.set.fpcr(i64 %mode)
  ret i64 %old
}}
""",
}
_MODE_ELSEWHERE = """
define internal i64 @set_mode(i64 %mode) alwaysinline nounwind {{
  ret i64 0
}}
"""
_DEFAULT_MODE = {"x86_64": 0x1F80, "aarch64": 0}

# Sleeping while a word holds a value, and waking whoever sleeps on it, in each system's own terms.
_SLEEP = {
    "linux": """
declare i64 @syscall(i64, ...)
define internal void @sleep(ptr %word, i32 %seen, i64 %milliseconds) noinline nounwind {{
  %time = alloca [2 x i64], align 8
  %seconds = udiv i64 %milliseconds, 1000
  %rest = urem i64 %milliseconds, 1000
  %nanoseconds = mul i64 %rest, 1000000
  store i64 %seconds, ptr %time, align 8
  %second = getelementptr i64, ptr %time, i64 1
  store i64 %nanoseconds, ptr %second, align 8
  %value = zext i32 %seen to i64
  %code = call i64 (i64, ...) @syscall(i64 {futex}, ptr %word, i64 128, i64 %value, ptr %time, ptr null, i64 0)
  ret void
}}
define internal void @wake(ptr %word) noinline nounwind {{
  %code = call i64 (i64, ...) @syscall(i64 {futex}, ptr %word, i64 129, i64 2147483647, ptr null, ptr null, i64 0)
  ret void
}}
""",
    "darwin": """
declare i32 @__ulock_wait(i32, ptr, i64, i32)
declare i32 @__ulock_wake(i32, ptr, i64)
define internal void @sleep(ptr %word, i32 %seen, i64 %milliseconds) noinline nounwind {{
  %value = zext i32 %seen to i64
  %long = mul i64 %milliseconds, 1000
  %microseconds = trunc i64 %long to i32
  %code = call i32 @__ulock_wait(i32 16777217, ptr %word, i64 %value, i32 %microseconds)
  ret void
}}
define internal void @wake(ptr %word) noinline nounwind {{
  %code = call i32 @__ulock_wake(i32 16777473, ptr %word, i64 0)
  ret void
}}
""",
    "win32": """
declare i32 @WaitOnAddress(ptr, ptr, i64, i32)
declare void @WakeByAddressAll(ptr)
define internal void @sleep(ptr %word, i32 %seen, i64 %milliseconds) noinline nounwind {{
  %compared = alloca i32, align 4
  store i32 %seen, ptr %compared, align 4
  %short = trunc i64 %milliseconds to i32
  %code = call i32 @WaitOnAddress(ptr %word, ptr %compared, i64 4, i32 %short)
  ret void
}}
define internal void @wake(ptr %word) noinline nounwind {{
  call void @WakeByAddressAll(ptr %word)
  ret void
}}
""",
}
_NAP = """
declare i32 @usleep(i32)
define internal void @sleep(ptr %word, i32 %seen, i64 %milliseconds) noinline nounwind {{
  %code = call i32 @usleep(i32 200)
  ret void
}}
define internal void @wake(ptr %word) noinline nounwind {{
  ret void
}}
"""
_FUTEX = {"x86_64": 202, "aarch64": 98}

_POOL = """
%job = type {{ ptr, ptr, i64, ptr, i64 }}

; What a worker does for life: wait for a post, at last asleep; run its share; report.
define void @work(ptr %sync, i64 %worker) nounwind {{
entry:
  %line = mul i64 %worker, {LINE}
  %offset = add i64 %line, {MAILBOXES}
  %mailbox = getelementptr i8, ptr %sync, i64 %offset
  %place = getelementptr i8, ptr %sync, i64 {JOB}
  %remaining = getelementptr i8, ptr %sync, i64 {REMAINING}
  %inherited = call i64 @set_mode(i64 {MODE})
  br label %look
look:
  %turn = phi i64 [ 0, %entry ], [ %next, %pause ], [ %next, %yield ], [ %turn, %drowsy ], [ 0, %asleep ], [ 0, %end ]
  %mail = load atomic i32, ptr %mailbox acquire, align 4
  switch i32 %mail, label %quit [ i32 {AWAKE}, label %wait
                                  i32 {ASLEEP}, label %asleep
                                  i32 {POSTED}, label %posted ]
wait:
  %next = add i64 %turn, 1
  %patient = icmp ult i64 %turn, {LOOKS}
  br i1 %patient, label %pause, label %tired
pause:
  {pause}
  br label %look
tired:
  %waking = icmp ult i64 %turn, {MOST}
  br i1 %waking, label %yield, label %drowsy
yield:
  %yielded = {yielding}
  br label %look
drowsy:
  %tried = cmpxchg ptr %mailbox, i32 {AWAKE}, i32 {ASLEEP} acq_rel acquire
  br label %look
asleep:
  call void @sleep(ptr %mailbox, i32 {ASLEEP}, i64 1000000)
  br label %look
posted:
  store atomic i32 {AWAKE}, ptr %mailbox monotonic, align 4
  %job = load %job, ptr %place, align 8
  %run = extractvalue %job %job, 0
  %arguments = extractvalue %job %job, 1
  %threads = extractvalue %job %job, 2
  %scratches = extractvalue %job %job, 3
  %bytes = extractvalue %job %job, 4
  %thread = add i64 %worker, 1
  %skip = mul i64 %thread, %bytes
  %scratch = getelementptr i8, ptr %scratches, i64 %skip
  call void %run(ptr %arguments, i64 %thread, i64 %threads, ptr %sync, ptr %scratch)
  %before = atomicrmw sub ptr %remaining, i32 1 acq_rel
  br label %end
end:
  br label %look
quit:
  ret void
}}

define void @tell(ptr %sync, i64 %worker, i32 %mail) nounwind {{
  %line = mul i64 %worker, {LINE}
  %offset = add i64 %line, {MAILBOXES}
  %mailbox = getelementptr i8, ptr %sync, i64 %offset
  %before = atomicrmw xchg ptr %mailbox, i32 %mail acq_rel
  %asleep = icmp eq i32 %before, {ASLEEP}
  br i1 %asleep, label %wake, label %done
wake:
  call void @wake(ptr %mailbox)
  br label %done
done:
  ret void
}}

; Hands the job to as many workers as it needs: all its threads but thread 0.
define internal void @post(ptr %sync, ptr %run, ptr %arguments, i64 %threads, ptr %scratch, i64 %bytes) nounwind {{
entry:
  %place = getelementptr i8, ptr %sync, i64 {JOB}
  %job.0 = insertvalue %job poison, ptr %run, 0
  %job.1 = insertvalue %job %job.0, ptr %arguments, 1
  %job.2 = insertvalue %job %job.1, i64 %threads, 2
  %job.3 = insertvalue %job %job.2, ptr %scratch, 3
  %job.4 = insertvalue %job %job.3, i64 %bytes, 4
  store %job %job.4, ptr %place, align 8
  %workers = sub i64 %threads, 1
  %count = trunc i64 %workers to i32
  %remaining = getelementptr i8, ptr %sync, i64 {REMAINING}
  store atomic i32 %count, ptr %remaining monotonic, align 4
  br label %each
each:
  %worker = phi i64 [ 0, %entry ], [ %next, %each ]
  call void @tell(ptr %sync, i64 %worker, i32 {POSTED})
  %next = add i64 %worker, 1
  %more = icmp slt i64 %next, %workers
  br i1 %more, label %each, label %done
done:
  ret void
}}

; Runs a job with the caller as its thread 0; returns the status word. A watched one looks for signals between steps;
; where all else is well, its status tells whether a handler has ended it.
define i64 @run(ptr %sync, ptr %run, ptr %arguments, i64 %threads, ptr %scratch, i64 %bytes, i1 %watched) nounwind {{
entry:
  %stops = getelementptr i8, ptr %sync, i64 {STOP}
  %asking = select i1 %watched, ptr @look, ptr null
  store ptr %asking, ptr %stops, align 8
  %next = getelementptr i8, ptr %sync, i64 {SIGNALS}
  %now = call i64 @clock()
  %due = add i64 %now, {PATIENCE}
  store i64 %due, ptr %next, align 8
  %statuses = getelementptr i8, ptr %sync, i64 {STATUS}
  store i64 0, ptr %statuses, align 8
  %mode = call i64 @set_mode(i64 {MODE})
  %alone = icmp sle i64 %threads, 1
  br i1 %alone, label %start, label %share
share:
  call void @post(ptr %sync, ptr %run, ptr %arguments, i64 %threads, ptr %scratch, i64 %bytes)
  br label %start
start:
  call void %run(ptr %arguments, i64 0, i64 %threads, ptr %sync, ptr %scratch)
  br i1 %alone, label %done, label %wait
wait:
  %remaining = getelementptr i8, ptr %sync, i64 {REMAINING}
  br label %look
look:
  %left = load atomic i32, ptr %remaining acquire, align 4
  %finished = icmp eq i32 %left, 0
  br i1 %finished, label %done, label %stay
stay:
  call void @await(ptr %remaining, i32 %left)
  br label %look
done:
  %own = call i64 @set_mode(i64 %mode)
  %status = load i64, ptr %statuses, align 8
  %raised = getelementptr i8, ptr %sync, i64 {RAISED}
  %kind = load ptr, ptr %raised, align 8
  %quiet = icmp eq ptr %kind, null
  %ended = select i1 %quiet, i64 0, i64 {INTERRUPTED}
  %well = icmp eq i64 %status, 0
  %answer = select i1 %well, i64 %ended, i64 %status
  ret i64 %answer
}}
"""


def _architecture() -> str:
    name = machine().lower()
    return _ALIASES.get(name, name)


def _pause() -> tuple[str, str]:
    """What tells the processor that this thread only waits: its declaration and its call."""
    return _PAUSE.get(_architecture(), ("", 'fence syncscope("singlethread") seq_cst'))


def _yield() -> tuple[str, str]:
    """What gives the core away: its declaration and its call."""
    name = "SwitchToThread" if sys.platform == "win32" else "sched_yield"
    return f"declare i32 @{name}()", f"call i32 @{name}()"


def barrier_text() -> str:
    """LLVM text that defines ``void @barrier(ptr sync, i64 thread, i64 threads)``."""
    declared, pause = _pause()
    yielding, call = _yield()
    return f"{declared}\n{yielding}\n" + _BARRIER.format(pause=pause, yielding=call, EPOCH=EPOCH, LOOKS=LOOKS)


def asked_text() -> str:
    """LLVM text that defines ``i64 @asked(ptr sync)``: nonzero if the program shall end after the step it is in."""
    return _ASKED.format(STOP=STOP)


def take_text() -> str:
    """LLVM text that defines ``i64 @take(ptr counters, i64 pieces, i64 thread, i64 threads)``."""
    return _TAKE.format(LINE=LINE)


def pool_text() -> str:
    """LLVM text of the pool itself: ``work``, ``run`` and ``tell``."""
    architecture = _architecture()
    pool = _POOL.format(
        pause=_pause()[1], yielding=_yield()[1], LOOKS=LOOKS, MOST=LOOKS + YIELDS, STOP=STOP, STATUS=STATUS, JOB=JOB,
        REMAINING=REMAINING, MAILBOXES=MAILBOXES, LINE=LINE, AWAKE=AWAKE, POSTED=POSTED, ASLEEP=ASLEEP,
        MODE=_DEFAULT_MODE.get(architecture, 0), SIGNALS=SIGNALS, RAISED=RAISED, PATIENCE=PATIENCE,
        INTERRUPTED=INTERRUPTED,
    )  # fmt: skip
    look = _CLOCK.get(sys.platform, _CLOCK_ELSEWHERE) + _LOOK.format(SIGNALS=SIGNALS, RAISED=RAISED, PATIENCE=PATIENCE)
    sleep = _SLEEP.get(sys.platform, _NAP) if architecture in _FUTEX or sys.platform != "linux" else _NAP
    mode = _MODE.get(architecture, _MODE_ELSEWHERE)
    return barrier_text() + sleep.format(futex=_FUTEX.get(architecture)) + mode.format() + look + pool
