"""Engine of a server with OpenAI's interface, for donors that are not fine-tuned here (`rft.config.ServerConfig`).

    sampler = OpenAISampler(Endpoint("http://localhost:8000/v1", "Qwen/Qwen2.5-7B", ServerKind.vllm))
    solutions = sampler.sample([Prompt("How many?")], num_draws=4, temperature=0.7, top_p=1.0, max_new_tokens=256, ...)
    sampler.usage.completion_tokens         # of all calls so far

Every (prompt, draw) is a request of its own with a seed of its own, so that nothing that a server sorts within a request can
matter. Texts follow from the seed only as far as the server keeps to it; `transformers serve` does with one request at a
time. A plain prompt goes to /completions, a `Chat` to /chat/completions, which frames it by the served model's own template.

A request that is repeated may have cost tokens all the same: those of replies that were thrown away are counted apart, and so
are the failures of which no server says what they cost (a time-out, a lost connection, a full queue).

Failure is never a number: a request that fails for good, or whose reply is no reply, ends the call with ServerError. What is
a draw stays one: a refusal and a text that a filter stopped are solutions without text, which are counted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Any

from rft.core.sampling.base import OnSolutions, Solution, check_request, first_stop
from rft.core.sampling.openai_client import Endpoint, ServerError, told
from rft.core.seeding import derive_seed
from rft.core.tokenization import Prompt
from rft.text.templates import Message

ENDED = ("stop", "eos_token", "stop_sequence")  # the last two: TGI
CUT = "length"
FILTERED = "content_filter"
PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0  # before a reply that is no reply is asked for again
FEW = 64  # further draws of prompts, of which it may be chance that all repeat the first: 0.1 % where nine in ten do


@dataclass(frozen=True)
class Chat:
    """A prompt as turns, which the server frames."""

    messages: tuple[Message, ...]


@dataclass(frozen=True)
class Reply:
    """One answer, read."""

    text: str
    finish: str
    prompt_tokens: int
    completion_tokens: int
    model: str
    is_refusal: bool = False
    fingerprint: str | None = None  # of the server's configuration

    def solution(self, stop: Sequence[str]) -> Solution:
        """Cut at the first stop string: some servers leave it in."""
        if self.is_refusal or self.finish == FILTERED:
            return Solution("", self.completion_tokens, self.finish == FILTERED)
        at = first_stop(self.text, stop)
        if at >= 0:
            return Solution(self.text[:at], self.completion_tokens, False)
        return Solution(self.text, self.completion_tokens, self.finish == CUT)


@dataclass
class Usage:
    """Sums over replies: those that are draws, then what was asked again."""

    num_requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    num_refusals: int = 0
    num_filtered: int = 0
    num_discarded: int = 0  # replies that were none, thrown away
    discarded_prompt_tokens: int = 0  # of those, as far as they say
    discarded_completion_tokens: int = 0
    num_untold: int = 0  # requests asked again of which nothing says what they cost, failures among them

    def add(self, reply: Reply, discarded: Discarded) -> None:
        """One more reply, and what came in its place before."""
        self.num_discarded += discarded.num
        self.discarded_prompt_tokens += discarded.prompt_tokens
        self.discarded_completion_tokens += discarded.completion_tokens
        self.num_untold += discarded.num_untold
        self.num_requests += 1
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens
        self.num_refusals += reply.is_refusal
        self.num_filtered += reply.finish == FILTERED


@dataclass(frozen=True)
class Discarded:
    """What one draw cost before its reply came."""

    num: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    num_untold: int = 0

    def failed(self, times: int) -> Discarded:
        """And so many requests that the client repeated."""
        return replace(self, num_untold=self.num_untold + times)

    def and_reply(self, found: Any) -> Discarded:
        """And a reply that was none."""
        told = tokens_of(found)
        read, written = told or (0, 0)
        return Discarded(
            self.num + 1, self.prompt_tokens + read, self.completion_tokens + written, self.num_untold + (told is None)
        )


class MalformedReply(Exception):
    """A reply that is none."""


class OpenAISampler:
    """A server's model."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._client = endpoint.open()
        self.usage = Usage()
        self.models: set[str] = set()  # as replies name it
        self.fingerprints: set[str] = set()

    def sample(
        self,
        prompts: Sequence[Prompt | Chat],
        *,
        num_draws: int,
        temperature: float,
        top_p: float,
        max_new_tokens: int,
        stop: Sequence[str],
        seed: int,
        progress: OnSolutions | None = None,
    ) -> list[list[Solution]]:
        """See `rft.core.sampling.base.Sampler`. Raises ServerError for what fails for good, RuntimeError for greedy draws."""
        # the server holds the tokenizer: each prompt counts as one token here, or as none where it is empty
        counted = [[0] if isinstance(one, Chat) or one.text else [] for one in prompts]
        check_request(counted, num_draws=num_draws, temperature=temperature, top_p=top_p)
        given: dict[str, Any] = {"temperature": temperature, "top_p": top_p, "max_new_tokens": max_new_tokens}
        groups: list[list[Solution]] = [[Solution("", 0, True)] * num_draws for _ in prompts]
        pool = ThreadPoolExecutor(max_workers=self._endpoint.concurrency)
        places: dict[Future[tuple[Reply, Discarded]], tuple[int, int]] = {}
        try:
            for number, prompt in enumerate(prompts):
                for draw in range(num_draws):
                    own = derive_seed(seed, f"{number}/{draw}") % 2**31
                    places[pool.submit(self._ask, prompt, seed=own, stop=stop, **given)] = number, draw
            for done, one in enumerate(as_completed(places), start=1):
                number, draw = places[one]
                reply, discarded = one.result()
                self._count(reply, discarded)
                groups[number][draw] = reply.solution(stop)
                if progress is not None:
                    progress(done, len(places), [(number, groups[number][draw])])
        finally:
            pool.shutdown(cancel_futures=True)
        _refuse_greedy(groups, temperature=temperature, place=self._endpoint.base_url)
        return groups

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _count(self, reply: Reply, discarded: Discarded) -> None:
        self.usage.add(reply, discarded)
        self.models.add(reply.model)
        if reply.fingerprint:
            self.fingerprints.add(reply.fingerprint)

    def _ask(self, prompt: Prompt | Chat, *, seed: int, stop: Sequence[str], **given: Any) -> tuple[Reply, Discarded]:
        """One request, asked again where the reply is none; with what that cost."""
        discarded = Discarded()
        chat = isinstance(prompt, Chat)
        asked = self._endpoint.request(chat=chat, **given)
        asked |= {"seed": seed} if self._endpoint.seeds else {}
        asked |= {"stop": list(stop)} if stop else {}
        for attempt in range(self._endpoint.retries + 1):
            with told(self._endpoint, ServerError):
                if isinstance(prompt, Chat):
                    got = self._client.chat.completions.with_raw_response.create(
                        messages=list(prompt.messages), **asked
                    )
                else:
                    got = self._client.completions.with_raw_response.create(prompt=prompt.text, **asked)
                found = got.parse()
            discarded = discarded.failed(got.retries_taken)
            try:
                return read_reply(found, chat=chat), discarded
            except MalformedReply as error:
                fault = str(error)
                discarded = discarded.and_reply(found)
            if attempt < self._endpoint.retries:
                time.sleep(min(PAUSE_S * 2**attempt, LONGEST_PAUSE_S))
        raise ServerError(f"the server at {self._endpoint.base_url} answers {fault}: it is not the interface asked for")


