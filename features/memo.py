"""The coder's memory: what every distinct string of an event column means, worked out once per process."""

import threading
from functools import partial

from features.agents import agent_from_context, parse_agent
from features.metadata import HOST_KINDS, campaign_kind, campaign_medium, host_kind
from features.ragged import Ints
from features.sessions import Sessions
from features.spec import FeatureSpec
from features.strings import Description, Names, StringTable
from features.tokens import column_buckets
from features.urls import parse_url

NONE = -1
"""The number of a name that is not there."""

URL_PAGE, URL_HOST, URL_MEDIUM, URL_CAMPAIGN = range(4)
REFERRER_HOST, REFERRER_KIND = range(2)
AGENT_DEVICE, AGENT_BROWSER, AGENT_OS = range(3)

CAMPAIGN_KINDS = ("", "campaign", "email")
"""What ``URL_CAMPAIGN`` numbers."""

_WIDTHS = {"url": 4, "referrer": 2, "user_agent": 3, "context": 3}


class Memo:
    """One ``StringTable`` for every column that a spec reads strings from.

    Attributes:
        tables: by column.
        hosts: names of hosts, without ``www.``.
        media: names of campaign media.
        agent_column: the column that devices, browsers and systems are read from.
        devices: names of devices.
        browsers: names of browsers.
        systems: names of operating systems.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        self._hash = spec.hash
        self._fields: dict[str, list[str]] = {}
        for name in spec.hash.fields:
            self._fields.setdefault(name.partition(".")[0], []).append(name)
        self.hosts, self.media, self._pages = Names(), Names(), Names()
        self.devices, self.browsers, self.systems = Names(), Names(), Names()
        lock = threading.Lock()  # one for all tables: they share the names
        self.agent_column = spec.agent_from
        describe = {"url": self._url, "referrer": self._referrer, self.agent_column: self._agent}
        wanted = {*self._fields, *(set(spec.required_columns()) & set(_WIDTHS))}
        self.tables = {
            column: StringTable(describe.get(column, partial(self._plain, column)), _WIDTHS.get(column, 0), lock)
            for column in sorted(wanted)
        }

    def __len__(self) -> int:
        return sum(len(table) for table in self.tables.values())

    @property
    def hashed(self) -> tuple[str, ...]:
        """The columns with hash fields."""
        return tuple(sorted(self._fields))

    def _buckets(self, column: str, text: str | None) -> list[int]:
        fields = self._fields.get(column, ())
        return column_buckets(column, fields, text, self._hash.max_tokens, self._hash.size, self._hash.seed)

    def _plain(self, column: str, text: str | None) -> Description:
        return self._buckets(column, text), ()

    def _url(self, text: str | None) -> Description:
        if text is None:
            return (), (NONE, NONE, NONE, 0)
        url = parse_url(text)
        page = self._pages.number((url.host, url.path)) if url.host or url.path else NONE
        medium = campaign_medium(url)
        return self._buckets("url", text), (
            page,
            self._host(url.host),
            NONE if medium is None else self.media.number(medium),
            CAMPAIGN_KINDS.index(campaign_kind(url) or ""),
        )

    def _referrer(self, text: str | None) -> Description:
        if text is None or not text.strip():
            return self._buckets("referrer", text), (NONE, HOST_KINDS.index("direct"))
        host = parse_url(text).host
        return self._buckets("referrer", text), (self._host(host), HOST_KINDS.index(host_kind(host)))

    def _agent(self, text: str | None) -> Description:
        parse = parse_agent if self.agent_column == "user_agent" else agent_from_context
        agent = None if text is None else parse(text)
        if agent is None:
            return (), (NONE, NONE, NONE)
        return (), (
            self.devices.number(agent.device),
            self.browsers.number(agent.browser),
            self.systems.number(agent.os),
        )

    def _host(self, host: str) -> int:
        return self.hosts.number(host.removeprefix("www.")) if host else NONE


class Described:
    """The events of one ``Sessions`` seen through a memo."""

    def __init__(self, memo: Memo, sessions: Sessions) -> None:
        self.memo = memo
        self.sessions = sessions
        self._distinct: dict[str, Ints] = {}

    def numbers(self, column: str, place: int, event_rows: Ints) -> Ints:
        """Returns int64 (R,): the number at ``place`` of the descriptions of a column at some events."""
        codes, _ = self.sessions.codes(column)
        return self.memo.tables[column].column(place, self._rows(column))[codes[event_rows]]

    def profiles(self, column: str) -> Ints:
        """Returns int64 (E,): the profile of every event's value of a column."""
        codes, _ = self.sessions.codes(column)
        return self.memo.tables[column].profile(self._rows(column))[codes]

    def _rows(self, column: str) -> Ints:
        if column not in self._distinct:
            _, strings = self.sessions.codes(column)
            self._distinct[column] = self.memo.tables[column].rows(strings)
        return self._distinct[column]
