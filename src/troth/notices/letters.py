"""A notice as a mail: text and HTML from the same words, one Message-ID, and a return address that names the notice."""

import html
import re
import uuid
from collections.abc import Iterator, Mapping
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any

#: Where an address of the web begins and ends in a text; a point or bracket behind it is the sentence's.
LINK = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)\]]")
ITEM = "- "
#: No address in a header is broken in two: a line may have 998 characters (RFC 5322, section 2.1.1).
UNFOLDED = policy.default.clone(max_line_length=998)


def compose(address: str, facts: Mapping[str, Any], sender: str, notice: uuid.UUID | None = None) -> EmailMessage:
    """Make the message. The header API refuses line breaks, so no content can add a header.

    A notice has one Message-ID however often it is tried: who gets it twice can tell (RFC 5322, section 3.6.4). What
    was written as text alone gets the same words as HTML; `headers` of the facts are added.
    """
    message = EmailMessage(policy=UNFOLDED)
    name, _, domain = address.rpartition("@")
    message["To"] = Address(username=name, domain=domain)
    message["From"] = sender
    message["Subject"] = " ".join(facts["subject"].split())
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{notice or uuid.uuid4()}@{sender.rpartition('@')[2] or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"
    language = str(facts.get("language", ""))
    if language:
        message["Content-Language"] = language
    for header, value in facts.get("headers", {}).items():
        message[header] = value
    message.set_content(facts["text"])
    message.add_alternative(facts.get("html") or as_html(facts["subject"], facts["text"], language), subtype="html")
    return message


def plain(message: EmailMessage) -> str:
    """Return the text part."""
    body = message.get_body(("plain",))
    return body.get_content() if body else ""


def as_html(title: str, text: str, language: str = "") -> str:
    """Return a text as a page that loads nothing: nothing in it tells that it was read."""
    said = f' lang="{html.escape(language)}"' if language else ""
    body = "\n".join(_block(block) for block in re.split(r"\n\s*\n", text.strip("\n")) if block.strip())
    return (
        f'<!DOCTYPE html>\n<html{said}><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title></head>\n"
        '<body dir="auto" style="font-family: system-ui, sans-serif; line-height: 1.5; max-width: 38em;'
        f' margin: 1em auto; padding: 0 1em">\n{body}\n</body></html>\n'
    )


def _block(block: str) -> str:
    lines = block.splitlines()
    if all(line.startswith(ITEM) for line in lines):
        return "<ul>" + "".join(f'<li dir="auto">{_linked(line.removeprefix(ITEM))}</li>' for line in lines) + "</ul>"
    return '<p dir="auto">' + "<br>\n".join(map(_linked, lines)) + "</p>"


def _linked(line: str) -> str:
    return "".join(_parts(line))


def _parts(line: str) -> Iterator[str]:
    end = 0
    for found in LINK.finditer(line):
        yield html.escape(line[end : found.start()])
        yield f'<a href="{html.escape(found.group())}">{html.escape(found.group())}</a>'
        end = found.end()
    yield html.escape(line[end:])
