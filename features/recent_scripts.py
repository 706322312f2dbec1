"""What runs inside Redis: Lua texts that keep each visitor's recent events, whole or not at all.

Keys, all under a namespace NS (visitors are ``user:<user_id>`` or an anonymous id):

====================  ======================================================================================
``NS:z:VISITOR``      sorted set: message id, scored by event time (equal times sort by message id)
``NS:h:VISITOR``      hash: message id -> row
``NS:l:NAME``         string: 16 digits of the time of the login, then the visitor that NAME belongs to
``NS:a:VISITOR``      set: the names that belong to this visitor
``NS:f:SHA1``         string: everything received until this time about the name with this hash is forgotten
``NS:s:DIGEST``       string: this message was pushed a short time ago
====================  ======================================================================================

A script finds out itself whose event it is, so its keys cannot be declared: one primary, not Redis Cluster. Links lead
to a visitor that has no link itself: whoever belonged to a visitor that is merged away follows it.
"""

import hashlib
from dataclasses import dataclass

USER_PREFIX = "user:"
"""What the name of a visitor known by a user id begins with, so that no anonymous id can pass for a user."""

MOST_LINKS = 1000
"""Most names that belong to one user: an id that a broken page gives to everybody must not gather them all."""


@dataclass(frozen=True)
class Script:
    """A Lua text and the SHA-1 (hexadecimal) that Redis knows it by."""

    text: str

    @property
    def sha(self) -> str:
        return _sha1(self.text)