def read_reply(found: Any, *, chat: bool) -> Reply:
    """A completion or chat completion of the client. Raises MalformedReply for one that cannot be a draw."""
    choices, tokens = getattr(found, "choices", None), tokens_of(found)
    if not choices or len(choices) != 1:
        raise MalformedReply(f"with {len(choices or ())} choices where one was asked for")
    if tokens is None:
        raise MalformedReply("without usage, so that tokens cannot be counted")
    (choice,) = choices
    finish = choice.finish_reason
    if finish not in (*ENDED, CUT, FILTERED):
        raise MalformedReply(f"with finish_reason {finish!r}")
    refusal = getattr(choice.message, "refusal", None) if chat else None
    text = choice.message.content if chat else choice.text
    if text is None and not refusal and finish != FILTERED and not _has_reasoning(choice):
        raise MalformedReply("without a text")
    if not isinstance(text, str | None):
        raise MalformedReply(f"with a {type(text).__name__} in place of a text")
    fingerprint = getattr(found, "system_fingerprint", None)
    return Reply(text or "", finish, *tokens, str(found.model), bool(refusal), fingerprint)


def tokens_of(found: Any) -> tuple[int, int] | None:
    """(read, written) of a reply, whether it is one or not; None where it does not say."""
    usage = getattr(found, "usage", None)
    read, written = getattr(usage, "prompt_tokens", None), getattr(usage, "completion_tokens", None)
    if isinstance(read, int) and isinstance(written, int) and min(read, written) >= 0:
        return read, written
    return None


def _has_reasoning(choice: Any) -> bool:
    """Whether the model thought and said nothing: an empty draw, not a fault."""
    message = getattr(choice, "message", None)
    return any(getattr(message, name, None) for name in ("reasoning_content", "reasoning"))


def _refuse_greedy(groups: Sequence[Sequence[Solution]], *, temperature: float, place: str) -> None:
    """Raise RuntimeError where all draws of every prompt are equal: temperature or seeds are not what they say.

    Fewer than `FEW` draws beside each prompt's first are no evidence: a model may be that sure of a few easy questions.
    """
    several = [group for group in groups if len(group) > 1]
    further = sum(len(group) - 1 for group in several)
    if temperature == 0 or further < FEW or any(len({one.text for one in group}) > 1 for group in several):
        return
    raise RuntimeError(
        f"all {len(several[0])} draws of each of {len(several)} prompts are equal at temperature {temperature:g}: the server "
        f"at {place} decodes greedily or gives every request one seed. servers.NAME.kind says what server it is "
        "(transformers needs it to sample at all); where the model is that sure of itself, more than k=1 buys nothing"
    )
