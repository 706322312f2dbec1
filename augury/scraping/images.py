"""Images of a scrape: fetched once, checked, named by their content, spread over 256 folders."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from augury.scraping.client import Client
from augury.scraping.politeness import Clock, RefusedError, may_pass
from augury.scraping.state import Got, State, as_json
from features.fetching import FetchError
from features.images import decode_image
from features.images_headers import ImageError, read_header
from features.storage import atomic_write

IMAGE = "image"
TOO_SMALL = "image_too_small"
LEAST_SIDE = 16
_SUFFIXES = {"jpeg": ".jpg"}


class Images:
    """Gets images into an output folder."""

    def __init__(self, folder: str, client: Client, state: State, clock: Clock) -> None:
        self._folder, self._client, self._state, self._clock = Path(folder), client, state, clock

    def get(self, url: str) -> Got:
        """Returns what became of the image at ``url``; it is fetched unless this run has it, or it did not change."""
        known = self._state.get(IMAGE, url)
        if known is not None and not known.reason and not (self._folder / json.loads(known.content)["path"]).is_file():
            known = None  # somebody removed the file
        if known is not None and known.run == self._state.run:
            return known
        got = self._fetched(url, known)
        self._state.put(IMAGE, url, got)
        return got

    def _fetched(self, url: str, known: Got | None) -> Got:
        run = self._state.run
        try:
            found = self._client.image(url, known.conditions() if known is not None else {})
            if found.status == 304 and known is not None:
                self._client.counts["images unchanged"] += 1
                return replace(known, run=run)
            self._client.counts["images downloaded"] += 1
            content = self._stored(found.content)
        except (FetchError, RefusedError) as error:
            if known is not None and not known.reason and may_pass(error):
                self._client.counts["images kept, for not reachable"] += 1
                return replace(known, run=run)
            return Got(run, error.reason, str(error))
        except ImageError as error:
            return Got(run, f"image_{error.reason}", str(error))
        if not content:
            return Got(run, TOO_SMALL, f"a side has fewer than {LEAST_SIDE} pixels")
        headers = found.headers
        return Got(
            run,
            etag=headers.get("etag", "")[:1000],
            modified=headers.get("last-modified", "")[:100],
            fetched_at_us=self._clock.now_us(),
            content=as_json(content),
        )

    def _stored(self, data: bytes) -> dict[str, Any]:
        """Writes an image; returns where it is and what it is, nothing where it is too small to show a product."""
        pixels = decode_image(data)
        height, width = pixels.shape[:2]
        if min(height, width) < LEAST_SIDE:
            return {}
        digest, kind = hashlib.sha256(data).hexdigest(), read_header(data).format
        path = f"images/{digest[:2]}/{digest}{_SUFFIXES.get(kind, f'.{kind}')}"
        if not (self._folder / path).is_file():
            atomic_write(self._folder / path, data)
        return {"path": path, "sha256": digest, "width": width, "height": height}
