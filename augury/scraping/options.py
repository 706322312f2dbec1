"""What ``augury scrape`` is told."""

from dataclasses import dataclass

from features.errors import AuguryError
from features.options import option
from features.strict import number, whole


class ScrapeError(AuguryError, RuntimeError):
    """A scrape that cannot be done, or went wrong as a whole."""


@dataclass(frozen=True)
class ScrapeOptions:
    """Where from, where to, and how much is asked of the shop's servers."""

    recipe: str = option("", "the recipe, a TOML file")
    output: str | None = option(None, "folder to fill; a scrape that was stopped goes on there")
    contact: str | None = option(None, "an address for the shop's owners, sent in the User-Agent")
    requests_per_second: float = option(1.0, "most requests a second to one host; robots.txt may ask for fewer")
    attempts: int = option(4, "how often a request is tried that fails for reasons that may pass")
    timeout_seconds: float = option(30.0, "most time for one page or image, redirects included")
    max_products: int | None = option(None, "stop after so many products in the manifest")
    max_bytes: int | None = option(None, "stop after downloading so much; the next run goes on")
    max_wait_seconds: float = option(120.0, "most that a robots.txt or a Retry-After may ask to wait")
    max_failed_share: float = option(0.2, "end with an error if more of the pages or of the images than this failed")
    resume_hours: float = option(24.0, "an unfinished scrape older than this is begun anew, with conditional requests")
    allow_private: bool = option(False, "allow hosts at private addresses: a shop on your own network")
    dry_run: bool = option(False, "show what the first page gives; write nothing")

    def __post_init__(self) -> None:
        if not self.recipe:
            raise ScrapeError("no recipe is given; name a TOML file")
        if not self.output and not self.dry_run:
            raise ScrapeError("no folder is given to write to; add --output FOLDER, or --dry-run")
        for name in ("requests_per_second", "timeout_seconds"):
            number(f"--{name.replace('_', '-')}", getattr(self, name), above=0)
        for name in ("max_wait_seconds", "max_failed_share", "resume_hours"):
            number(f"--{name.replace('_', '-')}", getattr(self, name), above=-1e-9)
        whole("--attempts", self.attempts, 1, 20)
        for name in ("max_products", "max_bytes"):
            if getattr(self, name) is not None:
                whole(f"--{name.replace('_', '-')}", getattr(self, name), 1)
        contact = self.contact or ""
        if not contact.isascii() or not contact.isprintable() or set(contact) & set("();\\"):
            raise ScrapeError(f"--contact {self.contact!r} cannot be sent; expected plain ASCII without ( ) ; \\")

    @property
    def folder(self) -> str:
        """The folder to fill.

        Raises:
            ScrapeError: there is none, for it is a dry run.
        """
        if not self.output:
            raise ScrapeError("a dry run writes nothing; leave out --dry-run")
        return self.output
