"""The collection end-points, compatible with Segment's HTTP tracking API.

https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/
"""

from fastapi import APIRouter

router = APIRouter(tags=["collection"])
