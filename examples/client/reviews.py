"""Rows in, answered rows out, over the API of a daemon that runs."""

from batchd.client import Client, JobIsHeld

ROWS = [
    {"id": 1, "review": "Arrived in two days, works well."},
    {"id": 2, "review": "The handle broke at once."},
]

with Client("http://127.0.0.1:8321") as client:
    estimate = client.estimate(ROWS, route="reviews")
    print(f"It costs at most {estimate.batch_most} {estimate.currency}.")
    job = client.submit(ROWS, route="reviews", name="may")
    try:
        job.wait()
    except JobIsHeld as held:
        raise SystemExit(f"Somebody must approve it first. {held}") from None
    for row in job.results():
        print(row.columns["id"], row.answer if row.ok else row.failure)
