#!/usr/bin/env python3
"""usage: openai_client.py URL CHECK...

Lets OpenAI's own Python client do what a check is named after to the simulator at URL (".../v1"), which serves the model "tiny" and takes
the key "sk-test". What the client makes of the answers must be what was asked for. Ends 1 at the first check that fails.
"""

from __future__ import annotations

import json
import sys
import urllib.request

import openai

MODEL, KEY = "tiny", "sk-test"
MESSAGES = [{"role": "user", "content": "Say something about tides"}]
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {"text": {"type": "string"}}}}}


def client_of(url: str, key: str = KEY) -> openai.OpenAI:
    return openai.OpenAI(base_url=url, api_key=key, max_retries=0, timeout=20)


def set_faults(url: str, *faults: str) -> None:
    request = urllib.request.Request(url.removesuffix("/v1") + "/sim/fault", json.dumps(faults).encode(), method="PUT")
    urllib.request.urlopen(request, timeout=10).close()


def equal(ours: object, expected: object) -> None:
    assert ours == expected, f"{ours!r} instead of {expected!r}"


def failure(kind: type[openai.APIStatusError], status: int, call: object, **arguments: object) -> openai.APIStatusError:
    try:
        call(**arguments)
    except kind as error:
        equal(error.status_code, status)
        return error
    raise AssertionError(f"no {kind.__name__} from {arguments}")


def check_models(client: openai.OpenAI) -> None:
    equal([model.id for model in client.models.list()], [MODEL])


def check_chat(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=12)
    equal(answer.object, "chat.completion")
    equal(answer.choices[0].finish_reason, "length")
    equal(answer.choices[0].message.role, "assistant")
    assert len(answer.choices[0].message.content.split()) >= 8
    equal(answer.usage.completion_tokens, 12)
    equal(answer.usage.total_tokens, answer.usage.prompt_tokens + 12)


def check_chat_stream(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=MODEL, messages=MESSAGES, max_tokens=12, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    *deltas, last = chunks
    equal(deltas[0].choices[0].delta.role, "assistant")
    assert len("".join(chunk.choices[0].delta.content or "" for chunk in deltas if chunk.choices).split()) >= 8
    equal([chunk.choices[0].finish_reason for chunk in deltas if chunk.choices and chunk.choices[0].finish_reason], ["length"])
    equal(last.choices, [])
    equal(last.usage.completion_tokens, 12)
    equal({chunk.id for chunk in chunks}, {last.id})


def check_completions(client: openai.OpenAI) -> None:
    answer = client.completions.create(model=MODEL, prompt="The tide", max_tokens=9)
    equal(answer.object, "text_completion")
    equal(answer.usage.completion_tokens, 9)
    equal(answer.choices[0].finish_reason, "length")
    text = ""
    for chunk in client.completions.create(model=MODEL, prompt="The tide", max_tokens=9, stream=True):
        text += "".join(choice.text for choice in chunk.choices)
    assert len(text.split()) >= 6


def check_choices(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=5, n=3)
    equal([choice.index for choice in answer.choices], [0, 1, 2])
    equal(answer.usage.completion_tokens, 15)
    seen: dict[int, int] = {}
    for chunk in client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=5, n=3, stream=True):
        for choice in chunk.choices:
            seen[choice.index] = seen.get(choice.index, 0) + (choice.finish_reason == "length")
    equal(seen, {0: 1, 1: 1, 2: 1})


def check_logprobs(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=6, logprobs=True, top_logprobs=3)
    content = answer.choices[0].logprobs.content
    equal(len(content), 6)
    for token in content:
        equal(len(token.top_logprobs), 3)
        equal(token.top_logprobs[0].token, token.token)
        assert token.logprob < 0
    equal("".join(token.token for token in content), answer.choices[0].message.content)
    old = client.completions.create(model=MODEL, prompt="The tide", max_tokens=6, logprobs=2).choices[0]
    equal([len(old.logprobs.tokens), len(old.logprobs.token_logprobs), len(old.logprobs.top_logprobs)], [6, 6, 6])
    equal("".join(old.logprobs.tokens), old.text)


def check_tools(client: openai.OpenAI, reason: str = "tool_calls") -> None:
    asked = {"model": MODEL, "messages": MESSAGES, "max_tokens": 12, "tools": [TOOL], "tool_choice": "required"}
    choice = client.chat.completions.create(**asked).choices[0]
    equal(choice.finish_reason, reason)
    equal(choice.message.tool_calls[0].function.name, "look_up")
    assert "text" in json.loads(choice.message.tool_calls[0].function.arguments)
    name, arguments = "", ""
    for chunk in client.chat.completions.create(**asked, stream=True):
        for call in chunk.choices[0].delta.tool_calls or []:
            name += call.function.name or ""
            arguments += call.function.arguments or ""
    equal(name, "look_up")
    assert "text" in json.loads(arguments)


