"""Reading and writing test results: TAP, and the kernel's dialect of it (Documentation/dev-tools/ktap.rst).

Every suite is a program that prints such lines; tests/run-all adds them up. Nested results, which KTAP indents by two
spaces a level, are counted at the innermost level only: the line of the group that holds them repeats their verdict.
"""

import dataclasses
import re

LINE = re.compile(r"^(?P<indent> *)(?P<verdict>ok|not ok)\b *(?P<number>\d+)?(?P<rest>.*)$")
PLAN = re.compile(r"^(?P<indent> *)1\.\.(?P<count>\d+)(?P<rest>.*)$")
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclasses.dataclass
class Result:
    verdict: str
    name: str
    details: list  # the diagnostic lines that stood before it


def parse(lines):
    """The results in the lines, and the complaints: plans that were not kept, and an output without any result."""
    results, complaints, details = [], [], []
    plans, counts = {}, {}
    for line in lines:
        line = re.sub(r"^\[ *\d+\.\d+\] ", "", line.rstrip("\n"))
        if match := PLAN.match(line):
            plans[len(match["indent"])] = int(match["count"])
            if int(match["count"]) == 0 and "SKIP" in match["rest"].upper():
                results.append(Result(SKIPPED, match["rest"].strip(" #"), []))
        elif match := LINE.match(line):
            depth = len(match["indent"])
            counts[depth] = counts.get(depth, 0) + 1
            deeper = [level for level in counts if level > depth]
            for level in deeper:  # a group ends: it held counts[level] results
                complaints += check_plan(plans.pop(level, None), counts.pop(level))
            name = match["rest"].strip().lstrip("-").strip()
            verdict = PASSED if match["verdict"] == "ok" else FAILED
            if re.search(r"#\s*(SKIP|TODO)", name, re.IGNORECASE):
                verdict = SKIPPED
            if not deeper:
                results.append(Result(verdict, name, details))
            elif verdict == FAILED and not any(r.verdict == FAILED for r in results):
                results.append(Result(FAILED, name, details))
            details = []
        elif line.strip():
            details.append(line)
    for level, planned in plans.items():
        complaints += check_plan(planned, counts.get(level, 0))
    if not results:
        complaints.append("no test ran")
    return results, complaints


def check_plan(planned, seen):
    return [f"{planned} tests were planned and {seen} ran"] if planned not in (None, seen) else []


class Writer:
    """Prints results as a suite should."""

    def __init__(self):
        self.count = 0
        self.failures = 0

    def result(self, passed, name, details=""):
        self.count += 1
        if not passed:
            self.failures += 1
            for line in details.rstrip().splitlines():
                print(f"# {line}")
        print(f"{'ok' if passed else 'not ok'} {self.count} - {name}", flush=True)

    def skip(self, name, reason):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}", flush=True)

    def finish(self):
        """Prints the plan; returns the exit status."""
        print(f"1..{self.count}", flush=True)
        return 1 if self.failures or not self.count else 0
