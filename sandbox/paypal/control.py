"""Control calls that only PayPal has, and the certificates anybody may read."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.control.body import only, read_json
from sandbox.paypal.certificates import Certificates
from sandbox.paypal.gateway import Gateway

_PEM = "application/x-pem-file"


class PayPalControl:
    """Trust in the webhooks' signatures, and tokens that stop working."""

    def __init__(self, gateway: Gateway, certificates: Certificates) -> None:
        self._gateway = gateway
        self._certificates = certificates

    def routes(self) -> list[Route]:
        """Where it is."""
        return [
            Route("/sandbox/paypal/ca.pem", self.root, methods=["GET"]),
            Route("/sandbox/paypal/expire_tokens", self.expire_tokens, methods=["POST"]),
            Route("/paypal/v1/notifications/certs/{certificate}", self.chain, methods=["GET"]),
        ]

    async def root(self, _: Request) -> Response:
        """The root that a receiver has to trust."""
        return Response(self._certificates.root.read_bytes(), media_type=_PEM)

    async def chain(self, request: Request) -> Response:
        """The certificate that signs, and the one that signed it."""
        if request.path_params["certificate"] != self._certificates.id:
            return Response(status_code=404)
        return Response(self._certificates.chain, media_type=_PEM)

    async def expire_tokens(self, request: Request) -> Response:
        """Make every access token useless before its time."""
        only(await read_json(request))
        return JSONResponse({"expired": self._gateway.tokens.expire()})
