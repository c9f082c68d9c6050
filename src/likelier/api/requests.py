"""How requests come in: no larger than they may be, unpacked, and done once where they carry a key."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from likelier.api.frame import problem, visitor_of, workspace_of
from likelier.service.workspace import Workspace
from likelier.store import replies
from likelier.store.replies import Reply

SMALL = 1 << 20
GZIP = 31  # what zlib calls it
LARGE = 64 << 20
KEY = "idempotency-key"
REPLAYED = "idempotency-replayed"
KEPT_HEADERS = ("content-type", "etag")
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Handler = Callable[[Request], Awaitable[Response]]


def takes_much(endpoint: Endpoint) -> Endpoint:
    """Mark a route that takes more than a document, and reads it only from whoever may send it."""
    endpoint.takes_much = True  # type: ignore[attr-defined]
    return endpoint


def tells_a_secret(endpoint: Endpoint) -> Endpoint:
    """Mark a route whose answer is told once and kept nowhere."""
    endpoint.tells_a_secret = True  # type: ignore[attr-defined]
    return endpoint


async def _documented(
    idempotency_key: Annotated[
        str | None,
        Header(
            max_length=255,
            description="Whoever got no answer sends the same again with the same key, and is answered the same.",
        ),
    ] = None,
) -> None: ...


class Route(APIRoute):
    """A route that receives as this module says."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if "POST" in (options.get("methods") or ()):
            options["dependencies"] = [*(options.get("dependencies") or ()), Depends(_documented)]
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Receive the body first, except where only the route itself may."""
        handler = super().get_route_handler()
        much, secret = (hasattr(self.endpoint, mark) for mark in ("takes_much", "tells_a_secret"))

        async def handle(request: Request) -> Response:
            key = request.headers.get(KEY) if request.method == "POST" else None
            if key and len(key) <= 255:
                return await _once(request, key, handler, largest=LARGE if much else SMALL, secret=secret)
            if much or request.method == "GET":
                return await handler(request)
            return await handler(_again(request, await received(request, SMALL)))

        return handle


async def received(request: Request, largest: int = LARGE) -> bytes:
    """Read the body, unpacked, and refuse one that is too large while it comes."""
    packing = request.headers.get("content-encoding", "identity").strip().lower()
    if packing not in ("identity", "gzip"):
        raise HTTPException(415, f"The content encoding '{packing}' is not known. Send gzip, or as it is.")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        _refuse_larger(size, largest)
        parts.append(part)
    body = b"".join(parts)
    return await run_in_threadpool(_unzipped, body, largest) if packing == "gzip" else body


def _unzipped(packed: bytes, largest: int) -> bytes:
    """Unpack what may be several gzip files on end."""
    parts, size = [], 0
    while packed:
        unpack = zlib.decompressobj(GZIP)
        try:
            parts.append(unpack.decompress(packed, largest + 1 - size))
        except zlib.error:
            raise HTTPException(422, "The body is not gzip, as its content encoding says.") from None
        size += len(parts[-1])
        _refuse_larger(size, largest)
        if not unpack.eof:
            raise HTTPException(422, "The body ends in the midst of its gzip.")
        packed = unpack.unused_data
    return b"".join(parts)


def _refuse_larger(size: int, largest: int) -> None:
    if size > largest:
        raise HTTPException(413, f"Send at most {largest >> 20} MB at once.")


def _again(request: Request, body: bytes) -> Request:
    """Give the request with the body that was received."""
    message = {"type": "http.request", "body": body, "more_body": False}

    async def receive() -> Any:
        return message

    scope = {**request.scope, "headers": [each for each in request.scope["headers"] if each[0] != b"content-encoding"]}
    return Request(scope, receive)


async def _once(request: Request, key: str, handler: Handler, *, largest: int, secret: bool) -> Response:
    """Do a request, or answer what was answered when it came with this key before."""
    work = workspace_of(request)
    actor = await run_in_threadpool(visitor_of, work, request)
    if actor is None:
        return await handler(request)  # which refuses it
    body = await received(request, largest)
    # With the key in it, which is kept nowhere, nobody finds out by trying what was sent: it may hold a password.
    asked = hashlib.sha256(b"\n".join((key.encode(), request.method.encode(), _address(request), body))).hexdigest()
    digest = hashlib.sha256(f"{actor.name}\n{key}".encode()).hexdigest()
    if before := await run_in_threadpool(_claim, work, digest, asked):
        return _answered(request, before, asked)
    try:
        answer = await handler(_again(request, body))
    except BaseException:
        await run_in_threadpool(_release, work, digest)
        raise
    await run_in_threadpool(_keep, work, digest, answer, secret=secret)
    return answer


def _address(request: Request) -> bytes:
    return f"{request.url.path}?{request.url.query}".encode()


def _answered(request: Request, before: Reply, asked: str) -> Response:
    if before.request != asked:
        return problem(request, 422, "Cannot be used", "Another request came with this key. Take a new one.")
    if before.status is None:
        return problem(request, 409, "Under way", "The request with this key is being done. Ask again later.")
    if before.body is None:
        return problem(request, 409, "Done before", "This was done, and its answer held a secret that is told once.")
    return Response(before.body, before.status, {**(before.headers or {}), REPLAYED: "true"})


def _claim(work: Workspace, digest: str, asked: str) -> Reply | None:
    with work.store.write() as connection:
        return replies.claim(connection, digest, asked, now=work.clock())


def _release(work: Workspace, digest: str) -> None:
    with work.store.write() as connection:
        replies.release(connection, digest)


def _keep(work: Workspace, digest: str, answer: Response, *, secret: bool) -> None:
    headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
    body = None if secret else bytes(answer.body)
    with work.store.write() as connection:
        replies.keep(connection, digest, status=answer.status_code, headers=headers, body=body)
