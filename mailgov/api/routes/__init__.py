"""One file per resource."""

from mailgov.api.routes import declarations, domains, exemptions

DIRECTORY = (domains.router,)
"""What the directory holds."""
DECLARED = (declarations.router, exemptions.router)
"""What people say, because no server can count it."""
