"""Judges what schemathesis found: prints a line for each operation and each excuse, and fails when one is not ok.

usage: conformance_verdict.py foreign|own FOLDER…   (each folder: the records, report and output of one run)
"""

import json
import os
import sys
from collections import Counter, defaultdict
from pathlib import Path

import conformance_excuses

SHOWN = 5


def lines(folder, name):
    """The values of a file of records, which is not there when nothing was recorded."""
    path = folder / name
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def say(good, what, more=()):
    print(f"{'ok      ' if good else 'not ok  '}schemathesis: {what}")
    for line in more:
        print("\n".join(f"        {part}" for part in str(line).splitlines()))
    return good


def ran(folder):
    """Whether a run came to its end, tried every operation that it chose, and failed of nothing but failures."""
    code = int((folder / "exit").read_text())
    output = (folder / "output.txt").read_text(encoding="utf-8", errors="replace")
    path = folder / "report.json"
    report = json.loads(path.read_text()) if path.exists() else {}
    operations = report.get("operations", {})
    whole = report.get("complete") and operations["tested"] == operations["selected"] > 0
    errors = report.get("errors") or (code != 0 and not lines(folder, "failures"))
    cases = report.get("test_cases", {}).get("generated", 0)
    phases = [name for name, phase in report.get("phases", {}).items() if phase["status"] != "skip"]
    name = f"run {folder.name}: {operations.get('tested', 0)} operations, {cases} cases in {', '.join(phases)}"
    return say(whole and not errors, name, () if whole and not errors else output.splitlines()[-60:])


def distinct(failures):
    """The failures of one operation, each kind once: by checks, and by answer without its numbers and names."""
    kinds = {}
    for _, checks, title, said, answer, sent in failures:
        kinds.setdefault((tuple(checks), title, answer[:100]), (checks, said, answer, sent))
    return list(kinds.values())


def answered(statuses):
    return sum(count for status, count in statuses.items() if 200 <= status < 300)


def judge_operation(operation, statuses, failures, excuses, used):
    """One operation: it was answered at least once, and has no failure that is not excused."""
    counts = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
    if not answered(statuses):
        excuse = next((excuse for excuse in excuses if excuse.covers(operation, ["answered"], counts)), None)
        if excuse:
            used[excuse.line] += 1
        else:
            failures = [
                *failures,
                [operation, ["answered"], "", "never answered 2xx: nothing behind it was tested", counts, ""],
            ]
    kinds = distinct(failures)
    more = [f"{', '.join(checks)}: {said}\n{sent}\nanswer: {answer}" for checks, said, answer, sent in kinds[:SHOWN]]
    if len(kinds) > SHOWN:
        more.append(f"and {len(kinds) - SHOWN} more kinds")
    return say(not failures, f"{operation}: {counts}", more)


def main(document, folders):
    excuses = conformance_excuses.read(document)
    used, calls, failures = Counter(), defaultdict(Counter), defaultdict(list)
    good = [ran(folder) for folder in folders]
    for folder in folders:
        used.update(lines(folder, "excused"))
        for operation, status in lines(folder, "calls"):
            calls[operation][status] += 1
        for failure in lines(folder, "failures"):
            failures[failure[0]].append(failure)
    for operation in sorted({*calls, *failures}, key=lambda name: name.split()[::-1]):
        good.append(judge_operation(operation, calls[operation], failures[operation], excuses, used))
    for excuse in excuses:
        # Another seed may not come upon it; the list is held against the usual one.
        needed = used[excuse.line] > 0 or "CONFORMANCE_ANY_SEED" in os.environ
        what = f"excused {used[excuse.line]} times: {excuse.line}"
        good.append(say(needed, what, () if needed else ["take it off the list"]))
    sys.exit(0 if all(good) else 1)


main(sys.argv[1], [Path(folder) for folder in sys.argv[2:]])
