"""What a file cannot do with texts: make the numbers of them that its network takes in."""

import json

from evonas.tasks.data_record.record import DataRecord

SUFFIX = ".text.json"
MOST_IN_METADATA = 2**21
"""Characters of JSON that go into a file; beyond, the tokenizer is left out of it."""
HOW = {
    "characters": "An example is a text, character by character (code points): characters[N - 1] has the number N, any "
    "other character is 0. Of a .txt file, a byte order mark is left out, and line ends are \\n.",
    "bytes": "An example is a text, byte by byte of UTF-8: a byte is its own number.",
    "tokens": "An example is a text as the ids that the tokenizer gives without special tokens, truncation and "
    "padding: t = tokenizers.Tokenizer.from_str(tokenizer); t.no_truncation(); t.no_padding(); t.encode(TEXT, "
    "add_special_tokens=False).ids. Of a .txt file, a byte order mark is left out, and line ends are \\n. tokenizer "
    "is the text of its file; tokenizer_sha256 is of that in UTF-8.",
}
CLASS = (
    "Keep the first `length` numbers; fill a shorter text up in front with `filler`. classes[N] is what the output N "
    "is called; the largest output is the best."
)
NEXT = (
    "An example has `length` numbers; output[EXAMPLE, PLACE] are logits of the number that follows the one at PLACE, "
    "and classes[N] is what the number N stands for. Fill a shorter text up behind, with any number: what is said at a "
    "place does not depend on what stands behind it."
)


def texts(record: DataRecord | None) -> str:
    """JSON that says how a text becomes what a network takes in; empty where it takes no texts, or where an earlier
    evonas recorded the run.

    Args:
        record: of the data of a run.
    """
    if record is None or record.text is None:
        return ""
    about = {
        "how": f"{HOW[record.text.unit]} {NEXT if record.text.next else CLASS}",
        "dtype": record.columns[""].dtype,
        **record.text.model_dump(),
        "classes": record.classes,
        "tokenizer": record.tokenizer,
    }
    return json.dumps(about, indent=1, ensure_ascii=False)


def in_metadata(told: str) -> str:
    """The same as it goes into a file: without a tokenizer that is too large for it.

    Args:
        told: of `texts`.
    """
    if len(told) <= MOST_IN_METADATA:
        return told
    left = f"{json.loads(told)['how']} Here it is left out, for it is large: it is in the file beside (*{SUFFIX})."
    return json.dumps({**json.loads(told), "how": left, "tokenizer": ""}, indent=1, ensure_ascii=False)
