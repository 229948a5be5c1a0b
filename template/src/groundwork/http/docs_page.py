"""/docs: Swagger UI from a wheel, so that nothing is loaded from elsewhere. `API_DOCS=false` takes it away."""

from functools import cache
from importlib.resources import files

from fastapi.responses import Response

from groundwork.http.problem import NotFound
from groundwork.http.router import Router

__all__ = ["docs_routes"]

docs_routes = Router(prefix="/docs", include_in_schema=False)

TYPES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon-32x32.png": "image/png"}
# Its URLs are relative: the service may live below a path.
PAGE = """\
<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>API</title>
    <link rel="icon" href="docs/favicon-32x32.png">
    <link rel="stylesheet" href="docs/swagger-ui.css">
    <script src="docs/swagger-ui-bundle.js" defer></script>
    <script type="module" src="docs/start.js"></script>
  </head>
  <body><div id="swagger"></div></body>
</html>
"""
# Swagger UI asks the root of the host for a token, wherever the service lives.
START = """\
const spec = await (await fetch("openapi.json")).json();
const root = spec.servers?.[0].url ?? "";
for (const { flows } of Object.values(spec.components?.securitySchemes ?? {})) {
  for (const flow of Object.values(flows ?? {})) {
    if (flow.tokenUrl?.startsWith("/")) flow.tokenUrl = root + flow.tokenUrl;
  }
}
SwaggerUIBundle({ spec, dom_id: "#swagger", deepLinking: true, tryItOutEnabled: true });
"""
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
