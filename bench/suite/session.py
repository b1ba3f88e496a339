"""One running benchmark guest, talked to through bench/suite/marks.c."""

import json
import os
import queue
import signal
import subprocess
import threading
import time

from . import contention, results

STOP_SECONDS = 30  # for a guest to answer Ctrl-C
END_SECONDS = 20   # for everything to end by itself


class Dead(Exception):
    """The guest, or the machine that runs it, does not answer or has ended: nothing more can be measured in it."""


class TimedOut(Exception):
    """The benchmark was stopped; the guest lives."""


class Wrong(Exception):
    """The guest found a wrong result."""


class Session:
    """`command` is a program that starts the machine and ends as marks.c; when its standard input ends, so does everything, and
    nothing else ends it: a Ctrl-C at our terminal is not for it. Standard error goes to the file `log`."""

    def __init__(self, command, log, cwd):
        self.log_path = log
        self.log = open(log, "wb")
        self.process = subprocess.Popen([str(word) for word in command], cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True, errors="replace", bufsize=1, start_new_session=True)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def order(self, text):
        try:
            self.process.stdin.write(text + "\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise Dead(self.last_words()) from error

    def last_words(self):
        self.log.flush()
        lines = self.log_path.read_text(errors="replace").strip().splitlines()
        return "ended: " + (" / ".join(lines[-3:]) or "nothing was said")

    def next(self, deadline):
        """The next line as (word, rest); TimedOut after the deadline."""
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise TimedOut from None
            if line is None or line == "gone":
                raise Dead(self.last_words())
            word, _, rest = line.partition(" ")
            if word in ("connected", "guest", "ready", "before", "after", "begin", "end"):
                return word, rest

    def wait_for_guest(self, seconds):
        """Until the guest has booted; returns how many seconds that took."""
        began = time.monotonic()
        try:
            while self.next(began + seconds) != ("guest", "@serving"):
                pass
        except TimedOut:
            raise Dead(f"did not boot within {seconds:.0f} s") from None
        return time.monotonic() - began

    def run(self, line, count, seconds):
        """Asks the guest for one benchmark; a Sample, or TimedOut, Wrong or Dead. What is measured may take that many seconds,
        and so may what is done before it and behind it."""
        self.order("say " + line)
        deadline = time.monotonic() + seconds
        got, waited = {}, {}
        try:
            while True:
                word, rest = self.next(deadline)
                got[word] = rest
                if word in ("ready", "end"):
                    deadline = time.monotonic() + seconds
                    waited[word] = contention.waited(self.process.pid)
                if word == "guest" and rest.startswith("@"):
                    break
        except TimedOut:
            self.stop()
            raise
        if not got["guest"].startswith("@ok "):
            raise Wrong(got["guest"].removeprefix("@"))
        _, done, guest_ns = got["guest"].split()
        if int(done) != count or "ready" not in got or "end" not in got:
            raise Dead(f"the guest is out of step: {got}")
        counters = None
        if "before" in got:
            before, after = (json.loads(got[when])["stats"] for when in ("before", "after"))
            counters = results.difference(before, after)
        lasted = max(1000, int(got["end"]) - int(got["begin"])) / 1e9  # the marks of next to nothing may come together
        return results.Sample(count, lasted, int(guest_ns) / 1e9, (waited["end"] - waited["ready"]) / lasted, counters)

    def stop(self):
        self.order("stop")
        deadline = time.monotonic() + STOP_SECONDS
        try:
            while True:
                word, rest = self.next(deadline)
                if word == "guest" and rest.startswith("@"):
                    return
        except TimedOut:
            raise Dead(f"no answer to Ctrl-C for {STOP_SECONDS} s") from None

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()
