"""Fitting: the quantile edges and vocabularies that a feature spec leaves open, from a sample of instances."""

from dataclasses import replace

import numpy as np

from features.bucketing import OneHot, Quantile
from features.fields import Feature
from features.memo import NONE, Described, Memo
from features.sessions import Sessions
from features.slices import Slices
from features.spec import FeatureSpec, FeatureSpecError
from features.steps import Steps, visible_steps
from features.values import instance_numbers, instance_strings, step_numbers


def fit_spec(spec: FeatureSpec, sessions: Sessions, slices: Slices) -> FeatureSpec:
    """Returns the spec with every open edge and vocabulary filled; what is fitted already stays as it is.

    Quantile edges lie at the quantiles i / bins of the values of the sample's steps (or instances), equal edges made
    one; a vocabulary is the ``limit`` strings that most instances have. Fit on training data alone, or the edges know
    of the test.

    Args:
        spec: with or without open features.
        sessions: the sample.
        slices: its instances.

    Raises:
        FeatureSpecError: the sample has no instance to learn from.
    """
    if not spec.needs_fitting:
        return spec
    steps = visible_steps(sessions, slices, spec.hides, spec.sequence_length)
    if not len(steps.rows):
        raise FeatureSpecError(
            f"fit_spec: none of the {len(slices)} slices of the sample has a visible event; give a larger sample"
        )
    described = Described(Memo(spec), sessions)
    return replace(
        spec,
        steps=tuple(_fit_step(item, spec, steps) for item in spec.steps),
        metadata=tuple(_fit_metadata(item, spec, steps, described) for item in spec.metadata),
    )


def _fit_step(item: Feature, spec: FeatureSpec, steps: Steps) -> Feature:
    if not isinstance(item.coding, Quantile) or item.coding.fitted:
        return item
    return replace(item, coding=item.coding.fit(step_numbers(item.of, steps, spec.utc_offset_seconds)))


def _fit_metadata(item: Feature, spec: FeatureSpec, steps: Steps, described: Described) -> Feature:
    if item.coding.fitted:
        return item
    if isinstance(item.coding, OneHot):
        numbers, names = instance_strings(item.of, steps, described)
        counts = np.bincount(numbers[numbers != NONE], minlength=len(names)).tolist()
        seen = {name: count for name, count in zip(names, counts, strict=True) if count}
        return replace(item, coding=item.coding.fit(seen))
    if isinstance(item.coding, Quantile):
        values = instance_numbers(item.of, steps, described, spec.visit_gap_seconds)
        return replace(item, coding=item.coding.fit(values))
    return item
