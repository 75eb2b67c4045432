"""Batch jobs with Mistral's Python client: inline and by file, from begin to end, plainly and async."""

import asyncio
import json
import time

import gateway
import surface
from checks import Checks, equal, holds
from gateway import LARGE, SMALL
from surface import MODES, no_object, turned_down

checks = Checks("mistralai batches")
surface.permit()
recorded = surface.Recorded("batches")
jobs, files = recorded.client.batch.jobs, recorded.client.files
CHAT = "/v1/chat/completions"
RUNNING = ("QUEUED", "RUNNING", "CANCELLATION_REQUESTED")


def asked(custom_id):
    """One line of a batch."""
    body = {"messages": [{"role": "user", "content": f"Hello {custom_id}"}], "max_tokens": 20}
    return {"custom_id": custom_id, "body": body}


async def ended(mode, job):
    """The job once it is over."""
    until = time.monotonic() + 30
    while job.status in RUNNING and time.monotonic() < until:
        await asyncio.sleep(0.1)
        job = await mode.call(jobs, "get", job_id=job.id)
    return job


async def lines(mode, file_id):
    """What a file of answers says, by the ids of the requests."""
    response = await mode.call(files, "download", file_id=file_id)
    read = [json.loads(line) for line in (await mode.content(response)).splitlines()]
    return {line["custom_id"]: line for line in read}


@checks.both("batch.jobs with a file, from upload to the answers", MODES)
async def by_file(mode):
    content = "".join(json.dumps(asked(str(n))) + "\n" for n in range(3)).encode()
    file = {"file_name": "lines.jsonl", "content": content}
    kept = await mode.call(files, "upload", file=file, purpose="batch")
    made = await mode.call(jobs, "create", endpoint=CHAT, input_files=[kept.id], model=SMALL, timeout_hours=2,
                           metadata={"team": mode.name})
    equal((made.input_files, made.endpoint, made.metadata), ([kept.id], CHAT, {"team": mode.name}), "what was made")
    job = await ended(mode, made)
    equal((job.status, job.total_requests, job.succeeded_requests, job.failed_requests), ("SUCCESS", 3, 3, 0), "job")
    answers = await lines(mode, job.output_file)
    equal(sorted(answers), ["0", "1", "2"], "ids of the answers")
    for answer in answers.values():
        body = answer["response"]["body"]
        equal((answer["response"]["status_code"], body["usage"]["completion_tokens"] <= 20), (200, True), "answer")
    listed = {file.id for file in (await mode.call(files, "list")).data}
    holds({kept.id, job.output_file} <= listed, f"both files are the workspace's: {listed}")


@checks.both("batch.jobs with requests in the body", MODES)
async def inline(mode):
    made = await mode.call(jobs, "create", endpoint=CHAT, requests=[asked("a"), asked("b")], model=SMALL)
    job = await ended(mode, made)
    equal((job.status, job.succeeded_requests), ("SUCCESS", 2), "job")
    shown = await mode.call(jobs, "get", job_id=job.id, inline=True)
    equal(sorted(output["custom_id"] for output in shown.outputs), ["a", "b"], "answers beside the job")


@checks.both("batch.jobs of vectors", MODES)
async def embeddings(mode):
    request = {"custom_id": "a", "body": {"input": ["one", "two"]}}
    made = await mode.call(jobs, "create", endpoint="/v1/embeddings", requests=[request], model=gateway.EMBED)
    job = await ended(mode, made)
    shown = await mode.call(jobs, "get", job_id=job.id, inline=True)
    equal(len(shown.outputs[0]["response"]["body"]["data"]), 2, "vectors")


@checks.both("batch.jobs.list", MODES)
async def lists(mode):
    made = [await mode.call(jobs, "create", endpoint=CHAT, requests=[asked("a")], model=model)
            for model in (SMALL, SMALL, LARGE)]
    ids = [job.id for job in reversed(made)]
    for job in made:
        await ended(mode, job)
    every = await mode.call(jobs, "list")
    equal([job.id for job in every.data if job.id in ids], ids, "jobs, newest first")
    oldest = await mode.call(jobs, "list", order_by="created")
    equal([job.id for job in oldest.data if job.id in ids], ids[::-1], "jobs, oldest first")
    mine = await mode.call(jobs, "list", created_by_me=True, status=["SUCCESS", "QUEUED"], page=0, page_size=2)
    equal([job.id for job in mine.data], ids[:2], "a page of mine")
    equal((await mode.call(jobs, "list", status=["FAILED"])).data, [], "jobs that failed")
    large = await mode.call(jobs, "list", model=made[2].model)
    holds(ids[0] in [job.id for job in large.data] and ids[1] not in [job.id for job in large.data], "of that model")


@checks.both("batch.jobs.cancel", MODES)
async def cancel(mode):
    made = await mode.call(jobs, "create", endpoint=CHAT, requests=[asked("a")], model=SMALL)
    told = await mode.call(jobs, "cancel", job_id=made.id)
    equal(told.id, made.id, "job")
    job = await ended(mode, told)
    holds(job.status in ("CANCELLED", "SUCCESS"), f"status {job.status}")


@checks.both("batch.jobs of models and files that are not the key's", MODES)
async def foreign(mode):
    await turned_down(lambda: mode.call(jobs, "create", endpoint=CHAT, requests=[asked("a")], model="nope"),
                      403, gateway.MODEL_NOT_ALLOWED, "model_not_allowed")
    made = await mode.call(jobs, "create", endpoint=CHAT, requests=[asked("a")], model=SMALL)
    other = type(recorded.client)(api_key=gateway.ML_KEY, server_url=gateway.URL)
    await no_object(lambda: mode.call(other.batch.jobs, "get", job_id=made.id))
    await no_object(lambda: mode.call(other.batch.jobs, "cancel", job_id=made.id))
    await no_object(lambda: mode.call(jobs, "create", endpoint=CHAT, model=SMALL,
                                      input_files=["01a1ff59-8f29-7533-8840-d561cd8e7ed9"]))


@checks.both("batch.jobs.delete is refused: what is gone can no longer be settled", MODES)
async def delete(mode):
    made = await mode.call(jobs, "create", endpoint=CHAT, requests=[asked("a")], model=SMALL)
    await turned_down(lambda: mode.call(jobs, "delete", job_id=made.id),
                      405, "This path answers to GET.", "method_not_allowed")


@checks.check("every operation of batch jobs is called")
async def complete():
    recorded.has_called({name for name in surface.every_operation(recorded.client) if name.startswith("batch.")})


checks.run()
