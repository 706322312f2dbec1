"""Several iterators read at once, by threads."""

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def side_by_side(sources: Sequence[Iterator[Item]], at_once: int) -> Iterator[Item]:
    """Yields the items of all sources as they come, each source's in its order.

    A source waits until its last item has been taken, so that no more than ``at_once`` items are held here. What a
    source raises is raised here.

    Args:
        sources: read by one thread at a time each; None ends one.
        at_once: sources that are read at the same time.
    """
    unread = iter(sources)
    with ThreadPoolExecutor(at_once) as pool:
        coming: dict[Future[Item | None], Iterator[Item]] = {
            pool.submit(next, source, None): source for source in islice(unread, at_once)
        }
        while coming:
            for done in wait(coming, return_when=FIRST_COMPLETED).done:
                source: Iterator[Item] | None = coming.pop(done)
                item = done.result()
                if item is None:
                    source = next(unread, None)
                if source is not None:
                    coming[pool.submit(next, source, None)] = source
                if item is not None:
                    yield item
