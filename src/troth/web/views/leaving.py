"""What an answer carries when somebody leaves for good."""

from django.http import HttpResponseBase


def forgetting[Response: HttpResponseBase](response: Response) -> Response:
    """Tell the browser to forget the service too. Only answers to a form do so: a link must not sign anybody out."""
    response.headers["Clear-Site-Data"] = '"cookies", "storage"'
    return response
