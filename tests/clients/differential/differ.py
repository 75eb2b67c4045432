"""What Louver decided about a request and what a lenient upstream understood of it are the same, or Louver refused and
upstream saw nothing: over thousands of sound, odd and hostile requests, the same ones for the same seed.

usage: differ.py LOUVER [--seed SEED] [--requests N] [--only NUMBER]"""

from __future__ import annotations

import argparse
import collections
import json
import sys
import threading
import time
from dataclasses import replace

import letters
from endpoints import ENDPOINTS, Endpoint, Understood, understood
from louver import CREDENTIAL, MOST_TOKENS, Louver
from upstream import Notes, Seen, Upstream, app
from wire import Line

WORKERS = 8
# All that Louver ever says of itself upstream.
SPOKEN = {"host", "authorization", "content-type", "accept", "user-agent", "content-length"}
SHOWN = 3_000


class Wrong(Exception):
    """Louver and upstream disagree."""


def holds(truth, what):
    if not truth:
        raise Wrong(what)


class Verdict:
    """Judges each request by its answers and by what upstream noted."""

    def __init__(self, louver: Louver, notes: Notes):
        self.louver, self.notes = louver, notes

    def judge(self, case: letters.Case, answers: list) -> str:
        """What became of a request; raises `Wrong`."""
        seen, hidden = self.notes.by_tag.get(case.tag, []), self.notes.by_tag.get(case.hidden_tag, [])
        holds(not hidden, f"the request behind it reached upstream: {hidden}")
        statuses = [answer.status for answer in answers]
        holds(all(status < 500 or status in (501, 505) for status in statuses), f"answered {statuses}")
        holds(len(seen) <= 1, f"upstream saw it {len(seen)} times")
        holds(sum(status < 300 for status in statuses) <= len(seen), f"answered {statuses}, and upstream saw nothing")
        if not seen:
            holds(not case.sound, f"a sound request was answered {[(a.status, a.body[:300]) for a in answers]}")
            return "refused"
        # A connection that is reset takes its answers with it.
        holds(not statuses or statuses[0] < 300, f"answered {statuses}, and upstream saw {seen}")
        self.agree(case, seen[0])
        if answers:
            streamed = answers[0].content_type.startswith("text/event-stream")
            holds(streamed == seen[0].understood.stream, f"answered as {answers[0].content_type}")
        return "accepted"

    def agree(self, case: letters.Case, seen: Seen):
        """Upstream understood what the key may do, and what a lenient reader makes of the client's own bytes."""
        headers = dict(seen.headers)
        holds((seen.method, seen.path, seen.query) == ("POST", case.endpoint.path, ""), f"it arrived as {seen}")
        holds(len(headers) == len(seen.headers) and set(headers) <= SPOKEN, f"headers upstream: {seen.headers}")
        holds(headers["authorization"] == "Bearer " + CREDENTIAL, "another credential went upstream")
        told = seen.understood
        holds(told is not None, "upstream could not read what Louver let pass")
        allowed = self.louver.allowed[case.key]
        holds(told.model in allowed, f"the key may not use {told.model}")
        holds(self.louver.canonical.get(told.model) == told.model, f"{told.model} is no id of a model")
        holds(set(told.guards) <= allowed, f"the key may not use the guards {told.guards}")
        holds(set(told.tools) <= {"function"}, f"tools without a price: {told.tools}")
        holds(told.stream == (headers["accept"] == "text/event-stream"), f"Louver asked for {headers['accept']}")
        other = lenient(case.endpoint, seen.raw, object_pairs_hook=first_wins)
        holds(other == told, f"a reader that takes the first of two keys understands {other}, another one {told}")
        own = lenient(case.endpoint, case.letter.body)
        holds(own is not None, f"a lenient reader makes nothing of the client's own bytes, and {told} upstream")
        wanted = replace(own, model=self.louver.canonical.get(own.model, own.model))
        if wanted.max_tokens is None:
            # Louver may bound what the client left open.
            wanted = replace(wanted, max_tokens=told.max_tokens)
        holds(told == wanted, f"the client said {wanted}, upstream was told {told}")
        if case.key == 1 and case.endpoint.writes:
            holds(told.max_tokens is not None, "the role's bound did not arrive")
            holds(told.n * told.max_tokens <= MOST_TOKENS, f"{told.n} times {told.max_tokens} tokens for a bounded key")


def lenient(endpoint: Endpoint, body: bytes, **how) -> Understood | None:
    """What a lenient reader, like upstream, makes of a body."""
    try:
        return understood(endpoint.lenient.model_validate(json.loads(body, **how)))
    except (ValueError, RecursionError):
        return None


def first_wins(pairs: list) -> dict:
    """An object of which the first of two keys counts."""
    return dict(reversed(pairs))


