"""One file per resource."""

from mailgov.api.routes import domains

DIRECTORY = (domains.router,)
"""What the directory holds."""
