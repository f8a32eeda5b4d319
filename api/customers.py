"""`GET /v1/checkouts/{id}/customer`: the customer's address, for those who write to customers and for nobody else."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api.finding import find_checkout
from api.guard import CustomersRoute
from api.opening import JSON
from api.responses import problems
from api.services import Services, services_of
from domain.checkout import Checkout

_EXAMPLE: JsonDict = {"id": "chk_7Q2mJ4vX9bTzK1nRc8WsLh3P", "email": "ada@example.com"}

router = APIRouter(prefix="/v1/checkouts", route_class=CustomersRoute, tags=["checkouts"])


class CustomerView(BaseModel):
    """Who buys. No event and no other answer says so."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str = Field(description="The checkout that was asked about.")
    email: str | None = Field(description="Null where the shop gave none.")


@router.get("/{checkout_id}/customer", response_model=CustomerView, responses=problems(401, 403, 404, 422, 503))
async def get_customer(request: Request, checkout_id: str) -> Response:
    """The customer of a checkout; a tender of a split checkout has its whole's. Needs the scope `customers`."""
    services = services_of(request)
    asked = (await find_checkout(services, checkout_id)).checkout
    buyer = await _whole(services, asked)
    return Response(CustomerView(id=asked.id, email=buyer.email).model_dump_json(), media_type=JSON)


async def _whole(services: Services, checkout: Checkout) -> Checkout:
    """Nothing of the customer's is kept twice: of a tender the address is with its split checkout."""
    if checkout.parent_id is None:
        return checkout
    return (await find_checkout(services, checkout.parent_id)).checkout
