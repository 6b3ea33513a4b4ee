"""Every route there is: pages and the API; what programs watch is in `application`."""

from __future__ import annotations

from . import api, programs
from .endpoints import Endpoint
from .pages import batches, entry, files, jobs, money, orders

JSON_BODY = {"content": {"application/json": {"schema": {"type": "object"}}}}
FILE_BODY = {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string"}}}}

PAGES = (
    Endpoint(method="GET", path="/login", handler=entry.show, open=True),
    Endpoint(method="POST", path="/login", handler=entry.enter, open=True),
    Endpoint(method="POST", path="/logout", handler=entry.leave),
    Endpoint(method="GET", path="/", handler=jobs.show_list),
    Endpoint(method="GET", path="/jobs/{job}", handler=jobs.show_job),
    Endpoint(method="GET", path="/jobs/{job}/files/{name:.+}", handler=files.download, streams=True),
    Endpoint(method="POST", path="/jobs/{job}/{order}", handler=orders.order_job, orders=True),
    Endpoint(method="GET", path="/batches", handler=batches.show),
    Endpoint(method="POST", path="/batches/{batch}/resolve", handler=orders.resolve_batch, orders=True),
    Endpoint(method="POST", path="/pause", handler=orders.pause, orders=True),
    Endpoint(method="POST", path="/resume", handler=orders.resume, orders=True),
    Endpoint(method="GET", path="/spending", handler=money.show),
    Endpoint(method="GET", path="/upload", handler=orders.show_upload, orders=True),
    Endpoint(method="POST", path="/upload", handler=orders.upload, orders=True, streams=True, receives=True),
)

API = (
    Endpoint(method="GET", path="/api/v1", handler=api.about, says="The version of batchd, and what the token lets do"),
    Endpoint(
        method="GET",
        path="/api/v1/jobs",
        handler=api.jobs,
        says="Jobs, a page at a time, with what keeps batchd waiting",
        query={
            "group": "now, waiting, held, failed or done",
            "route": "of this route alone",
            "text": "a part of the file's name, or the first characters of an id",
            "page": "from 1",
            "size": "jobs on a page, at most 200",
        },
    ),
    Endpoint(
        method="GET",
        path="/api/v1/jobs/{job}",
        handler=api.job,
        says="One job: an id, the first characters of one, or the name of its file",
    ),
    Endpoint(
        method="GET",
        path="/api/v1/jobs/{job}/events",
        handler=api.events,
        says="The story of a job, at most 1,000 events",
        query={"offset": "how many events to leave out"},
    ),
    Endpoint(
        method="GET",
        path="/api/v1/jobs/{job}/files/{name:.+}",
        handler=files.download,
        streams=True,
        says="A file of the job's results, by its name among `files` of the job",
        answer="application/octet-stream",
    ),
    Endpoint(
        method="GET",
        path="/api/v1/jobs/{job}/results",
        handler=programs.results,
        streams=True,
        says="Every row of a finished job with its outcome, a JSON object a line, in the order of the file",
        query={"offset": "how many rows to leave out"},
        answer="application/x-ndjson",
    ),
    Endpoint(
        method="POST",
        path="/api/v1/jobs/{job}/{order}",
        handler=api.order_job,
        orders=True,
        says="An order: approve (up_to), cancel, retry, skip-sink (sink), purge",
        body=JSON_BODY,
        statuses=("200", "202", "409"),
    ),
    Endpoint(method="GET", path="/api/v1/batches", handler=api.batches, says="The batches that are not done"),
    Endpoint(
        method="POST",
        path="/api/v1/batches/{batch}/resolve",
        handler=api.resolve_batch,
        orders=True,
        says="What is to become of a batch that is held: found (its id), or absent (true)",
        body=JSON_BODY,
        statuses=("200", "202", "409"),
    ),
    Endpoint(
        method="POST",
        path="/api/v1/pause",
        handler=api.pause,
        orders=True,
        says="Send nothing new: to a provider (provider), of a route (route), or at all",
        body=JSON_BODY,
        statuses=("200", "202", "409"),
    ),
    Endpoint(
        method="POST",
        path="/api/v1/resume",
        handler=api.resume,
        orders=True,
        says="Send again: what was paused under this name (provider, route), or all that is paused",
        body=JSON_BODY,
        statuses=("200", "202", "409"),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/conditions",
        handler=api.conditions,
        says="What keeps batchd waiting, and what to do",
    ),
    Endpoint(
        method="GET",
        path="/api/v1/spending",
        handler=api.spending,
        says="What was spent, and what is left of the budget",
        query={"by": "day, month, route, model, provider or job", "days": "how far back; about a month if not given"},
    ),
    Endpoint(method="GET", path="/api/v1/routes", handler=api.routes, says="The routes, with what each takes"),
    Endpoint(
        method="PUT",
        path="/api/v1/routes/{route}/files/{name}",
        handler=api.put_file,
        orders=True,
        streams=True,
        says="Put a file into the inbox, for this route; the body is the file",
        body=FILE_BODY,
        statuses=("201",),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/uploads/{upload}",
        handler=programs.upload,
        says="The job that a file has become, by the word that the answer to its upload has",
    ),
    Endpoint(
        method="POST",
        path="/api/v1/routes/{route}/estimates/{name}",
        handler=programs.estimate,
        orders=True,
        streams=True,
        says="What a file would cost by this route; the body is the file, of which nothing is kept",
        body=FILE_BODY,
    ),
)
