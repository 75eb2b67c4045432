"""The surface: files."""

import urllib.request

from checks import equal, holds
from mistralai.client.types import UNSET
from surface import MODES, no_object, turned_down

LINE = b'{"custom_id": "1", "body": {"messages": [{"role": "user", "content": "Hello"}]}}\n'


def add(checks, recorded):
    """Adds the checks."""
    files, mine = recorded.client.files, recorded.key["id"]

    async def upload(mode, name, purpose, content=LINE):
        return await mode.call(files, "upload", file={"file_name": name, "content": content}, purpose=purpose)

    @checks.both("files, from upload to delete", MODES)
    async def live(mode):
        made = await upload(mode, "scan.pdf", "ocr")
        equal((made.filename, made.purpose, made.size_bytes), ("scan.pdf", "ocr", len(LINE)), "what was made")
        shown = await mode.call(files, "retrieve", file_id=made.id)
        equal((shown.id, shown.deleted, shown.visibility), (made.id, False, "workspace"), "file")
        content = await mode.call(files, "download", file_id=made.id)
        equal(await mode.content(content), LINE, "content")
        gone = await mode.call(files, "delete", file_id=made.id)
        equal((gone.id, gone.deleted), (made.id, True), "what was deleted")
        await no_object(lambda: mode.call(files, "retrieve", file_id=made.id))
        await no_object(lambda: mode.call(files, "download", file_id=made.id))

    @checks.both("files.list", MODES)
    async def lists(mode):
        made = [await upload(mode, f"{mode.name} {mine} {n}.{kind}", purpose)
                for n, (kind, purpose) in enumerate([("jsonl", "batch"), ("pdf", "ocr"), ("pdf", "ocr")])]
        ids = [file.id for file in reversed(made)]
        every = await mode.call(files, "list")
        equal([file.id for file in every.data if file.id in ids], ids, "files, newest first")
        holds(every.total >= 3, f"total in {every}")
        ours = {"search": f"{mode.name} {mine}"}
        scans = await mode.call(files, "list", purpose="ocr", source=["upload", "repository"], **ours)
        equal(([file.id for file in scans.data], scans.total), (ids[:2], 2), "files to read")
        kinds = await mode.call(files, "list", sample_type=["batch_request", "pretrain"], **ours)
        equal([file.id for file in kinds.data], ids[2:], "files of these kinds")
        typed = await mode.call(files, "list", mimetypes=["application/pdf"], include_total=False, **ours)
        equal(([file.id for file in typed.data], typed.total), (ids[:2], UNSET), "files of that type")
        second = await mode.call(files, "list", page=1, page_size=2, **ours)
        equal([file.id for file in second.data], ids[2:], "second page")
        for file in made:
            await mode.call(files, "delete", file_id=file.id)

    @checks.both("files.get_signed_url", MODES)
    async def sign(mode):
        made = await upload(mode, "scan.pdf", "ocr")
        for expiry in ({}, {"expiry": 2}):
            signed = await mode.call(files, "get_signed_url", file_id=made.id, **expiry)
            with urllib.request.urlopen(signed.url, timeout=10) as answer:
                equal(answer.read(), LINE, "content behind the URL")
        await mode.call(files, "delete", file_id=made.id)

    @checks.both("files.upload that only its user could see is refused", MODES)
    async def private(mode):
        await turned_down(lambda: mode.call(files, "upload", visibility="user",
                                            file={"file_name": "a.pdf", "content": b"x"}, purpose="ocr"),
                          422, "body.visibility: Input should be 'workspace'", "invalid_request")
