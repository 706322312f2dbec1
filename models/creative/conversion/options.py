"""Options of the conversion model: everything that decides its trees, refused at start-up."""

from dataclasses import dataclass

from features.options import option
from models.options import OptionError, TrainingRun, one_of, within

__all__ = ["VECTORS", "ConversionOptions", "OptionError"]

VECTORS = ("logits", "features")
"""What the trees see of a photo: the recogniser's outputs before the softmax, or what its last layer gets."""


@dataclass(frozen=True)
class ConversionOptions(TrainingRun):
    """What to train on, where to write, and how to train."""

    irrelevant = (*TrainingRun.irrelevant, "embeddings", "recognizer", "golden_images", "catalogue")

    examples: str = option("", "folder that `augury creative-examples` wrote (local or gs://)")
    embeddings: str = option("", "folder that `augury creative-embeddings` wrote of the same examples")
    recognizer: str = option("", "folder of the recogniser that made the embeddings")
    output: str = option("", "folder of the artifact; it must not exist yet")
    work_dir: str | None = option(None, "folder of the searches; <output>.work if not given")
    targets: str = option("all", "what to predict: all that was recorded, or names such as open_rate,click_through")
    vector: str = option("logits", f"what the trees see of a photo: {' or '.join(VECTORS)}")
    reduce: int = option(0, "principal components that the vector is reduced to; 0 takes it as it is")
    trials: int = option(20, "trials of the search for each target; 0 takes the trees' options as they are given")
    search_seconds: float = option(900.0, "seconds after which the search for a target begins no other trial")
    max_depth: int = option(4, "depth of a tree, where nothing is searched; so for the next five")
    learning_rate: float = option(0.08, "weight of a tree")
    min_child_weight: float = option(5.0, "least sum of n p (1 - p) in a leaf, n being messages")
    subsample: float = option(0.8, "share of the rows that a tree sees")
    colsample: float = option(0.8, "share of the columns that a tree sees")
    l2: float = option(1.0, "L2 penalty of the leaves")
    rounds: int = option(1000, "most trees; training stops earlier where validation products gain nothing")
    patience: int = option(30, "trees without a lower validation loss before training stops")
    members: int = option(20, "ensembles of trees, each trained on products drawn anew, that give the intervals")
    confidence: float = option(0.95, "confidence of the intervals")
    min_products: int = option(10, "fewest products that every split must have for a target")
    golden_images: int = option(32, "photos of the golden set")
    catalogue: int = option(10_000, "most products kept to recommend look-alikes from")
    threads: int = option(1, "CPU threads")
    seed: int = option(0, "decides the samples of rows, columns and products, and the search")
    resume: bool = option(False, "go on with the searches in the work folder, where there are any")

    def __post_init__(self) -> None:
        for name in ("examples", "embeddings", "recognizer", "output"):
            if not getattr(self, name):
                raise OptionError(f"{name} is missing; name a folder with --{name}")
        if not self.targets or not all(self.targets.split(",")):
            raise OptionError(f"targets is {self.targets!r}; expected all, or names parted by commas")
        one_of("vector", self.vector, VECTORS)
        within("reduce", self.reduce, 0, 1024, int)
        within("trials", self.trials, 0, 10_000, int)
        within("search_seconds", self.search_seconds, 1.0, 1e7, float)
        within("max_depth", self.max_depth, 1, 16, int)
        within("learning_rate", self.learning_rate, 1e-4, 1.0, float)
        within("min_child_weight", self.min_child_weight, 0.0, 1e9, float)
        within("subsample", self.subsample, 0.05, 1.0, float)
        within("colsample", self.colsample, 0.05, 1.0, float)
        within("l2", self.l2, 0.0, 1e6, float)
        within("rounds", self.rounds, 1, 100_000, int)
        within("patience", self.patience, 1, 100_000, int)
        within("members", self.members, 2, 200, int)
        within("confidence", self.confidence, 0.5, 0.999, float)
        within("min_products", self.min_products, 2, 1_000_000, int)
        within("golden_images", self.golden_images, 1, 1000, int)
        within("catalogue", self.catalogue, 0, 1_000_000, int)
        within("threads", self.threads, 1, 1024, int)
        within("seed", self.seed, 0, 2**31 - 1, int)
