"""Every route there is: pages and the API; what programs watch is in `application`."""

from __future__ import annotations

from . import api, programs
from .endpoints import Endpoint, Handler
from .pages import batches, entry, files, jobs, money, orders

JSON_BODY = {"content": {"application/json": {"schema": {"type": "object"}}}}
FILE_BODY = {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string"}}}}


def _order(path: str, handler: Handler) -> Endpoint:
    return Endpoint("POST", path, handler, orders=True, body=JSON_BODY, statuses=("200", "202", "409"))


PAGES = (
    Endpoint("GET", "/login", entry.show, open=True),
    Endpoint("POST", "/login", entry.enter, open=True),
    Endpoint("POST", "/logout", entry.leave),
    Endpoint("GET", "/", jobs.show_list),
    Endpoint("GET", "/jobs/{job}", jobs.show_job),
    Endpoint("GET", "/jobs/{job}/files/{name:.+}", files.download, streams=True),
    Endpoint("POST", "/jobs/{job}/{order}", orders.order_job, orders=True),
    Endpoint("GET", "/batches", batches.show),
    Endpoint("POST", "/batches/{batch}/resolve", orders.resolve_batch, orders=True),
    Endpoint("POST", "/pause", orders.pause, orders=True),
    Endpoint("POST", "/resume", orders.resume, orders=True),
    Endpoint("GET", "/spending", money.show),
    Endpoint("GET", "/upload", orders.show_upload, orders=True),
    Endpoint("POST", "/upload", orders.upload, orders=True, streams=True, receives=True),
)

API = (
    Endpoint("GET", "/api/v1", api.about),
    Endpoint(
        "GET",
        "/api/v1/jobs",
        api.jobs,
        query={
            "group": "now, waiting, held, failed or done",
            "route": "of this route alone",
            "text": "a part of the file's name, or the first characters of an id",
            "page": "from 1",
            "size": "jobs on a page, at most 200",
        },
    ),
    Endpoint("GET", "/api/v1/jobs/{job}", api.job),
    Endpoint("GET", "/api/v1/jobs/{job}/events", api.events, query={"offset": "how many events to skip"}),
    Endpoint(
        "GET", "/api/v1/jobs/{job}/files/{name:.+}", files.download, streams=True, answer="application/octet-stream"
    ),
    Endpoint(
        "GET",
        "/api/v1/jobs/{job}/results",
        programs.results,
        streams=True,
        query={"offset": "how many rows to skip"},
        answer="application/x-ndjson",
    ),
    _order("/api/v1/jobs/{job}/{order}", api.order_job),
    Endpoint("GET", "/api/v1/batches", api.batches),
    _order("/api/v1/batches/{batch}/resolve", api.resolve_batch),
    _order("/api/v1/pause", api.pause),
    _order("/api/v1/resume", api.resume),
    Endpoint("GET", "/api/v1/conditions", api.conditions),
    Endpoint(
        "GET",
        "/api/v1/spending",
        api.spending,
        query={"by": "day, month, route, model, provider or job", "days": "how far back; about a month if not given"},
    ),
    Endpoint("GET", "/api/v1/routes", api.routes),
    Endpoint(
        "PUT",
        "/api/v1/routes/{route}/files/{name}",
        api.put_file,
        orders=True,
        streams=True,
        body=FILE_BODY,
        statuses=("201",),
    ),
    Endpoint("GET", "/api/v1/uploads/{upload}", programs.upload),
    Endpoint(
        "POST", "/api/v1/routes/{route}/estimates/{name}", programs.estimate, orders=True, streams=True, body=FILE_BODY
    ),
)
