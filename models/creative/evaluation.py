"""How often the recogniser is right: accuracy with an interval, the confusion of variants, by variant and by kind."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

UNKNOWN_KIND = "unknown"

_TINY = 1e-12
_Z95 = 1.959963984540054  # of the normal distribution, two-sided 95 %


def evaluate(
    labels: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.floating],
    variants: Sequence[str],
    products: Sequence[str],
    kinds: Sequence[str],
) -> dict[str, Any]:
    """Returns the evaluation, JSON-able; ``metrics`` are those of the model card.

    Args:
        labels: int64 (N,), what each image is.
        probabilities: (N, V), what the recogniser says of it.
        variants: V names.
        products: N names: whose photo each image is.
        kinds: N names of kinds of products; empty where that is not known.
    """
    predicted = probabilities.argmax(1)
    right = predicted == labels
    confusion = confusion_of(labels, predicted, len(variants))
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    by_variant = list(_by_variant(confusion, variants))
    names = np.array([kind or UNKNOWN_KIND for kind in kinds])
    by_kind = [
        {
            "kind": kind,
            "products": len({product for product, name in zip(products, names, strict=True) if name == kind}),
            **share(int(right[names == kind].sum()), int((names == kind).sum())),
        }
        for kind in sorted(set(names.tolist()))
    ]
    whole = share(int(right.sum()), len(right))
    return {
        "metrics": {
            "accuracy": whole["accuracy"],
            "log_loss": float(-np.log(np.maximum(own, _TINY)).mean()),
            "least_recall": min(row["recall"] for row in by_variant if row["recall"] is not None),
        },
        "images_judged": len(labels),
        "products_judged": len(set(products)),
        "overall": whole,
        "variants": list(variants),
        "confusion": confusion.tolist(),
        "by_variant": by_variant,
        "by_kind": sorted(by_kind, key=lambda row: (-row["images"], row["kind"])),
        "mistakes": [
            {
                "row": row,
                "product": products[row],
                "variant": variants[labels[row]],
                "taken_for": variants[predicted[row]],
                "probability": float(probabilities[row, labels[row]]),
            }
            for row in np.flatnonzero(~right)[np.argsort(own[~right], kind="stable")].tolist()
        ],
    }


def confusion_of(
    labels: npt.NDArray[np.integer], predicted: npt.NDArray[np.integer], variants: int
) -> npt.NDArray[np.int64]:
    """Returns int64 (V, V): how many images of the row's variant were taken for the column's."""
    counts = np.bincount(labels * variants + predicted, minlength=variants**2)
    return counts.reshape(variants, variants).astype(np.int64)


def share(right: int, count: int) -> dict[str, Any]:
    """Returns an accuracy and its 95 % interval.

    The interval is Wilson's ("Probable inference, the law of succession, and statistical inference", JASA 1927), which
    holds near 100 % too. The variants of one product are not independent, so it is rather too narrow than too wide.
    """
    accuracy = right / count
    spread = _Z95**2 / count
    middle = (accuracy + spread / 2) / (1 + spread)
    half = _Z95 / (1 + spread) * math.sqrt(accuracy * (1 - accuracy) / count + spread / (4 * count))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return {"images": count, "right": right, "accuracy": accuracy, "low": low, "high": high}


def _by_variant(confusion: npt.NDArray[np.int64], variants: Sequence[str]) -> Iterator[dict[str, Any]]:
    for number, name in enumerate(variants):
        right, there, said = confusion[number, number], confusion[number].sum(), confusion[:, number].sum()
        yield {
            "variant": name,
            "images": int(there),
            "recall": float(right / there) if there else None,
            "precision": float(right / said) if said else None,
        }
