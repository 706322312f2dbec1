"""``augury scrape``."""

import typer

from augury.commands import screen
from augury.commands.flags import takes
from augury.scraping.manifest import MANIFEST
from augury.scraping.options import ScrapeOptions
from augury.scraping.scrape import SHOWN_ITEMS, counted, preview
from augury.scraping.scrape import scrape as run_scrape


@takes(ScrapeOptions, arguments=("recipe",))
def scrape(options: ScrapeOptions) -> None:
    """Collect product photos from a shop's listings.

    Follows the pages that a recipe describes, as slowly as robots.txt and --requests-per-second say, checks every
    image, and writes manifest.csv, what was left out and why (rejected.csv), and the counts (scrape.json). Stopped at
    any time it goes on where it was; run again later it downloads only what changed.

    **Examples**

    - `augury scrape shop.toml --dry-run`
    - `augury scrape shop.toml --output catalogue --contact shop-data@example.org`
    - `augury scrape shop.toml --output catalogue --max-products 500 --requests-per-second 0.5`
    """
    if options.dry_run:
        _show_preview(preview(options))
        raise typer.Exit
    with screen.spinner("scraping"):
        about = run_scrape(options)
    network = ", ".join(f"{count:,} {what}" for what, count in about["network"].items())
    screen.line(f"{about['pages']:,} pages, {about['items']:,} items, {about['products']:,} products ({network})")
    if left_out := counted(about):
        screen.table("Left out", ("what", "reason", "how many"), left_out, right=(2,))
    screen.table("Ends", ("started at", "ended by"), list(about["ends"].items()))
    if not about["finished"]:
        screen.line("stopped by --max-bytes: run it again to go on")
    screen.line(f"next: augury creative-examples {options.output}/{MANIFEST} --output examples")


def _show_preview(found: dict[str, object]) -> None:
    items = found["items"]
    assert isinstance(items, list)
    names = list(dict.fromkeys(name for item in items for name in item))
    rows = [[item.get(name, "") for name in names] for item in items[:SHOWN_ITEMS]]
    screen.table(f"The first of {len(items):,} items", names, rows)
    screen.line(f"next page: {found['next'] or 'none'}")
