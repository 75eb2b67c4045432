"""The surface: calls that leave nothing behind - chats, code, vectors, classifiers, documents, responses, models."""

import base64

import gateway
import surface
from checks import equal, holds
from gateway import CODE, EMBED, LARGE, SMALL, steered
from pydantic import BaseModel
from surface import MODES, adds_up, turned_down

HELLO = [{"role": "user", "content": "Say something about louvers."}]
FIM = {"model": CODE, "prompt": "def odd(n):\n    return ", "suffix": "\n\nprint(odd(3))"}
MODERATION = "mistral-moderation-2603"
OCR = "mistral-ocr-latest"
CLASSIFIER = "ft:classifier:ministral-3b-2512:example"
PDF = {"type": "document_url", "document_url": "https://example.com/a.pdf"}
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()


KEPT = "body.previous_response_id: Input should be null: what upstream has kept has no owner here"


class Place(BaseModel):
    """What an answer is wanted as."""

    city: str
    people: int


def text_of(events):
    """The text of a streamed chat."""
    return "".join(event.choices[0].delta.content or "" for event in events)


def add_classifier():
    """Writes the simulator's classifier into the catalogue, which has none: there are only fine-tuned ones."""
    price = {"effective_from": "2026-01-01T00:00:00Z", "input_usd_per_mtok": 0.1, "output_usd_per_mtok": 0}
    surface.add_models([{
        "id": CLASSIFIER, "aliases": [], "family": "tuned", "name": "A classifier", "context": 32768,
        "endpoints": ["classifications", "chat.classifications"], "status": "active", "prices": [price],
    }])