def check_tools_of_tgi(client: openai.OpenAI) -> None:
    check_tools(client, "stop")


def check_stop(client: openai.OpenAI) -> None:
    whole = client.completions.create(model=MODEL, prompt="The tide", max_tokens=40).choices[0].text
    answer = client.completions.create(model=MODEL, prompt="The tide", max_tokens=40, stop=[" t"])
    assert " t" in whole, whole
    equal(answer.choices[0].finish_reason, "stop")
    assert " t" not in answer.choices[0].text, answer.choices[0].text
    assert answer.usage.completion_tokens < 40


def check_errors(client: openai.OpenAI) -> None:
    create = client.chat.completions.create
    bad = failure(openai.BadRequestError, 400, create, model=MODEL, messages=MESSAGES, max_tokens=10**6)
    assert "maximum context length" in bad.message or "max_model_len" in bad.message, bad.message
    failure(openai.BadRequestError, 400, create, model=MODEL, messages=MESSAGES, temperature="warm")
    lost = failure(openai.NotFoundError, 404, create, model="nobody", messages=MESSAGES)
    assert "nobody" in lost.message, lost.message
    other = client_of(str(client.base_url), "sk-wrong")
    failure(openai.AuthenticationError, 401, other.chat.completions.create, model=MODEL, messages=MESSAGES)
    failure(openai.AuthenticationError, 401, other.models.list)


def check_faults(client: openai.OpenAI) -> None:
    url, create = str(client.base_url).rstrip("/"), client.chat.completions.create
    for code, kind in ((429, openai.RateLimitError), (500, openai.InternalServerError), (503, openai.InternalServerError)):
        set_faults(url, f"status={code}:retry-after=1")
        error = failure(kind, code, create, model=MODEL, messages=MESSAGES, max_tokens=2)
        equal(error.response.headers["retry-after"], "1")
    set_faults(url, "status=503:first=1")
    answer = client.with_options(max_retries=2).chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=2)
    equal(answer.usage.completion_tokens, 2)
    for fault in ("error-event", "truncate", "reset"):
        set_faults(url, f"{fault}:after=3")
        seen = 0
        try:
            for chunk in create(model=MODEL, messages=MESSAGES, max_tokens=9, stream=True):
                seen += any(choice.delta.content for choice in chunk.choices)
        except Exception as error:  # the client lets errors of its transport through as they are
            assert fault != "error-event" or isinstance(error, openai.APIError), repr(error)
            assert seen <= 3, seen
        else:
            raise AssertionError(f"{fault} was not noticed")
    set_faults(url)


def check_reasoning(client: openai.OpenAI) -> None:
    """For a simulator with --reasoning-tokens 4. The client has no name for it, and keeps it all the same."""
    message = client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=10).choices[0].message
    key = next(key for key in ("reasoning", "reasoning_content") if getattr(message, key, None))
    assert message.content and getattr(message, key)
    kinds = []
    for chunk in client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=10, stream=True):
        delta = chunk.choices[0].delta
        kinds += ["reasoning"] if getattr(delta, key, None) else ["content"] if delta.content else []
    equal(kinds, sorted(kinds, reverse=True))
    assert 3 <= kinds.count("reasoning") <= 4 and kinds.count("content") >= 4, kinds


def check_hidden_reasoning(client: openai.OpenAI) -> None:
    """The same in OpenAI's dialect."""
    create = client.chat.completions.create
    answer = create(model=MODEL, messages=MESSAGES, max_completion_tokens=10)
    equal(answer.usage.completion_tokens, 10)
    equal(answer.usage.completion_tokens_details.reasoning_tokens, 4)
    refused = failure(openai.BadRequestError, 400, create, model=MODEL, messages=MESSAGES, max_tokens=10)
    equal([refused.code, refused.param], ["unsupported_parameter", "max_tokens"])


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    for name in sys.argv[2:]:
        try:
            globals()[f"check_{name}"](client_of(sys.argv[1]))
        except Exception as error:
            raise SystemExit(f"{name}: {type(error).__name__}: {error}") from error
        print(f"{name}: fine")


if __name__ == "__main__":
    main()
