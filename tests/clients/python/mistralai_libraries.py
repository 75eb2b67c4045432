"""Libraries and their documents with Mistral's Python client, plainly and async."""

import asyncio
import time
import urllib.request

import gateway
import surface
from checks import Checks, equal, holds
from surface import MODES, no_object

checks = Checks("mistralai libraries")
surface.permit()
recorded = surface.Recorded("libraries")
libraries, documents = recorded.client.beta.libraries, recorded.client.beta.libraries.documents
TEXT = b"Louvers are slats.\n\nThey let the air through, and keep the rain out.\n"


async def uploaded(mode, library, name="slats.txt"):
    """A document, once it is read."""
    file = {"file_name": name, "content": TEXT, "content_type": "text/plain"}
    made = await mode.call(documents, "upload", library_id=library.id, file=file)
    equal((made.library_id, made.name, made.size), (library.id, name, len(TEXT)), "what was uploaded")
    return await read(mode, {"library_id": library.id, "document_id": made.id})


async def read(mode, one):
    """The document once it is read."""
    until = time.monotonic() + 20
    status = await mode.call(documents, "status", **one)
    while status.process_status not in ("done", "noop") and time.monotonic() < until:
        await asyncio.sleep(0.1)
        status = await mode.call(documents, "status", **one)
    equal((status.document_id, status.process_status), (one["document_id"], "done"), "status")
    return await mode.call(documents, "get", **one)


@checks.both("beta.libraries, from create to delete", MODES)
async def live(mode):
    made = await mode.call(libraries, "create", name="slats", description="All about them")
    equal((made.name, made.description, made.nb_documents), ("slats", "All about them", 0), "what was made")
    shown = await mode.call(libraries, "get", library_id=made.id)
    equal((shown.id, shown.name), (made.id, "slats"), "library")
    changed = await mode.call(libraries, "update", library_id=made.id, name="louvers", description="More")
    equal((changed.name, changed.description), ("louvers", "More"), "change")
    changed = await mode.call(libraries, "libraries_update_v1", library_id=made.id, name="blinds")
    equal(changed.name, "blinds", "change")
    every = await mode.call(libraries, "list")
    holds(made.id in [library.id for library in every.data], f"the library is in {every}")
    page = await mode.call(libraries, "list", page=0, page_size=1)
    equal([library.id for library in page.data], [made.id], "the newest")
    await mode.call(libraries, "delete", library_id=made.id)
    await no_object(lambda: mode.call(libraries, "get", library_id=made.id))


@checks.both("beta.libraries.documents, from upload to delete", MODES)
async def document(mode):
    library = await mode.call(libraries, "create", name="slats")
    made = await uploaded(mode, library)
    one = {"library_id": library.id, "document_id": made.id}
    holds(made.tokens_processing_total > 0, f"tokens of {made}")
    holds((await mode.call(documents, "text_content", **one)).text, "text")
    changed = await mode.call(documents, "update", name="air.txt", attributes={"team": "ml"}, **one)
    equal((changed.name, changed.attributes), ("air.txt", {"team": "ml"}), "change")
    changed = await mode.call(documents, "libraries_documents_update_v1", name="rain.txt", **one)
    equal(changed.name, "rain.txt", "change")
    for operation in ("get_signed_url", "extracted_text_signed_url"):
        url = await mode.call(documents, operation, **one)
        with urllib.request.urlopen(url, timeout=10) as answer:
            holds(answer.read(), f"content behind the URL of {operation}")
    await mode.call(documents, "reprocess", **one)
    await read(mode, one)
    await mode.call(documents, "delete", **one)
    await no_object(lambda: mode.call(documents, "get", **one))
    await mode.call(libraries, "delete", library_id=library.id)


@checks.both("beta.libraries.documents.list", MODES)
async def lists(mode):
    library = await mode.call(libraries, "create", name="slats")
    made = [await uploaded(mode, library, name) for name in ("a.txt", "b.txt", "c.txt")]
    ids = [document.id for document in reversed(made)]
    every = await mode.call(documents, "list", library_id=library.id)
    equal([document.id for document in every.data], ids, "documents, newest first")
    equal(every.pagination.total_items, 3, "how many")
    named = await mode.call(documents, "list", library_id=library.id, sort_by="name", sort_order="asc", page_size=2)
    equal([document.name for document in named.data], ["a.txt", "b.txt"], "documents by name")
    found = await mode.call(documents, "list", library_id=library.id, search="c.txt")
    equal([document.id for document in found.data], ids[:1], "documents of that name")
    await mode.call(libraries, "delete", library_id=library.id)


@checks.both("beta.conversations that look things up", MODES)
async def looked_up(mode):
    library = await mode.call(libraries, "create", name="slats")
    tools = [{"type": "document_library", "library_ids": [library.id]}]
    start = {"model": gateway.SMALL, "inputs": "What is a louver?", "tools": tools}
    begun = await mode.call(recorded.client.beta.conversations, "start", **start)
    equal(list(begun.usage.connectors), ["document_library"], "tools that were called")
    await mode.call(libraries, "delete", library_id=library.id)
    await no_object(lambda: mode.call(recorded.client.beta.conversations, "start", **start))


@checks.both("nobody has the libraries and documents of another workspace", MODES)
async def foreign(mode):
    library = await mode.call(libraries, "create", name="slats")
    made = await uploaded(mode, library)
    other = type(recorded.client)(api_key=gateway.ML_KEY, server_url=gateway.URL).beta.libraries
    await no_object(lambda: mode.call(other, "get", library_id=library.id))
    await no_object(lambda: mode.call(other, "delete", library_id=library.id))
    await no_object(lambda: mode.call(other.documents, "list", library_id=library.id))
    await no_object(lambda: mode.call(other.documents, "text_content", library_id=library.id, document_id=made.id))


@checks.check("every operation of libraries is called, except those that share them")
async def complete():
    every = surface.every_operation(recorded.client)
    recorded.has_called({name for name in every
                         if name.startswith("beta.libraries.") and ".accesses." not in name})


checks.run()
