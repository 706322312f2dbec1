"""Layout: what the network must know of a feature spec; Packed: coded instances as the few arrays it reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from features.bucketing import MinMax, OneHot
from features.coding import CodedInstances
from features.ragged import offsets_of, places_of
from features.spec import FeatureSpec


@dataclass(frozen=True)
class Layout:
    """Names and sizes of the inputs; the order here is the order of the columns of ``Packed``.

    Attributes:
        hash_size: number of hash buckets.
        steps: name -> number of values of each feature of a step.
        categories: name -> number of values of each categorical or bucketed feature of the whole instance.
        ordered: names of those among them that are buckets of a number; those of steps all are.
        numbers: names of the numeric features of the whole instance.
        classes: number of classes.
    """

    hash_size: int
    steps: Mapping[str, int]
    categories: Mapping[str, int]
    ordered: frozenset[str]
    numbers: tuple[str, ...]
    classes: int

    @classmethod
    def of(cls, spec: FeatureSpec) -> Self:
        """Reads the layout off a feature spec."""
        tensors = spec.tensors()
        steps = {name: tensor for name, tensor in tensors.items() if name.startswith("step/")}
        metadata = {name: tensor for name, tensor in tensors.items() if name.startswith("metadata/")}
        return cls(
            spec.hash.size,
            {name.partition("/")[2]: tensor.size for name, tensor in steps.items() if tensor.size is not None},
            {name.partition("/")[2]: tensor.size for name, tensor in metadata.items() if tensor.size is not None},
            frozenset(f.name for f in spec.metadata if not isinstance(f.coding, (OneHot, MinMax))),
            tuple(name.partition("/")[2] for name, tensor in metadata.items() if tensor.size is None),
            spec.classes,
        )


@dataclass(frozen=True)
class Packed:
    """N instances of S steps and K set hash bits in all; steps and bits lie end to end, without padding.

    Attributes:
        lengths: int32 (N,) steps of each instance, at least 1.
        hash_lengths: int32 (S,) set bits of each step.
        hash_values: int32 (K,) hash buckets.
        steps: int32 (S, F) values of the F features of each step.
        categories: int32 (N, M) values of the M categorical features of each instance.
        numbers: float32 (N, V) the V numeric features of each instance.
    """

    lengths: npt.NDArray[np.int32]
    hash_lengths: npt.NDArray[np.int32]
    hash_values: npt.NDArray[np.int32]
    steps: npt.NDArray[np.int32]
    categories: npt.NDArray[np.int32]
    numbers: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def step_offsets(self) -> npt.NDArray[np.int64]:
        """int64 (N + 1,) where the steps of each instance start."""
        return offsets_of(self.lengths.astype(np.int64))

    @cached_property
    def bit_offsets(self) -> npt.NDArray[np.int64]:
        """int64 (S + 1,) where the bits of each step start."""
        return offsets_of(self.hash_lengths.astype(np.int64))

    def take(self, rows: npt.NDArray[np.int64]) -> "Packed":
        """Returns the instances at ``rows``, int64 (B,)."""
        steps = places_of(self.step_offsets[rows], self.lengths[rows].astype(np.int64))
        bits = places_of(self.bit_offsets[steps], self.hash_lengths[steps].astype(np.int64))
        return Packed(
            self.lengths[rows],
            self.hash_lengths[steps],
            self.hash_values[bits],
            self.steps[steps],
            self.categories[rows],
            self.numbers[rows],
        )

    def arrays(self) -> dict[str, npt.NDArray]:
        """Returns the arrays by name: the network's input."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def concatenate(cls, parts: Sequence["Packed"]) -> "Packed":
        """Returns the instances of all parts, in order."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))


def pack(coded: CodedInstances, layout: Layout) -> Packed:
    """Returns coded instances in the order of columns that ``layout`` gives."""
    count, total = len(coded.lengths), len(coded.hash_lengths)
    return Packed(
        coded.lengths.astype(np.int32),
        coded.hash_lengths.astype(np.int32),
        coded.hash_values.astype(np.int32),
        _columns([coded.steps[name] for name in layout.steps], total, np.int32),
        _columns([coded.metadata[name] for name in layout.categories], count, np.int32),
        _columns([coded.metadata[name] for name in layout.numbers], count, np.float32),
    )


def _columns(columns: list[npt.NDArray], rows: int, dtype: type) -> npt.NDArray:
    made: npt.NDArray = np.empty((rows, len(columns)), dtype)
    for index, column in enumerate(columns):
        made[:, index] = column
    return made
