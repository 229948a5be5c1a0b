"""/docs: Swagger UI from a wheel, so that nothing is loaded from elsewhere. `API_DOCS=false` takes it away."""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import Response

from groundwork.http.problem import NotFound

__all__ = ["docs_routes"]

docs_routes = APIRouter(prefix="/docs", include_in_schema=False)

TYPES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon-32x32.png": "image/png"}
PAGE = """\
<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>API</title>
    <link rel="icon" href="/docs/favicon-32x32.png">
    <link rel="stylesheet" href="/docs/swagger-ui.css">
    <script src="/docs/swagger-ui-bundle.js" defer></script>
    <script src="/docs/start.js" defer></script>
  </head>
  <body><div id="swagger"></div></body>
</html>
"""
START = 'SwaggerUIBundle({ url: "/openapi.json", dom_id: "#swagger", deepLinking: true, tryItOutEnabled: true });\n'
# Swagger UI writes styles into its elements.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@docs_routes.get("")
async def page() -> Response:
    return Response(PAGE, media_type="text/html", headers={"Content-Security-Policy": POLICY})


@docs_routes.get("/{name}")
async def part(name: str) -> Response:
    if name == "start.js":
        return Response(START, media_type="text/javascript")
    if name not in TYPES:
        raise NotFound
    return Response(_file(name), media_type=TYPES[name], headers={"Cache-Control": "max-age=86400"})


@cache
def _file(name: str) -> bytes:
    return files("fastapi_swagger").joinpath("resources", name).read_bytes()
