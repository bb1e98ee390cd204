"""One file per resource."""

from mailgov.api.routes import (
    accounts,
    agencies,
    aliases,
    classes,
    declarations,
    dkim_keys,
    domains,
    exemptions,
    groups,
    tokens,
)

DIRECTORY = tuple(
    module.router for module in (domains, agencies, accounts, aliases, groups, dkim_keys, tokens)
)
"""What the directory holds."""
DECLARED = (declarations.router, exemptions.router, classes.router)
"""What people say, because no server can count it."""
