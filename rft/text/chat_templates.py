"""The training prompt as a chat template (Jinja), so that other programs ask a model just as it was trained.

    >>> from rft.text.prompts import template_named
    >>> chat_template(template_named("plain"), begins_with_bos=False)[:60]
    "{%- for message in messages -%}{%- if message['role'] == 'us"

A user's message is the question, an assistant's the solution; a system message is an error, since no training example had
one. Where a tokenizer begins every text with BOS the template writes it, as `apply_chat_template` adds no special tokens.
"""

from __future__ import annotations

import json

from rft.text.templates import Template


def chat_template(template: Template, *, begins_with_bos: bool) -> str:
    """A template of rft.text.templates in Jinja. Not for a chat, whose frame is the tokenizer's own."""
    assert not template.chat, "it has no frame of its own"
    head, _, tail = template.before.partition("{question}")
    user = f"{{{{- {_text(head)} + message['content'] + {_text(tail + template.prefix)} -}}}}"
    opening = f"{{{{- {_text(template.system + template.separator)} -}}}}" if template.system else ""
    solution = f"{{{{- {_text(template.lead)} + message['content'] + eos_token -}}}}"
    between = f"{{%- if not loop.first -%}}{{{{- {_text(template.separator)} -}}}}{{%- endif -%}}"
    return (
        ("{{- bos_token -}}" if begins_with_bos else "")
        + opening
        + "{%- for message in messages -%}"
        + f"{{%- if message['role'] == 'user' -%}}{between}{user}"
        + f"{{%- elif message['role'] == 'assistant' -%}}{solution}"
        + "{%- else -%}{{- raise_exception('this model was trained on a question and its solution alone: give user and "
        + "assistant messages, not ' + message['role']) -}}"
        + "{%- endif -%}{%- endfor -%}"
    )


def _text(text: str) -> str:
    """A Jinja string: its escapes are those of Python, of which JSON's are some."""
    return json.dumps(text)
