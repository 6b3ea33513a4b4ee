import asyncio
import json
import os

import pytest
from batchd_objects import ObjectsSink

from batchd import RejectedError, TransientError
from batchd.testing.conformance import SinkConformance
from batchd.testing.outbox import MemoryOutbox, many_rows, sample_job


class TestObjects(SinkConformance):
    rows_to_compare = (500, 5_000)

    def make(self):
        return ObjectsSink(ObjectsSink.Settings(url=(self.folder / "store").as_uri()))

    def seen(self):
        found = sorted((self.folder / "store").rglob("*"))
        return {path.name: path.read_bytes() for path in found if path.is_file()}


S3 = os.environ.get("S3_ENDPOINT")  # of a server that lets everybody in, with a bucket `results`


@pytest.mark.skipif(S3 is None, reason="needs the address of an S3 server in S3_ENDPOINT")
def test_a_job_is_one_object_in_s3():
    from obstore.store import S3Store

    keys = {"access_key_id": "a-key", "secret_access_key": "a-secret-key"}
    sink = ObjectsSink(
        ObjectsSink.Settings(
            url="s3://results/team",
            options={"region": "us-east-1", "endpoint": S3, "allow_http": "true"},
            secrets=keys,
        )
    )
    for _ in range(2):
        receipt = asyncio.run(sink.publish(sample_job(MemoryOutbox()), many_rows(30_000)))
    assert receipt.where == "s3://results/team/reviews/may.job.jsonl"
    store = S3Store(
        "results", region="us-east-1", endpoint=S3, client_options={"allow_http": True}, prefix="team", **keys
    )
    lines = bytes(store.get("reviews/may.job.jsonl").bytes()).splitlines()
    assert len(lines) == 30_000
    assert json.loads(lines[-1])["answer"] == "answer 29999"
    assert [each["path"] for page in store.list() for each in page] == ["reviews/may.job.jsonl"]
    gone = sink.settings.model_copy(update={"url": "s3://gone-bucket/x"})
    with pytest.raises(RejectedError, match="has no such bucket"):
        asyncio.run(ObjectsSink(gone).publish(sample_job(MemoryOutbox()), many_rows(1)))


def test_what_is_wrong_is_said():
    def said(kind, **settings):
        sink = ObjectsSink(ObjectsSink.Settings(**settings))
        with pytest.raises(kind) as caught:
            asyncio.run(sink.publish(sample_job(MemoryOutbox()), many_rows(1)))
        return str(caught.value)

    assert "no address of an object store" in said(RejectedError, url="results")
    options = {"endpoint": "http://127.0.0.1:1", "allow_http": "true", "region": "x", "skip_signature": "true"}
    assert "does not take the results now" in said(TransientError, url="s3://results/x", options=options)
    assert "Correct `options`" in said(RejectedError, url="s3://results/x", options={"colour": "red"})
