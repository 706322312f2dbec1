"""What a training says of its model: the exported graph on the test images, beside the baselines and people."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from features.images_fit import Placement
from models.attention.baselines import human_consistency, residual_with_prior
from models.attention.dataset import Split, Stored
from models.attention.evaluation import CENTRE_PRIOR, MODEL, Case, OtherFixations, evaluate, worst_and_best
from models.attention.predictor import Predictor
from models.attention.region_error import effective_fixations
from models.attention.report import Picture, render_report
from models.examples_folder import DatasetError
from models.progress import Progress

SPECTRAL_RESIDUAL = "spectral_residual"
_PICTURES = 6
_FEWEST_TO_FIT = 2

Floats = npt.NDArray[np.float32]


def measure(
    predictor: Predictor, split: Split, prior: npt.NDArray[np.float32], progress: Progress = lambda *_: None
) -> dict[str, Any]:
    """Returns what ``models.attention.evaluation.evaluate`` says of a model on the images of a split.

    Measured on the stored images, which are of the model's size, within what is image and not letterbox. Images without
    fixations are left out, and counted in ``without_fixations``.

    Args:
        predictor: to measure.
        split: whose images to measure on.
        prior: float32 (H, W), mean map of other images.
        progress: told of the images done.
    """
    judged = measurable(split)
    found = evaluate(_cases(predictor, judged, prior, progress), _other_fixations(judged))
    return {**found, "without_fixations": len(split) - len(judged)}


def measure_regions(predictor: Predictor, split: Split) -> dict[str, Any] | None:
    """Returns how far a model's shares of regions can be trusted, measured on the images of a split.

    What ``models.attention.region_error.effective_fixations`` says of the maps within what is image; None where the
    split has fewer than two images, one to fit and one to judge.
    """
    if len(split) < _FEWEST_TO_FIT:
        return None
    shown = ((item, _shown(item.placement(split.spec))) for item in split.stored)
    return effective_fixations((predictor.density(item.image())[where], item.map()[where]) for item, where in shown)


def measurable(split: Split) -> Split:
    """Returns the images of a split that have fixations within them.

    Raises:
        DatasetError: there are none.
    """
    kept = tuple(item for item in split.stored if len(_inside(item, item.placement(split.spec))[0]))
    if not kept:
        raise DatasetError(f"no image of {split.name} has fixations to measure a model by; add a set that has them")
    return Split(split.name, split.spec, kept)


def report(
    predictor: Predictor,
    split: Split,
    evaluation: Mapping[str, Any],
    model_card: Mapping[str, Any],
    dataset_card: Mapping[str, Any],
    ablation: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Returns the report of a model as HTML, with the images where it is worst and best.

    Raises:
        DatasetError: one of them is not in the split.
    """
    by_name = {_name(item): item for item in split.stored}
    chosen = worst_and_best(evaluation, _PICTURES)
    for name in itertools.chain(*chosen):
        if name not in by_name:
            raise DatasetError(
                f"{split.name} has no image {name}, which the model was evaluated on; name the examples that it was "
                "evaluated on, or evaluate it again"
            )
    worst, best = (_pictures(predictor, (by_name[name] for name in names)) for names in chosen)
    return render_report(evaluation, model_card, dataset_card, worst=worst, best=best, ablation=ablation)


def _cases(predictor: Predictor, split: Split, prior: npt.NDArray[np.float32], progress: Progress) -> Iterator[Case]:
    for row, item in enumerate(split.stored):
        place = item.placement(split.spec)
        shown = _shown(place)
        image = item.image()
        x, y, subject = _inside(item, place)
        sigma_px = split.spec.sigma_of(item.set_name) * place.width / place.image_width
        people = None
        if len(np.unique(subject)) > 1:
            people = human_consistency(x, y, subject, place.height, place.width, sigma_px)
        maps: dict[str, npt.ArrayLike] = {
            MODEL: predictor.density(image)[shown],
            CENTRE_PRIOR: prior[shown],
            SPECTRAL_RESIDUAL: residual_with_prior(image[shown], prior[shown], sigma_px),
        }
        yield Case(_name(item), x, y, item.map()[shown], maps, set=item.set_name, kind=item.kind, people=people)
        progress("test", row + 1, len(split), "")


def _other_fixations(split: Split) -> OtherFixations | None:
    """Returns every image's fixations, for sAUC; None where there is one image only."""
    found = {}
    for item in split.stored:
        place = item.placement(split.spec)
        x, y, _ = _inside(item, place)
        found[_name(item)] = (x, y, place.width, place.height)
    return OtherFixations(found) if len(found) > 1 else None


def _pictures(predictor: Predictor, items: Iterable[Stored]) -> list[Picture]:
    found = []
    for item in items:
        shown = _shown(item.placement(predictor.spec))
        image = item.image()
        found.append(Picture(_name(item), image[shown], item.map()[shown], predictor.density(image)[shown]))
    return found


def _name(item: Stored) -> str:
    return f"{item.set_name}/{item.image_id}"


def _shown(place: Placement) -> tuple[slice, slice]:
    return slice(place.top, place.top + place.height), slice(place.left, place.left + place.width)


def _inside(item: Stored, place: Placement) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    x, y = item.x - place.left, item.y - place.top
    kept = (x >= 0) & (x < place.width) & (y >= 0) & (y < place.height)
    return x[kept], y[kept], item.subject[kept]