def _sha1(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


_KEYS = """
local call = redis.call
local ns = ARGV[1]
local Z, H, L, A, F, S = ns .. ':z:', ns .. ':h:', ns .. ':l:', ns .. ':a:', ns .. ':f:', ns .. ':s:'

local function owner(name)
  local held = call('GET', L .. name)
  return held and string.sub(held, 17) or name
end

local function in_parts(command, key, members)
  for first = 1, #members, 1000 do
    call(command, key, unpack(members, first, math.min(first + 999, #members)))
  end
end
"""

# ARGV: namespace, horizon_us, count, rows_ttl_ms, links_ttl_ms, marks_ttl_ms, linking ('1' or '0'), then groups of
# anonymous id, number of events and for each: message id, time, receipt, row ('' keeps none), user id, previous id,
# mark.
PUSH = Script(
    _KEYS
    + f"local MOST_LINKS = {MOST_LINKS}\nlocal USER = '{USER_PREFIX}'\n"
    + """
local horizon, count, rows_ttl, links_ttl, marks_ttl = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
local linking = ARGV[7] == '1'
local new, known, irrelevant, forgotten, outdated = 0, 0, 0, 0, 0
local touched, markers = {}, {}

local function forgotten_until(name)
  local until_us = markers[name]
  if not until_us then
    until_us = tonumber(call('GET', F .. redis.sha1hex(name)) or '-1')
    markers[name] = until_us
  end
  return until_us
end

local function insert(visitor, id, time, row)
  local added = call('HSETNX', H .. visitor, id, row)
  call('ZADD', Z .. visitor, 'NX', time, id)
  touched[visitor] = true
  return added
end

local function merge(name, visitor)
  local times = call('ZRANGE', Z .. name, 0, -1, 'WITHSCORES')
  if #times == 0 then return end
  local rows = call('HGETALL', H .. name)
  local row_of = {}
  for i = 1, #rows, 2 do row_of[rows[i]] = rows[i + 1] end
  for i = 1, #times, 2 do
    local row = row_of[times[i]]
    if row then insert(visitor, times[i], times[i + 1], row) end
  end
  call('DEL', Z .. name, H .. name)
  touched[name] = nil
end

local function bind(name, visitor, time)
  if name == visitor then return end
  local stamp = string.format('%016d', time)
  local held = call('GET', L .. name)
  if held then
    if string.sub(held, 17) == visitor then
      if held < stamp then call('SET', L .. name, stamp .. visitor, 'PX', links_ttl)
      else call('PEXPIRE', L .. name, links_ttl) end
      call('PEXPIRE', A .. visitor, links_ttl)
      return
    end
    if held > stamp .. visitor then return end
  end
  if call('SCARD', A .. visitor) >= MOST_LINKS then return end
  if held then call('SREM', A .. string.sub(held, 17), name) end
  call('SET', L .. name, stamp .. visitor, 'PX', links_ttl)
  call('SADD', A .. visitor, name)
  for _, follower in ipairs(call('SMEMBERS', A .. name)) do
    local link = call('GET', L .. follower)
    if link then
      call('SET', L .. follower, string.sub(link, 1, 16) .. visitor, 'PX', links_ttl)
      call('SADD', A .. visitor, follower)
    end
  end
  call('DEL', A .. name)
  call('PEXPIRE', A .. visitor, links_ttl)
  merge(name, visitor)
end

local at = 8
while at <= #ARGV do
  local anonymous, events = ARGV[at], tonumber(ARGV[at + 1])
  at = at + 2
  local of_anonymous = linking and owner(anonymous) or anonymous
  local used_link = of_anonymous ~= anonymous
  for _ = 1, events do
    local id, time, received, row = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3]
    local user, previous, mark = ARGV[at + 4], ARGV[at + 5], ARGV[at + 6]
    at = at + 7
    local visitor = of_anonymous
    local named = linking and user ~= ''
    if named then visitor = owner(USER .. user) end
    if marks_ttl ~= '0' then call('SET', S .. mark, '1', 'PX', marks_ttl) end
    if received <= forgotten_until(anonymous) or received <= forgotten_until(visitor) or
        (named and received <= forgotten_until(USER .. user)) then
      forgotten = forgotten + 1
    else
      if named then
        if previous ~= '' then
          if string.sub(previous, 1, #USER) ~= USER then bind(previous, visitor, tonumber(time)) end
          bind(USER .. previous, visitor, tonumber(time))
        end
        bind(anonymous, visitor, tonumber(time))
        of_anonymous = owner(anonymous)
      end
      if row == '' then irrelevant = irrelevant + 1
      elseif tonumber(time) < horizon then outdated = outdated + 1
      elseif insert(visitor, id, time, row) == 1 then new = new + 1
      else known = known + 1 end
    end
  end
  if used_link then
    call('PEXPIRE', L .. anonymous, links_ttl)
    call('PEXPIRE', A .. of_anonymous, links_ttl)
  end
end

for visitor in pairs(touched) do
  local z, h = Z .. visitor, H .. visitor
  local over = call('ZCARD', z) - count
  if over > 0 then
    in_parts('HDEL', h, call('ZRANGE', z, 0, over - 1))
    call('ZREMRANGEBYRANK', z, 0, over - 1)
  end
  local old = call('ZRANGEBYSCORE', z, '-inf', '(' .. ARGV[2])
  if #old > 0 then
    in_parts('HDEL', h, old)
    call('ZREMRANGEBYSCORE', z, '-inf', '(' .. ARGV[2])
  end
  call('PEXPIRE', z, rows_ttl)
  call('PEXPIRE', h, rows_ttl)
end
return {new, known, irrelevant, forgotten, outdated}
"""
)
"""Adds events, links and marks; returns how many were new, known, irrelevant, forgotten and outdated."""

# ARGV: namespace, horizon_us, count, then names.
RECENT = Script(
    _KEYS
    + """
local answers = {}
for at = 4, #ARGV do
  local visitor = owner(ARGV[at])
  local ids = call('ZREVRANGEBYSCORE', Z .. visitor, '+inf', ARGV[2], 'LIMIT', 0, ARGV[3])
  local rows = #ids > 0 and call('HMGET', H .. visitor, unpack(ids)) or {}
  answers[#answers + 1] = {visitor, rows}
end
return answers
"""
)
"""Returns for each name its visitor and the visitor's rows, newest first."""

# ARGV: namespace, linking ('1' or '0'), then of each message: anonymous id, message id, mark.
SEEN = Script(
    _KEYS
    + """
local answers, owners = {}, {}
for at = 3, #ARGV, 3 do
  local anonymous = ARGV[at]
  if call('EXISTS', S .. ARGV[at + 2]) == 1 then answers[#answers + 1] = 1
  else
    owners[anonymous] = owners[anonymous] or (ARGV[2] == '1' and owner(anonymous) or anonymous)
    answers[#answers + 1] = call('HEXISTS', H .. owners[anonymous], ARGV[at + 1])
  end
end
return answers
"""
)
"""Returns for each message 1 where it was pushed a short time ago or is still among its visitor's recent ones."""

# ARGV: namespace, now_us, markers_ttl_ms, name.
FORGET = Script(
    _KEYS
    + """
local name = ARGV[4]
local visitor = owner(name)
local names = {visitor}
if name ~= visitor then names[2] = name end
for _, linked in ipairs(call('SMEMBERS', A .. visitor)) do
  if linked ~= name then names[#names + 1] = linked end
end
local events, links = 0, 0
for _, each in ipairs(names) do
  events = events + call('ZCARD', Z .. each)
  links = links + call('DEL', L .. each)
  call('DEL', Z .. each, H .. each, A .. each)
  call('SET', F .. redis.sha1hex(each), ARGV[2], 'PX', ARGV[3])
end
return {events, links, names}
"""
)
"""Removes all that is held about a name's visitor and leaves markers; returns events, links and all names."""
