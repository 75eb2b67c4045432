"""Reads conformance-excused.txt: the failures of schemathesis that are meant, each by name and with its reason."""

import re
from pathlib import Path

LIST = Path(__file__).with_name("conformance-excused.txt")


class Excuse:
    """One line: `operations | check | what the answer says (regular expression) | reason`."""

    def __init__(self, number, line):
        parts = [part.strip() for part in line.split(" | ")]
        if len(parts) != 4 or not all(parts):
            raise SystemExit(f"{LIST.name}:{number}: not `operations | check | answer | reason`: {line}")
        self.line = line
        self.operations = [operation.strip() for operation in parts[0].split(",")]
        self.check = parts[1]
        self.answer = re.compile(parts[2])

    def covers(self, operation, checks, answer):
        """Whether this failure, with this answer (`STATUS body`), is meant."""
        return operation in self.operations and self.check in checks and self.answer.search(answer) is not None


def read(document):
    """The excuses under `[document]` (`foreign` or `own`), in the order of the list."""
    found, section = [], None
    for number, line in enumerate(LIST.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("["):
            section = line.strip("[]")
        elif line.strip() and not line.startswith("#") and section == document:
            found.append(Excuse(number, line))
    return found
