"""A sink. It posts the rows to an address, page by page, signed; the receiver knows a page again by its key."""

from batchd import DeliveryJob, Page, PagedSink, Receipt, Register, SignedPost, SignedPostSettings, hookimpl


class PostSettings(SignedPostSettings):
    page_rows: int = 200


class PostSink(PagedSink[PostSettings]):
    Settings = PostSettings

    def __init__(self, settings: PostSettings) -> None:
        super().__init__(settings)
        self.page_rows = settings.page_rows
        self.post = SignedPost(settings)

    async def send(self, page: Page) -> None:
        await self.post.send(page.json(), key=page.key)

    def receipt(self, job: DeliveryJob, rows: int) -> Receipt:
        return Receipt(self.post.where, rows=rows)

    async def aclose(self) -> None:
        await self.post.aclose()


@hookimpl
def register_sinks(register: Register) -> None:
    register("post", PostSink)