class Run:
    """All requests, over a few connections at a time."""

    def __init__(self, arguments, louver: Louver, notes: Notes):
        self.seed, self.louver, self.verdict = arguments.seed, louver, Verdict(louver, notes)
        self.numbers = [arguments.only] if arguments.only is not None else range(arguments.requests)
        self.secrets = [key["key"] for key in louver.keys]
        self.address = tuple(louver.host.rsplit(":", 1))
        self.outcomes = collections.Counter()
        self.wrong: list[str] = []
        self.lock = threading.Lock()

    def all(self):
        workers = [threading.Thread(target=self._work, args=(first,)) for first in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def _work(self, first: int):
        line = Line(self.address)
        for number in self.numbers[first::WORKERS]:
            case = letters.case(self.seed, number, self.secrets, self.louver.host)
            try:
                outcome = self.verdict.judge(case, self._ask(line, case))
            except Exception as error:
                outcome = "wrong"
                with self.lock:
                    self.wrong.append(self._shown(case, error))
            with self.lock:
                for kind in [*(case.kinds or ["sound"]), case.endpoint.name, "all"]:
                    self.outcomes[kind, outcome] += 1
        line.drop()

    def _ask(self, line: Line, case: letters.Case) -> list:
        kept = line.kept is not None
        try:
            return line.ask(case.letter)
        except ConnectionError:
            # A kept connection may have ended meanwhile; what upstream saw is never sent again.
            if not kept or case.letter.alone or case.tag in self.verdict.notes.by_tag:
                raise
            return line.ask(case.letter)

    def _shown(self, case: letters.Case, error: Exception) -> str:
        why = str(error) if isinstance(error, Wrong) else f"{type(error).__name__}: {error}"
        raw = case.letter.bytes()
        for number, secret in enumerate(self.secrets):
            raw = raw.replace(secret.encode(), f"KEY{number}".encode())
        return (
            f"request {case.number} of seed {self.seed} ({case.endpoint.name}, {', '.join(case.kinds) or 'sound'}): {why}\n"
            f"        sent: {raw[:SHOWN]!r}{'…' if len(raw) > SHOWN else ''}"
        )

    def books(self) -> tuple[dict, dict]:
        """What upstream says it served, by key and model, and what Louver recorded."""
        served: dict = {}
        for tag, seen in self.verdict.notes.by_tag.items():
            key = letters.case(self.seed, tag // 2, self.secrets, self.louver.host).key
            for each in seen:
                if each.understood is not None:
                    place = self.louver.keys[key]["id"], each.understood.model
                    counts = (1, *each.usage)
                    served[place] = tuple(map(sum, zip(served.get(place, (0, 0, 0)), counts, strict=True)))
        return served, self.louver.usage(served)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("louver")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--requests", type=int, default=6_000)
    parser.add_argument("--only", type=int)
    # Every suite is told what the one `louver dev` of all suites printed; this one runs its own.
    parser.add_argument("dev", nargs="?")
    arguments = parser.parse_args()
    notes = Notes()
    upstream = Upstream(app(notes))
    louver = Louver(arguments.louver, upstream.url)
    run, begun = Run(arguments, louver, notes), time.monotonic()
    try:
        run.all()
        took = time.monotonic() - begun
        served, recorded = run.books()
    finally:
        ended = louver.stop()
        upstream.stop()
    return report(arguments, run, {
        f"{len(run.numbers)} requests of seed {arguments.seed} in {took:.0f} s: decided as understood, or refused": run.wrong,
        "upstream saw nothing that belongs to no request": notes.untagged,
        "each request that upstream saw is in the usage, once, under its key and model": served != recorded and [
            f"served:   {sorted(served.items())}", f"recorded: {sorted(recorded.items())}",
        ],
        "louver ended well": ended and [f"with {ended}"],
        "both accepted and refused requests of every endpoint": arguments.only is None and vacuous(run),
    })  # fmt: skip


def vacuous(run: Run) -> list[str]:
    """What says that the test has tested nothing."""
    few = len(run.numbers) // len(ENDPOINTS) // 10
    counts = {(each.name, what): run.outcomes[each.name, what] for each in ENDPOINTS for what in ("accepted", "refused")}
    return [f"only {count} of {name} were {what}" for (name, what), count in counts.items() if count < few]


def report(arguments, run: Run, checks: dict) -> int:
    """Prints a line for each check, and answers the exit code."""
    for name, wrong in checks.items():
        print(f"{'not ok  ' if wrong else 'ok      '}differential: {name}")
        for each in (wrong or [])[:5]:
            print(f"        {each}")
    if any(checks.values()):
        print(f"        again: differ.py LOUVER --seed {arguments.seed} --only NUMBER")
    kinds = sorted({kind for kind, _ in run.outcomes})
    counts = [f"{kind} {run.outcomes[kind, 'accepted']}/{run.outcomes[kind, 'refused']}" for kind in kinds]
    print(f"        accepted/refused: {', '.join(counts)}")
    return 1 if any(checks.values()) else 0


sys.exit(main())
