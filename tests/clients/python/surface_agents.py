"""The surface: agents with their versions, and conversations."""

import gateway
from checks import equal, holds
from gateway import LARGE, SMALL, WEATHER
from surface import MODES, adds_up, no_object, turned_down

NOT_ALLOWED = 'Tools of the type "image_generation" are not allowed for this key; functions are.'
HELLO = [{"role": "user", "content": "Hello"}]


def add(checks, recorded):
    """Adds the checks."""
    client = recorded.client
    agents, talks = client.beta.agents, client.beta.conversations

    @checks.both("beta.agents, from create to delete", MODES)
    async def live(mode):
        made = await mode.call(agents, "create", model=SMALL, name="guide", instructions="Be brief.",
                               description="Knows the way", metadata={"team": mode.name},
                               completion_args={"temperature": 0.3, "max_tokens": 50}, tools=[WEATHER],
                               version_message="the first")
        equal((made.name, made.version, made.metadata), ("guide", 0, {"team": mode.name}), "what was made")
        shown = await mode.call(agents, "get", agent_id=made.id)
        equal((shown.id, shown.instructions, shown.completion_args.max_tokens), (made.id, "Be brief.", 50), "agent")
        changed = await mode.call(agents, "update", agent_id=made.id, model=LARGE, name="pilot", tools=[],
                                  instructions="Be kind.", version_message="the second")
        equal((changed.version, changed.name, changed.instructions), (1, "pilot", "Be kind."), "the change")
        old = await mode.call(agents, "get", agent_id=made.id, agent_version=0)
        equal((old.version, old.name, old.model), (0, "guide", shown.model), "the version before")
        versions = await mode.call(agents, "list_versions", agent_id=made.id)
        equal([version.version for version in versions], [1, 0], "versions")
        one = await mode.call(agents, "get_version", agent_id=made.id, version="0")
        equal((one.version, one.instructions), (0, "Be brief."), "one version")
        back = await mode.call(agents, "update_version", agent_id=made.id, version=0)
        equal(back.version, 0, "version it was switched to")
        await mode.call(agents, "delete", agent_id=made.id)
        await no_object(lambda: mode.call(agents, "get", agent_id=made.id))

    @checks.both("beta.agents, aliases of versions", MODES)
    async def aliases(mode):
        made = await mode.call(agents, "create", model=SMALL, name="guide")
        await mode.call(agents, "update", agent_id=made.id, instructions="Be kind.")
        named = await mode.call(agents, "create_version_alias", agent_id=made.id, alias="prod", version=0)
        equal((named.alias, named.version), ("prod", 0), "alias")
        all_of_it = await mode.call(agents, "list_version_aliases", agent_id=made.id)
        equal([(alias.alias, alias.version) for alias in all_of_it], [("prod", 0)], "aliases")
        equal((await mode.call(agents, "get", agent_id=made.id, agent_version="prod")).version, 0, "version")
        await mode.call(agents, "delete_version_alias", agent_id=made.id, alias="prod")
        equal(await mode.call(agents, "list_version_aliases", agent_id=made.id), [], "aliases")
        await no_object(lambda: mode.call(agents, "get", agent_id=made.id, agent_version="prod"))
        await mode.call(agents, "delete", agent_id=made.id)

    @checks.both("beta.agents.list and list_pages", MODES)
    async def lists(mode):
        team = {"team": f"lists {mode.name}"}
        made = [await mode.call(agents, "create", model=SMALL, name=f"n{n}", metadata=team) for n in range(3)]
        ids = [agent.id for agent in reversed(made)]
        every = await mode.call(agents, "list")
        equal([agent.id for agent in every if agent.id in ids], ids, "agents, newest first")
        mine = await mode.call(agents, "list", metadata=team, sources=["api", "playground"], deployment_chat=False)
        equal([agent.id for agent in mine], ids, "agents of that team")
        found = await mode.call(agents, "list", metadata=team, name="n1", search="n", id=ids[1], page=0, page_size=9)
        equal([agent.id for agent in found], [ids[1]], "agents of that name")
        equal([a.id for a in await mode.call(agents, "list", metadata=team, page=1, page_size=2)], ids[2:], "page 1")
        page = await mode.call(agents, "list_pages", metadata=team, page_size=2)
        equal([agent.id for agent in page.result.data], ids[:2], "first page")
        page = page.next() if mode.name == "plain" else await page.next()
        equal(([agent.id for agent in page.result.data], page.result.next_page_token), (ids[2:], None), "second page")
        await mode.call(agents, "list_pages")
        for agent in made:
            await mode.call(agents, "delete", agent_id=agent.id)

    @checks.both("agents.complete and agents.stream", MODES)
    async def complete(mode):
        agent = await mode.call(agents, "create", model=SMALL, name="guide", instructions="Be brief.")
        asked = {"agent_id": agent.id, "messages": HELLO, "max_tokens": 30}
        answer = await mode.call(client.agents, "complete", **asked)
        holds(answer.choices[0].message.content, "content")
        equal(answer.model, agent.model, "model")
        adds_up(answer.usage)
        events = await mode.stream(client.agents, **asked)
        text = "".join(event.choices[0].delta.content or "" for event in events)
        equal(text, answer.choices[0].message.content, "text of the stream")
        adds_up(events[-1].usage)
        await mode.call(agents, "delete", agent_id=agent.id)
        await no_object(lambda: mode.call(client.agents, "complete", **asked))

    @checks.both("beta.conversations, from start to delete", MODES)
    async def talk(mode):
        begun = await mode.call(talks, "start", model=SMALL, inputs="Hello", name="n", description="d",
                                instructions="Be brief.", metadata={"team": mode.name},
                                completion_args={"temperature": 0.3, "max_tokens": 20})
        one = {"conversation_id": begun.conversation_id}
        equal((begun.outputs[-1].type, begun.outputs[-1].role), ("message.output", "assistant"), "output")
        adds_up(begun.usage)
        more = await mode.call(talks, "append", inputs=HELLO, **one)
        equal(more.conversation_id, begun.conversation_id, "conversation")
        holds(more.usage.prompt_tokens > begun.usage.prompt_tokens, "it has grown")
        shown = await mode.call(talks, "get", **one)
        equal((shown.id, shown.name, shown.metadata), (one["conversation_id"], "n", {"team": mode.name}), "shown")
        entries = (await mode.call(talks, "get_history", **one)).entries
        equal([entry.type for entry in entries], ["message.input", "message.output"] * 2, "entries")
        messages = (await mode.call(talks, "get_messages", **one)).messages
        equal([message.content for message in messages][0::2], ["Hello", "Hello"], "what was said")
        again = await mode.call(talks, "restart", from_entry_id=entries[1].id, inputs="No.", **one)
        holds(again.conversation_id != begun.conversation_id, "a restart is another conversation")
        listed = await mode.call(talks, "list", metadata={"team": mode.name})
        holds(begun.conversation_id in [talk.id for talk in listed], f"the conversation is in {listed}")
        equal(await mode.call(talks, "list", metadata={"team": "nobody"}), [], "conversations of nobody")
        await mode.call(talks, "delete", **one)
        left = [talk.id for talk in await mode.call(talks, "list")]
        holds(again.conversation_id in left and begun.conversation_id not in left, f"one of both is in {left}")
        await no_object(lambda: mode.call(talks, "get", **one))
        await mode.call(talks, "delete", conversation_id=again.conversation_id)

    @checks.both("beta.conversations, streams", MODES)
    async def streams(mode):
        events = await mode.stream(talks, "start_stream", model=SMALL, inputs="Hello")
        one = {"conversation_id": whole(events)}
        more = await mode.stream(talks, "append_stream", inputs="And then?", **one)
        equal(whole(more), one["conversation_id"], "conversation")
        entries = (await mode.call(talks, "get_history", **one)).entries
        equal(entries[1].content, said(events), "text of the first stream")
        again = await mode.stream(talks, "restart_stream", from_entry_id=entries[0].id, inputs="No.", **one)
        holds(whole(again) != one["conversation_id"], "a restart is another conversation")

    @checks.both("beta.conversations with an agent", MODES)
    async def with_agent(mode):
        agent = await mode.call(agents, "create", model=SMALL, name="guide")
        await mode.call(agents, "create_version_alias", agent_id=agent.id, alias="prod", version=0)
        begun = await mode.call(talks, "start", agent_id=agent.id, agent_version="prod", inputs="Hello")
        equal(begun.outputs[-1].agent_id, agent.id, "who spoke")
        await mode.call(agents, "delete", agent_id=agent.id)

    @checks.both("beta.conversations with tools", MODES)
    async def with_tools(mode):
        begun = await mode.call(talks, "start", model=SMALL, inputs="Hello", tools=[{"type": "web_search"}])
        equal(begun.outputs[0].type, "tool.execution", "first output")
        equal(list(begun.usage.connectors), ["web_search"], "tools that were called")
        holds(begun.usage.connectors["web_search"] > 0, "calls of tools")
        holds(begun.usage.connector_tokens > 0, "tokens of tools")
        called = await mode.call(talks, "start", model=SMALL, inputs="Hello", tools=[WEATHER],
                                 completion_args={"tool_choice": "any"})
        [call] = [output for output in called.outputs if output.type == "function.call"]
        equal(call.name, "get_weather", "function")
        result = {"type": "function.result", "tool_call_id": call.tool_call_id, "result": '{"sky": "clear"}'}
        after = await mode.call(talks, "append", conversation_id=called.conversation_id, inputs=[result],
                                completion_args={"tool_choice": "auto"})
        equal(after.outputs[-1].type, "message.output", "output after the result")

    @checks.both("a tool that nobody allowed", MODES)
    async def forbidden_tool(mode):
        await turned_down(lambda: mode.call(talks, "start", model=SMALL, inputs="x",
                                            tools=[{"type": "image_generation"}]),
                          403, NOT_ALLOWED, "tool_not_allowed")

    @checks.both("nobody has the agents and conversations of another workspace", MODES)
    async def foreign(mode):
        made = await mode.call(agents, "create", model=SMALL, name="guide")
        begun = await mode.call(talks, "start", model=SMALL, inputs="Hello")
        other = type(client)(api_key=gateway.ML_KEY, server_url=gateway.URL)
        await no_object(lambda: mode.call(other.beta.agents, "get", agent_id=made.id))
        await no_object(lambda: mode.call(other.agents, "complete", agent_id=made.id, messages=HELLO))
        await no_object(lambda: mode.call(other.beta.conversations, "append", inputs="x",
                                          conversation_id=begun.conversation_id))


def said(events):
    """The text of a streamed turn."""
    return "".join(event.content for event in events if event.type == "message.output.delta")


def whole(events):
    """The conversation of a streamed turn, which must have its begin, a text and its end."""
    equal(events[0].type, "conversation.response.started", "first event")
    equal(events[-1].type, "conversation.response.done", "last event")
    holds(said(events), "text")
    adds_up(events[-1].usage)
    return events[0].conversation_id
