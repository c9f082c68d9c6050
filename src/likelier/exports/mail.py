"""Plain e-mail through a server of one's own: ``smtps://``, or ``smtp://`` that turns to TLS where the server can.

A password is never sent in the clear, except to this very machine.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

from likelier.errors import TransientError, UsageError
from likelier.phrases import say

PATIENCE = 10.0
HERE = ("localhost", "127.0.0.1", "::1")
PORTS = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True)
class Server:
    """Where mail is handed in.

    >>> Server.of("smtp://ann:s%40cret@mail.example.com:587")
    Server(scheme='smtp', host='mail.example.com', port=587, user='ann')
    >>> Server.of("mail.example.com")
    Traceback (most recent call last):
    likelier.errors.UsageError: LIKELIER_SMTP_URL is no mail server. Write it as smtp://USER:PASSWORD@HOST:587.
    """

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def of(cls, url: str) -> Server:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:  # which would quote the address, and the password in it
            parts, port = urlsplit(""), None
        if parts.scheme not in PORTS or not parts.hostname:
            raise UsageError(say("LIKELIER_SMTP_URL is no mail server. Write it as smtp://USER:PASSWORD@HOST:587."))
        named = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(parts.scheme, parts.hostname, port or PORTS[parts.scheme], *named)


def message(sender: str, to: Sequence[str], subject: str, body: str, *, key: str, now: float) -> EmailMessage:
    """Write a mail; its id follows from the key, so that one sent again is known for the same."""
    mail = EmailMessage()
    try:
        mail["From"], mail["To"] = sender, ", ".join(to)
    except ValueError as error:
        raise UsageError(say("LIKELIER_ALERT_EMAIL or LIKELIER_ALERT_SENDER is no address.")) from error
    mail["Subject"] = " ".join(subject.split())
    mail["Date"] = formatdate(now)
    mail["Message-ID"] = f"<{key}@likelier>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(body)
    return mail


def send(server: Server, mail: EmailMessage, *, patience: float = PATIENCE) -> None:
    """Hand a mail in. Raises TransientError, which tells what kind of trouble it was and nothing of what was said."""
    context = ssl.create_default_context()
    try:
        if server.scheme == "smtps":
            with smtplib.SMTP_SSL(server.host, server.port, timeout=patience, context=context) as smtp:
                _hand_in(smtp, server, mail)
        else:
            with smtplib.SMTP(server.host, server.port, timeout=patience) as smtp:
                smtp.ehlo()
                encrypted = smtp.has_extn("starttls")
                if encrypted:
                    smtp.starttls(context=context)
                    smtp.ehlo()
                if server.user and not encrypted and server.host not in HERE:
                    raise UsageError(say("The mail server offers no TLS, and the password is not sent in the clear."))
                _hand_in(smtp, server, mail)
    except (smtplib.SMTPException, OSError) as error:
        raise TransientError(
            say("The mail server did not take the message: {trouble}.", trouble=type(error).__name__)
        ) from None


def _hand_in(smtp: smtplib.SMTP, server: Server, mail: EmailMessage) -> None:
    if server.user:
        smtp.login(server.user, server.password)
    smtp.send_message(mail)