def add(checks, recorded):
    """Adds the checks."""
    add_classifier()
    client = recorded.client

    @checks.both("chat.complete, everything beside the text", MODES)
    async def chat(mode):
        asked = {"temperature": 0.2, "top_p": 0.9, "random_seed": 7, "stop": ["END"], "presence_penalty": 0.1,
                 "frequency_penalty": 0.1, "parallel_tool_calls": False, "response_format": {"type": "text"},
                 "prediction": {"type": "content", "content": "x"}, "service_tier": "auto", "max_tokens": 30}
        answer = await mode.call(client.chat, "complete", model=SMALL, messages=HELLO, **asked)
        equal(answer.choices[0].message.role, "assistant", "role")
        adds_up(answer.usage)

    @checks.both("chat.complete, a picture and a document", MODES)
    async def chat_with_picture(mode):
        chunks = [{"type": "text", "text": "What is this?"},
                  {"type": "image_url", "image_url": f"data:image/png;base64,{PIXEL}"}]
        answer = await mode.call(client.chat, "complete", model=SMALL,
                                 messages=[{"role": "user", "content": chunks}])
        plain = await mode.call(client.chat, "complete", model=SMALL,
                                messages=[{"role": "user", "content": chunks[:1]}])
        holds(answer.usage.prompt_tokens > plain.usage.prompt_tokens, "a picture has tokens")

    @checks.both("chat.parse", MODES)
    async def parse(mode):
        answer = await mode.call(client.chat, "parse", response_format=Place, model=SMALL, messages=HELLO)
        holds(isinstance(answer.choices[0].message.parsed, Place), "the answer is a Place")

    @checks.both("chat.stream and chat.parse_stream", MODES)
    async def stream(mode):
        asked = {"model": SMALL, "messages": HELLO, "metadata": steered(tokens=90)}
        events = await mode.stream(client.chat, **asked)
        whole = await mode.call(client.chat, "complete", **asked)
        equal(text_of(events), whole.choices[0].message.content, "text of the stream")
        events = await mode.stream(client.chat, "parse_stream", response_format=Place, model=SMALL, messages=HELLO)
        Place.model_validate_json(text_of(events))

    @checks.both("fim.complete and fim.stream", MODES)
    async def fim(mode):
        whole = await mode.call(client.fim, "complete", **FIM)
        equal(text_of(await mode.stream(client.fim, **FIM)), whole.choices[0].message.content, "text")
        adds_up(whole.usage)

    @checks.both("embeddings.create", MODES)
    async def embeddings(mode):
        answer = await mode.call(client.embeddings, "create", model=EMBED, inputs=["one", "two"])
        equal([len(item.embedding) for item in answer.data], [gateway.DIMENSIONS] * 2, "dimensions")

    @checks.both("classifiers.moderate", MODES)
    async def moderate(mode):
        answer = await mode.call(client.classifiers, "moderate", model=MODERATION, inputs=["one", "two"])
        equal((answer.model, len(answer.results)), (MODERATION, 2), "model and results")
        equal(answer.results[0].categories.keys(), answer.results[0].category_scores.keys(), "categories")
        holds(all(0 <= score <= 1 for score in answer.results[0].category_scores.values()), "scores")
        one = await mode.call(client.classifiers, "moderate", model=MODERATION, inputs="one")
        equal(one.results, answer.results[:1], "the same text has the same scores")

    @checks.both("classifiers.moderate_chat", MODES)
    async def moderate_chat(mode):
        talk = [*HELLO, {"role": "assistant", "content": "They have slats."}]
        one = await mode.call(client.classifiers, "moderate_chat", model=MODERATION, inputs=talk)
        equal(len(one.results), 1, "results of one chat")
        two = await mode.call(client.classifiers, "moderate_chat", model=MODERATION, inputs=[talk, HELLO + talk])
        equal(len(two.results), 2, "results of two chats")

    @checks.both("classifiers.classify", MODES)
    async def classify(mode):
        answer = await mode.call(client.classifiers, "classify", model=CLASSIFIER, inputs=["one", "two"])
        equal((answer.model, len(answer.results)), (CLASSIFIER, 2), "model and results")
        for target in answer.results[0].values():
            holds(all(0 <= score <= 1 for score in target.scores.values()), f"scores of {target}")

    @checks.both("classifiers.classify_chat", MODES)
    async def classify_chat(mode):
        answer = await mode.call(client.classifiers, "classify_chat", model=CLASSIFIER, input={"messages": HELLO})
        equal(len(answer.results), 1, "results")

    @checks.both("a model is called only where it serves", MODES)
    async def wrong_model(mode):
        await turned_down(lambda: mode.call(client.classifiers, "classify", model=SMALL, inputs=["one"]),
                          403, gateway.MODEL_NOT_ALLOWED, "model_not_allowed")

    @checks.both("ocr.process", MODES)
    async def ocr(mode):
        answer = await mode.call(client.ocr, "process", model=OCR, document=PDF, pages=[1, 0],
                                 include_image_base64=True, image_limit=2, table_format="html")
        equal(sorted(page.index for page in answer.pages), [0, 1], "pages")
        equal(answer.usage_info.pages_processed, 2, "pages in usage")
        holds(all(page.markdown for page in answer.pages), "pages have text")
        picture = {"type": "image_url", "image_url": f"data:image/png;base64,{PIXEL}"}
        answer = await mode.call(client.ocr, "process", model=OCR, document=picture)
        equal(answer.usage_info.pages_processed, 1, "pages of a picture")

    @checks.both("ocr.process, with annotations", MODES)
    async def annotated(mode):
        shape = {"type": "json_schema",
                 "json_schema": {"name": "place", "schema": Place.model_json_schema(), "strict": True}}
        answer = await mode.call(client.ocr, "process", model=OCR, document=PDF, pages="0-1",
                                 document_annotation_format=shape, bbox_annotation_format=shape)
        Place.model_validate_json(answer.document_annotation)
        Place.model_validate_json(answer.pages[0].images[0].image_annotation)

    @checks.both("responses.create", MODES)
    async def responses(mode):
        asked = {"model": SMALL, "input": "Name a colour.", "instructions": "Be brief.", "max_output_tokens": 500}
        answer = await mode.call(client.responses, "create", **asked)
        equal((answer.status, answer.output[0].role), ("completed", "assistant"), "status and role")
        holds(answer.output[0].content[0].text, "text")
        equal(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens, "tokens")
        events = await mode.stream(client.responses, "create", stream=True, **asked)
        equal((events[0].type, events[-1].type), ("response.created", "response.completed"), "first and last event")
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        equal(text, answer.output[0].content[0].text, "text of the stream")

    @checks.both("responses.count_input_tokens", MODES)
    async def count(mode):
        one = await mode.call(client.responses, "count_input_tokens", model=SMALL, input="Hello there")
        more = await mode.call(client.responses, "count_input_tokens", model=SMALL, input="Hello there " * 20)
        holds(more.input_tokens > one.input_tokens > 0, "a longer input has more tokens")

    @checks.both("responses.create with what is kept upstream is refused", MODES)
    async def kept(mode):
        await turned_down(lambda: mode.call(client.responses, "create", model=SMALL, input="x",
                                            previous_response_id="resp_1"), 422, KEPT, "invalid_request")

    @checks.both("models.list and models.retrieve", MODES)
    async def models(mode):
        every = {model.id for model in (await mode.call(client.models, "list")).data}
        holds({SMALL, LARGE, CODE, EMBED, OCR} <= every, f"all models: {every}")
        one = (await mode.call(client.models, "list", provider="mistralai", model=SMALL)).data
        equal([model.id for model in one], [SMALL], "models of that name")
        equal((await mode.call(client.models, "list", provider="nobody")).data, [], "models of nobody")
        model = await mode.call(client.models, "retrieve", model_id=OCR)
        equal((model.id, model.capabilities.ocr, model.type), (OCR, True, "base"), "model")
