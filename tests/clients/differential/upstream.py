"""The upstream of this test: FastAPI and pydantic at their most lenient. It notes what it understood of each request,
and answers with a usage of its own making."""

from __future__ import annotations

import json
import socket
import threading
from collections import defaultdict
from dataclasses import dataclass

import uvicorn
from endpoints import ENDPOINTS, Endpoint, Understood, tags_in, understood
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse


@dataclass
class Seen:
    """A request as it came, and what was understood of it; `understood` is None where upstream refused it."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    raw: bytes
    understood: Understood | None
    usage: tuple[int, int] = (0, 0)


class Notes:
    """What upstream saw, by the tags that were in it."""

    def __init__(self):
        self.by_tag = defaultdict(list)
        self.untagged = []

    def add(self, seen: Seen):
        tags = set(tags_in(seen.raw))
        for tag in tags:
            self.by_tag[tag].append(seen)
        # Louver itself asks for models now and then.
        if not tags and (seen.method, seen.path, seen.query, seen.raw) != ("GET", "/v1/models", "", b""):
            self.untagged.append(seen)


async def seen_of(request: Request, what: Understood | None) -> Seen:
    path = request.scope["raw_path"].decode("latin-1")
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.scope["headers"]]
    query = request.scope["query_string"].decode("latin-1")
    return Seen(request.method, path, query, headers, await request.body(), what)


def app(notes: Notes) -> FastAPI:
    """The application: one route for each endpoint, and one that notes what should never come."""
    # A body is read whatever its content type says.
    made = FastAPI(strict_content_type=False, openapi_url=None)
    for endpoint in ENDPOINTS:
        made.post(endpoint.path)(handler(notes, endpoint))

    @made.exception_handler(RequestValidationError)
    async def refused(request: Request, error: RequestValidationError):
        notes.add(await seen_of(request, None))
        return JSONResponse({"detail": "Unprocessable"}, 422)

    @made.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
    async def elsewhere(request: Request):
        notes.add(await seen_of(request, None))
        return JSONResponse({"detail": "Not Found"}, 404)

    return made


def handler(notes: Notes, endpoint: Endpoint):
    """The route of one endpoint."""

    async def handle(request: Request, body):
        what = understood(body)
        seen = await seen_of(request, what)
        # Never more than was asked for: that would be another test.
        longest = 0 if not endpoint.writes else 2 if what.max_tokens is None else min(what.max_tokens, 2)
        seen.usage = 3 if endpoint.reads else 0, longest * what.n
        notes.add(seen)
        used, written = seen.usage
        usage = {"prompt_tokens": used, "completion_tokens": written, "total_tokens": used + written}
        answer = endpoint.answer(what, usage)
        if not what.stream:
            return JSONResponse(answer)
        events = answer if isinstance(answer, list) else [answer]
        lines = [f"data: {event}\n\n" for event in [*map(json.dumps, events), "[DONE]"]]
        return StreamingResponse(iter(lines), media_type="text/event-stream")

    # FastAPI reads the types of a handler to learn what the body is.
    handle.__annotations__ = {"request": Request, "body": endpoint.lenient}
    return handle


class Upstream:
    """An application on a free port, in a thread of its own."""

    def __init__(self, application: FastAPI):
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(application, log_level="critical", access_log=False, lifespan="off")
        self.server = uvicorn.Server(config)
        run = {"sockets": [listener]}
        self.thread = threading.Thread(target=self.server.run, kwargs=run, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.should_exit = True
        self.thread.join(10)
