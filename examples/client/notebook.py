"""A table of pandas, answered by a daemon that lives as long as the client."""

import pandas as pd

from batchd.client import Client

reviews = pd.read_csv("may.csv")
with Client(folder="shop") as client:
    job = client.submit(reviews, route="reviews", name="may")
    print(job.wait().rows)
    answered = job.results().to_pandas()
print(answered)
