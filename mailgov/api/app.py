"""The HTTP interface as an ASGI app."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, FastAPI

from mailgov import __version__
from mailgov.api import problem
from mailgov.api.declared.classes import EXAMPLES as CLASS_EXAMPLES
from mailgov.api.declared.examples import EXAMPLES as DECLARED_EXAMPLES
from mailgov.api.deps import each_once
from mailgov.api.directory.examples import EXAMPLES as DIRECTORY_EXAMPLES
from mailgov.api.examples import EXAMPLES, PARAMETERS
from mailgov.api.limits import Guard
from mailgov.api.routes import (
    DECLARED,
    DIRECTORY,
    audit,
    docs,
    health,
    me,
    messages,
    queue,
    sender_reports,
    session,
    usage,
)
from mailgov.api.schemas import ProblemBody
from mailgov.api.services import ApiServices

__all__ = ["ApiServices", "create_app"]

DESCRIPTION = (
    "Traffic records, the queue and the figures of a province's mail. "
    "Sign in with `Authorization: Bearer <token>`; errors are RFC 9457 problem documents."
)


def create_app(services: ApiServices) -> FastAPI:
    """The app on these services. It opens nothing, starts nothing and has no lifespan of its own.

    `web.app.add_pages` puts the pages in, which this room does not know.
    """
    app = FastAPI(
        title="mailgov",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=None,  # routes.docs serves it, to holders of a token
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat a request with its token elsewhere
        dependencies=[Depends(each_once)],
    )
    app.state.services = services
    problem.install(app)
    for router in (health.router, docs.router):
        app.include_router(router)
    own = (messages.router, queue.router, usage.router, sender_reports.router, audit.router)
    for router in (*own, me.router, session.router, *DIRECTORY, *DECLARED):
        app.include_router(router, prefix="/api/v1")
    _describe(app)
    app.add_middleware(Guard)
    return app


def _show_parameters(description: dict[str, Any]) -> None:
    """Give each parameter that has no example of its own the one that its name has everywhere."""
    for operations in description["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                schema = parameter.get("schema", {})
                if (
                    parameter["name"] in PARAMETERS
                    and "examples" not in schema
                    and "example" not in parameter
                ):
                    parameter["example"] = PARAMETERS[parameter["name"]]


def _describe(app: FastAPI) -> None:
    """Add to the description what FastAPI leaves out: problem documents, and examples with their nulls."""
    made = app.openapi

    def described() -> dict[str, Any]:
        description = made()
        schemas = description.setdefault("components", {}).setdefault("schemas", {})
        schemas.setdefault("ProblemBody", ProblemBody.model_json_schema())
        for name, example in (EXAMPLES | DIRECTORY_EXAMPLES | DECLARED_EXAMPLES | CLASS_EXAMPLES).items():
            schemas[name]["example"] = example
        _show_parameters(description)
        return description

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way to extend it
