"""Clients of google-api-python-client."""

from importlib import import_module
from typing import Any

from evonas.errors import UserError


def compute() -> Any:
    """A client of Compute Engine, with the credentials of `gcloud auth application-default login`.

    Raises:
        UserError: google-api-python-client is not installed, or there are no credentials.
    """
    try:
        discovery = import_module("googleapiclient.discovery")
    except ImportError:
        raise UserError("google-api-python-client is missing: pip install google-api-python-client") from None
    try:
        return discovery.build("compute", "v1", cache_discovery=False)
    except Exception as error:
        if type(error).__name__ != "DefaultCredentialsError":
            raise
        raise UserError("no credentials of Google Cloud: gcloud auth application-default login") from None


def every(listing: Any, **words: Any) -> list[Any]:
    """All items of a `list` of the client, over all pages.

    Args:
        listing: `compute.firewalls()`.
        words: of its `list`.
    """
    request, items = listing.list(**words), list[Any]()
    while request is not None:
        answer = answered(request)
        items += answer.get("items", [])
        request = listing.list_next(request, answer)
    return items


def answered(request: Any) -> Any:
    """What Google answers to a request for a listing; nothing where the service is off, of which nothing is there."""
    try:
        return request.execute()
    except Exception as error:
        if not is_off(str(error)):
            raise
        return {}


def is_off(said: str) -> bool:
    """Whether Google, or gcloud, says that a service is not switched on in the project."""
    return any(
        words in said for words in ("SERVICE_DISABLED", "has not been used in project", "not enabled on project")
    )


def missing(error: Exception) -> bool:
    """Whether Google says that something is not there, or that its service is off."""
    return getattr(getattr(error, "resp", None), "status", None) in (404, "404") or is_off(str(error))
