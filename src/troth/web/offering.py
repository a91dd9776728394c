"""Write to the people whom directories supplied, whether they have an account or not: the same words for everybody."""

from django.core.mail import EmailMessage
from django.db import transaction

from troth.people import directories
from troth.web.mailing import mail


def write_offers() -> int:
    """Put what is due into the outbox and return how many mails that were."""
    due = directories.due_offers()
    for subject, address, organization in due:
        told = mail("directory_offer", {"organization": organization})
        message = EmailMessage(told["subject"], told["text"], to=[address])
        message.troth_subject = subject  # type: ignore[attr-defined] # goes with them, out of the outbox too
        with transaction.atomic():
            message.send()
    return len(due)
