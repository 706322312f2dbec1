"""A whole scrape: from a recipe to a folder with a manifest."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from augury.scraping.client import Client
from augury.scraping.options import ScrapeError, ScrapeOptions
from augury.scraping.pages import PageError, read_detail, read_listing
from augury.scraping.politeness import CLOCK, Clock, RefusedError, user_agent
from augury.scraping.recipe import Recipe, load_recipe
from augury.scraping.state import State
from augury.scraping.walk import Walk, shares
from features.fetching import FetchError
from features.fetching_network import Resolver, system_resolver
from features.storage import is_local

SHOWN_ITEMS = 5


def scrape(options: ScrapeOptions, clock: Clock = CLOCK, resolver: Resolver = system_resolver) -> dict[str, Any]:
    """Scrapes a shop.

    Returns:
        What ``scrape.json`` holds: the recipe, when, and the counts of everything.

    Raises:
        RecipeError: the recipe cannot be used; nothing was asked of anybody.
        ScrapeError: nothing was found, too much failed (the files are written all the same), or the folder is not ours.
        StorageError: the folder cannot be written.
    """
    recipe = load_recipe(options.recipe)
    if not is_local(options.folder):
        raise ScrapeError(f"--output {options.folder} is not on this machine; scrape to a local folder and copy it")
    resume_us = int(options.resume_hours * 3.6e9)
    with (
        State(options.folder, recipe.name, clock.now_us(), resume_us) as state,
        Client(recipe, options, clock, resolver) as client,
    ):
        walk = Walk(recipe, options, client, state, clock)
        walk.go()
        about = _about(recipe, options, state, client, walk, clock)
        walk.outcome.write(options.folder, about)
        if not walk.paused:
            state.finish()
    _check(options, walk)
    return about


def preview(options: ScrapeOptions, clock: Clock = CLOCK, resolver: Resolver = system_resolver) -> dict[str, Any]:
    """Returns what the first page gives, with the details of its first items; writes nothing and fetches no image.

    Raises:
        RecipeError: as for ``scrape``.
        ScrapeError: the page cannot be had.
    """
    recipe = load_recipe(options.recipe)
    with Client(recipe, options, clock, resolver) as client:
        try:
            found = client.page(recipe.start[0], {})
            page = read_listing(found.content, found.charset, found.url, recipe)
            items = [dict(item) for item in page.items]
            for item in items[:SHOWN_ITEMS]:
                if recipe.detail and item.get("url"):
                    found = client.page(item["url"], {})
                    [more] = read_detail(found.content, found.charset, found.url, recipe).items
                    item.update({name: value for name, value in more.items() if value})
        except (FetchError, RefusedError, PageError) as error:
            raise ScrapeError(str(error)) from error
    return {"url": recipe.start[0], "items": items, "next": page.next}


def _about(
    recipe: Recipe, options: ScrapeOptions, state: State, client: Client, walk: Walk, clock: Clock
) -> dict[str, Any]:
    rejected: dict[str, dict[str, int]] = {}
    for (what, reason), count in sorted(walk.outcome.rejected.items()):
        rejected.setdefault(what, {})[reason] = count
    return {
        "recipe": recipe.name,
        "user_agent": user_agent(options.contact),
        "run": state.run,
        "resumed": state.resumed,
        "finished": not walk.paused,
        "begun_at": _moment(state.begun_us),
        "ended_at": _moment(clock.now_us()),
        "pages": walk.pages,
        "items": walk.items,
        "products": len(walk.outcome.products),
        "rejected": rejected,
        "ends": walk.ends,
        "network": dict(sorted(client.counts.items())),
    }


def _check(options: ScrapeOptions, walk: Walk) -> None:
    failures = ", ".join(f"{count} {what} {reason}" for (what, reason), count in walk.outcome.rejected.most_common(5))
    if not walk.outcome.products and not walk.paused:
        raise ScrapeError(f"no product was found ({failures or 'no items'}); see rejected.csv, and try --dry-run")
    for what, bad, asked in shares(walk):
        if bad > options.max_failed_share * asked:
            raise ScrapeError(
                f"{bad} of {asked} {what}s failed ({failures}); what came is in the manifest, the rest in "
                "rejected.csv; run it again to try those anew, or raise --max-failed-share"
            )


def _moment(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat(timespec="seconds")


def counted(about: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """Returns what was left out: (what, reason, how many)."""
    return [(what, reason, count) for what, reasons in about["rejected"].items() for reason, count in reasons.items()]
