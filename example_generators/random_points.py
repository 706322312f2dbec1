"""Seeded random positions: whether an event is one depends on the seed, its visitor, time and place, nothing else.

So the same events give the same positions in whatever way they are sharded, batched or ordered on arrival.
"""

import mmh3
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.sessions import VISITOR, Session, Sessions

# SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def is_random_point(session: Session, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Returns bool (len,): about ``share`` of a session's events, drawn independently of one another."""
    sessions = session.sessions
    codes, distinct = sessions.codes(VISITOR)
    key = _visitor_key(distinct[int(codes[sessions.offsets[session.index]])].as_py(), seed)
    time_us = session.time_us
    return _drawn(np.uint64(key), time_us, np.arange(len(time_us)), share)


def is_random_point_of(sessions: Sessions, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Returns what ``is_random_point`` gives, for all sessions at once: bool (E,)."""
    codes, distinct = sessions.codes(VISITOR)
    used, which = np.unique(codes[sessions.offsets[:-1]], return_inverse=True)
    names = distinct.take(pa.array(used)).to_pylist()
    keys = np.array([_visitor_key(name, seed) for name in names], np.uint64)[which]
    position = np.arange(len(codes)) - sessions.offsets[sessions.session_of]
    return _drawn(keys[sessions.session_of], sessions.time_us, position, share)


def _visitor_key(visitor: str, seed: int) -> int:
    return mmh3.hash64(visitor, seed, signed=False)[0]


def _drawn(
    key: npt.NDArray[np.uint64] | np.uint64,
    time_us: npt.NDArray[np.int64],
    position: npt.NDArray[np.int64],
    share: float,
) -> npt.NDArray[np.bool_]:
    bits = key ^ (time_us.view(np.uint64) + _GAMMA * position.astype(np.uint64))
    bits = bits + _GAMMA
    bits = (bits ^ (bits >> np.uint64(30))) * _MIX_1
    bits = (bits ^ (bits >> np.uint64(27))) * _MIX_2
    bits = bits ^ (bits >> np.uint64(31))
    return (bits >> np.uint64(11)) * 2.0**-53 < share
