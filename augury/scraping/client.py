"""The one way of a scrape to the network: polite, patient, counted."""

import random
from collections import Counter
from collections.abc import Mapping

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from augury.scraping.options import ScrapeOptions
from augury.scraping.politeness import (
    CLOCK,
    MOST_ROBOTS_BYTES,
    Clock,
    Manners,
    asked_to_wait,
    backoff,
    may_pass,
    user_agent,
)
from augury.scraping.recipe import Recipe
from features.fetching import Fetched, Fetcher, FetchError, FetchPolicy
from features.fetching_network import Resolver, system_resolver
from features.images import ImageLimits

MOST_PAGE_BYTES = 5 * 2**20
PAGE_TYPES = ("text/html", "application/xhtml+xml")
_SOONEST = 0.0


class Client:
    """Fetches pages and images of a shop as its recipe, its robots.txt and the options allow.

    Attributes:
        counts: requests, retries, bytes and answers so far.
    """

    def __init__(
        self,
        recipe: Recipe,
        options: ScrapeOptions,
        clock: Clock = CLOCK,
        resolver: Resolver = system_resolver,
        seed: int = 0,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._options, self._clock, self._chance = options, clock, random.Random(seed)
        self._headers = {"User-Agent": user_agent(options.contact)}
        self._manners = Manners(
            options.requests_per_second, options.max_wait_seconds, clock, lambda url: self._patiently(self._robots, url)
        )

        def fetcher(kinds: tuple[str, ...], most: int, *statuses: int, manners: bool = True) -> Fetcher:
            policy = FetchPolicy(
                hosts=recipe.hosts,
                ports=recipe.ports,
                max_bytes=most,
                content_types=kinds,
                timeout_seconds=options.timeout_seconds,
                allow_private=options.allow_private,
                statuses=(200, *statuses),
            )
            return Fetcher(policy, resolver=resolver, before_hop=self._before if manners else self._before_robots)

        self._pages = fetcher(PAGE_TYPES, MOST_PAGE_BYTES, 304)
        self._images = fetcher(("image/*", "application/octet-stream"), ImageLimits().max_bytes, 304)
        self._robots = fetcher(("*/*",), MOST_ROBOTS_BYTES, manners=False)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        for fetcher in (self._pages, self._images, self._robots):
            fetcher.__exit__(None, None, None)

    def page(self, url: str, known: Mapping[str, str]) -> Fetched:
        """Fetches a page; ``known`` are the headers of a conditional request.

        Raises:
            FetchError: it failed, for good or too often.
            RefusedError: robots.txt forbids it.
        """
        return self._patiently(self._pages, url, known)

    def image(self, url: str, known: Mapping[str, str]) -> Fetched:
        """Fetches an image, as ``page`` does."""
        return self._patiently(self._images, url, known)

    def _patiently(self, fetcher: Fetcher, url: str, known: Mapping[str, str] = {}) -> Fetched:
        retrying = Retrying(
            sleep=self._clock.sleep,
            stop=stop_after_attempt(self._options.attempts),
            wait=self._wait,
            retry=retry_if_exception(self._again),
            before_sleep=self._count_retry,
            reraise=True,
        )
        found: Fetched = retrying(fetcher.fetch, url, {**self._headers, **known})
        self.counts["bytes"] += len(found.content)
        return found

    def _before(self, url: str) -> None:
        self._manners.before(url)
        self.counts["requests"] += 1

    def _before_robots(self, url: str) -> None:
        self._manners.turn(url)
        self.counts["robots.txt requests"] += 1

    def _again(self, error: BaseException) -> bool:
        if not may_pass(error) or not isinstance(error, FetchError):
            return False
        return (asked_to_wait(error, self._clock.now_us()) or _SOONEST) <= self._options.max_wait_seconds

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked = asked_to_wait(error, self._clock.now_us()) if isinstance(error, FetchError) else None
        return max(asked or _SOONEST, backoff(state.attempt_number, self._chance))

    def _count_retry(self, _: RetryCallState) -> None:
        self.counts["retries"] += 1
