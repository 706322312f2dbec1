"""The values of steps and instances before they are coded, each from the visible events of the instance alone."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.fields import REFERRER_KINDS
from features.memo import (
    AGENT_BROWSER,
    AGENT_DEVICE,
    AGENT_OS,
    CAMPAIGN_KINDS,
    NONE,
    REFERRER_HOST,
    REFERRER_KIND,
    URL_CAMPAIGN,
    URL_HOST,
    URL_MEDIUM,
    URL_PAGE,
    Described,
)
from features.metadata import HOST_KINDS, same_site
from features.ragged import Ints, changes
from features.steps import DAY_US, HOUR_US, SECOND_US, Steps

Floats = npt.NDArray[np.float64]


def step_numbers(of: str, steps: Steps, utc_offset_seconds: int) -> Floats:
    """Returns float64 (T,), NaN where there is none.

    Args:
        of: "dwell" (seconds since the step before; the first step has none), "time_of_day" (hours, 0 to below 24),
            "day_of_week" (0 Monday to 6), "position" (0 for the first step) or ``properties.<key>`` (the number there).
        steps: T steps.
        utc_offset_seconds: of the clock that time of day and day of week are read from.
    """
    if of == "dwell":
        dwell = steps.since_us / SECOND_US
        dwell[steps.first] = np.nan
        return dwell
    if of == "position":
        return steps.position.astype(np.float64)
    if of.startswith("properties."):
        return steps.sessions.numbers("properties", of.partition(".")[2])[steps.event_rows]
    local_us = steps.time_us + utc_offset_seconds * SECOND_US
    if of == "time_of_day":
        return local_us % DAY_US / HOUR_US
    return ((local_us // DAY_US + 3) % 7).astype(np.float64)  # 1970-01-01 was a Thursday


def instance_numbers(of: str, steps: Steps, described: Described, visit_gap_seconds: float) -> Floats:
    """Returns float64 (N,).

    Args:
        of: "visit_count" (1 and one more after every gap longer than ``visit_gap_seconds``), "event_count",
            "distinct_pages" (distinct host and path; events without a URL are on none) or "span" (seconds from the
            first step to the last).
        steps: of N instances.
        described: the events' strings.
        visit_gap_seconds: inactivity that begins another visit.
    """
    if of == "event_count":
        return steps.lengths.astype(np.float64)
    if of == "span":
        return (steps.time_us[steps.last] - steps.time_us[steps.first]) / SECOND_US
    if not len(steps.rows):
        return np.zeros(0)
    if of == "visit_count":
        begins = steps.since_us > visit_gap_seconds * SECOND_US
        begins[steps.first] = True
        return np.add.reduceat(begins, steps.first, dtype=np.float64)
    pages = described.numbers("url", URL_PAGE, steps.event_rows)
    instance = np.repeat(np.arange(len(steps.rows)), steps.lengths)
    keys = np.sort((instance * (pages.max() + 1) + pages)[pages != NONE])
    distinct = keys[np.flatnonzero(changes(keys, -1))]
    return np.bincount(distinct // max(pages.max() + 1, 1), minlength=len(steps.rows)).astype(np.float64)


def instance_strings(of: str, steps: Steps, described: Described) -> tuple[Ints, list[str]]:
    """Returns int64 (N,) numbers of strings, ``NONE`` where there is none, and the strings they index.

    Args:
        of: "device", "browser" or "os" (as the last step says), "referrer_kind" (of the first step) or
            "campaign_medium" (of the last step that has one).
        steps: of N instances.
        described: the events' strings.
    """
    memo = described.memo
    if of == "campaign_medium":
        media = described.numbers("url", URL_MEDIUM, steps.event_rows)
        places = np.where(media == NONE, NONE, np.arange(len(media)))
        last = np.maximum.reduceat(places, steps.first) if len(steps.rows) else places
        return np.where(last == NONE, NONE, media[last]), memo.media.listed()
    if of == "referrer_kind":
        return _referrer_kinds(steps.event_rows[steps.first], described), list(REFERRER_KINDS)
    names, place = {
        "device": (memo.devices, AGENT_DEVICE),
        "browser": (memo.browsers, AGENT_BROWSER),
        "os": (memo.systems, AGENT_OS),
    }[of]
    return described.numbers(memo.agent_column, place, steps.event_rows[steps.last]), names.listed()


def _referrer_kinds(event_rows: Ints, described: Described) -> Ints:
    """Returns what ``features.metadata.referrer_kind`` says, as places in ``REFERRER_KINDS``."""
    site = described.numbers("url", URL_HOST, event_rows)
    host = described.numbers("referrer", REFERRER_HOST, event_rows)
    by_host = np.array([REFERRER_KINDS.index(kind) for kind in HOST_KINDS])
    kinds = by_host[described.numbers("referrer", REFERRER_KIND, event_rows)]
    kinds[_same_sites(site, host, described.memo.hosts.listed())] = REFERRER_KINDS.index("internal")
    tagged = described.numbers("url", URL_CAMPAIGN, event_rows)
    for number, kind in enumerate(CAMPAIGN_KINDS[1:], 1):
        kinds[tagged == number] = REFERRER_KINDS.index(kind)
    return kinds


def _same_sites(ones: Ints, others: Ints, hosts: list[str]) -> npt.NDArray[np.bool_]:
    pairs = pa.array(ones * (len(hosts) + 1) + others + 1).dictionary_encode()
    same = np.array(
        [
            one != NONE and other != 0 and same_site(hosts[one], hosts[other - 1])
            for one, other in (divmod(pair, len(hosts) + 1) for pair in pairs.dictionary.to_pylist())
        ],
        np.bool_,
    )
    found: npt.NDArray[np.bool_] = same[pairs.indices.to_numpy()]
    return found
