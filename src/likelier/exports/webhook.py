"""Rows to a webhook: signed batches, one after the other, each sent until it is acknowledged.

A batch is a POST of ``{"delivery": key, "batch": number, "last": flag, "rows": [...]}``. Its `Idempotency-Key` is the
same whenever these rows are sent again, after a lost answer or by a later process, so a receiver that keeps the keys
takes every row once. ``X-Likelier-Signature: sha256=...`` is the HMAC-SHA256, under the shared secret, of the header
`X-Likelier-Timestamp`, a dot and the body. Any answer of the 2xx is an acknowledgement.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import orjson
import pyarrow as pa

from likelier.errors import TransientError, UsageError
from likelier.phrases import say

BATCH = 1000
PATIENCE = 30.0
FIRST_WAIT = 0.5
AGAIN = frozenset({408, 409, 425, 429})
"""Refusals that pass; others of the 4xx stay."""


def deliver(
    url: str,
    secret: str,
    key: str,
    reader: pa.RecordBatchReader,
    *,
    size: int = BATCH,
    attempts: int = 5,
    patience: float = PATIENCE,
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.time,
) -> int:
    """Send rows in batches, and say how many."""
    sent = 0
    with httpx.Client(timeout=patience, follow_redirects=False) as http:
        for number, (rows, last) in enumerate(_batches(reader, size)):
            body = orjson.dumps({"delivery": key, "batch": number, "last": last, "rows": rows})
            trouble = _persistently(http, url, secret, f"{key}-{number}", body, attempts, wait, clock)
            if trouble:
                raise TransientError(
                    say(
                        "The webhook acknowledged {sent:,} rows and then failed: {trouble}.", sent=sent, trouble=trouble
                    )
                )
            sent += len(rows)
    return sent


def post(
    url: str,
    secret: str,
    key: str,
    document: Mapping[str, Any],
    *,
    attempts: int = 2,
    patience: float = 10.0,
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.time,
) -> None:
    """Send one document, signed and named as batches are."""
    with httpx.Client(timeout=patience, follow_redirects=False) as http:
        trouble = _persistently(http, url, secret, key, orjson.dumps(document), attempts, wait, clock)
    if trouble:
        raise TransientError(say("The webhook failed: {trouble}.", trouble=trouble))


def _persistently(
    http: httpx.Client,
    url: str,
    secret: str,
    key: str,
    body: bytes,
    attempts: int,
    wait: Callable[[float], None],
    clock: Callable[[], float],
) -> str | None:
    """Send until it is acknowledged; answer what the trouble was the last time."""
    trouble = None
    for attempt in range(attempts):
        trouble = _send(http, url, body, _headers(secret, key, str(int(clock())), body))
        if trouble is None:
            return None
        if attempt + 1 < attempts:
            wait(FIRST_WAIT * 2**attempt)
    return trouble


def signature(secret: str, moment: str, body: bytes) -> str:
    """Sign a batch.

    >>> signature("secret", "0", b"{}")[:20]
    'sha256=4bbe8d39de1ff'
    """
    return "sha256=" + hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()


def _headers(secret: str, key: str, moment: str, body: bytes) -> dict[str, str]:
    return {
        "content-type": "application/json",
        "idempotency-key": key,
        "x-likelier-timestamp": moment,
        "x-likelier-signature": signature(secret, moment, body),
    }


def _send(http: httpx.Client, url: str, body: bytes, headers: dict[str, str]) -> str | None:
    """Send a batch once; answer what went wrong for a passing reason."""
    try:
        status = http.post(url, content=body, headers=headers).status_code
    except httpx.HTTPError as error:
        return type(error).__name__
    if 200 <= status < 300:
        return None
    if status >= 500 or status in AGAIN:
        return say("it answered {status}", status=status)
    raise UsageError(say("The webhook refused a batch: it answered {status}.", status=status))


def _batches(reader: pa.RecordBatchReader, size: int) -> Iterator[tuple[list[dict[str, Any]], bool]]:
    """Cut rows into batches of one size, however they stream; the last may be smaller, or empty when all are."""
    held: list[dict[str, Any]] = []
    for batch in reader:
        held += batch.to_pylist()
        while len(held) > size:
            yield held[:size], False
            held = held[size:]
    yield held, True
