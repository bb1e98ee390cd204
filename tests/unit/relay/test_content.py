"""A message as it leaves: the variant's head, then what lies on disk."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from mailgov.relay.content import CHUNK_BYTES, Content, content_of, whole
from mailgov.relay.node import Node
from mailgov.store.spool import Variant
from tests.unit.relay.conftest import queued, stored

BODY = b"Return-Path: <x>\r\nSubject: y\r\nBcc: z\r\n\r\n" + b"text\r\n" * 100_000
CUT = Variant(b"Received: us\r\n", ((0, 18, b""), (30, 38, b"")))
WHOLE = b"Received: us\r\nSubject: y\r\n\r\n" + b"text\r\n" * 100_000


async def joined(content: Content, pool: ThreadPoolExecutor) -> bytes:
    chunks = [chunk async for chunk in content.chunks(pool)]
    assert all(len(chunk) <= CHUNK_BYTES for chunk in chunks[1:])
    return b"".join(chunks)


@pytest.mark.parametrize(
    "variant", [CUT, Variant(b"Received: us\r\n"), Variant(b"", ((0, 3, b"abc"), (5, 5, b"+")))]
)
async def test_memory_and_file_give_the_same(node: Node, variant: Variant) -> None:
    message = await stored(node, queued("a@x.org", data=BODY))
    writer = node.spool.body_writer("02Q", 4096)
    await writer.write(BODY)
    in_file = replace(queued("a@x.org", queue_id="02Q"), body=await writer.finish())
    assert node.spool.body_file(in_file) is not None
    with ThreadPoolExecutor(1) as pool:
        contents = [await content_of(node.spool, m, variant) for m in (message, in_file)]
        texts = [await joined(content, pool) for content in contents]
    assert texts[0] == texts[1] == variant.head(BODY)
    assert [content.size_bytes for content in contents] == [len(texts[0])] * 2
    if variant is CUT:
        assert texts[0] == WHOLE
    assert len(contents[1].head) < 1000, "the file's bytes are not read into memory"


async def test_a_body_from_the_spool_is_the_one_that_was_stored(node: Node) -> None:
    message = await stored(node, queued("a@x.org", data=BODY))
    found = await node.spool.find(message.queue_id)
    assert found is not None
    assert found.body.data is None, "what is claimed later comes without its bytes"
    content = await content_of(node.spool, found, found.variants[0])
    assert content.head == b"Received: by us\r\n" + BODY


def test_what_a_peer_is_slow_to_take_is_held_once_more_and_no_more() -> None:
    """Four hundred such peers at once, with three copies each, took a hundred megabytes."""
    message = b"text\r\n" * 100_000
    tracemalloc.start()
    try:
        leaving = whole(message)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert leaving == message + b".\r\n"
    assert held < 1.2 * len(leaving)
