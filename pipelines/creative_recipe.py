"""What a creative-examples job comes to: its options made concrete before any work begins."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson
import pyarrow as pa

from features.catalogue import Catalogue, column_names, read_folder, read_manifest
from features.checks import dead_letters
from features.conversions_tables import COLUMNS
from features.creative_spec import CreativeSpec, VariantSpec
from features.storage import list_files
from pipelines.creative_options import CreativeExamplesOptions, CreativeOptionError
from transforms.creative_work import CatalogueTask, ConversionTask, PhotoTask, Product, shard_of
from transforms.image_sets import SplitShares
from transforms.ipc import to_ipc
from transforms.simulate_conversions import Simulation

PHOTOS_A_TASK = 16
PHOTOS_A_SHARD = 64

NO_PRODUCT = "no_product"
DUPLICATE_PRODUCT = "duplicate_product"


@dataclass(frozen=True)
class CreativeRecipe:
    """A creative-examples job made concrete.

    Attributes:
        tasks: all that is read, conversions first.
        products: ids of the catalogue's products; a product's number is its place here.
        spec: how photos are stored.
        shares: how products are divided.
        per_shard: products of a shard.
        shards: number of shards.
        simulation: of conversions, or None.
    """

    tasks: tuple[PhotoTask | ConversionTask | CatalogueTask, ...]
    products: tuple[str, ...]
    spec: CreativeSpec
    shares: SplitShares
    per_shard: int
    shards: int
    simulation: Simulation | None

    @property
    def worker_paths(self) -> Iterator[str]:
        """Every path that workers read."""
        for task in self.tasks:
            if isinstance(task, PhotoTask):
                yield from (product.path for product in task.products)
            elif isinstance(task, ConversionTask):
                yield task.path

    @property
    def reads_conversions(self) -> bool:
        """Whether there are tables of conversions."""
        return any(isinstance(task, ConversionTask) for task in self.tasks)


def make_creative_recipe(options: CreativeExamplesOptions) -> CreativeRecipe:
    """Reads the catalogue and lists what else is named.

    Raises:
        AuguryError: one of its kinds for a missing file, an impossible spec, ...
    """
    spec = _spec_of(options)
    products, letters = _products(_catalogue(options))
    if not products:
        raise CreativeOptionError(
            f"{options.catalogue}: no product with a photo is there; left out are {letters.num_rows} rows or files "
            f"({_reasons(letters)}): check the path, --images and the names of its columns"
        )
    # Whole tasks in every shard: equal tasks keep workers, to whom they are dealt in turn, equally long at work.
    per_shard = PHOTOS_A_SHARD // PHOTOS_A_TASK * PHOTOS_A_TASK
    shards = -(-len(products) // per_shard)
    tasks: list[PhotoTask | ConversionTask | CatalogueTask] = list(_conversions(options))
    if letters.num_rows:
        tasks.append(CatalogueTask(to_ipc(letters)))
    for first in range(0, len(products), PHOTOS_A_TASK):
        some = tuple(products[first : first + PHOTOS_A_TASK])
        tasks.append(PhotoTask(len(tasks), shard_of(first, per_shard), some))
    near_bits = options.near_bits if options.near_bits >= 0 else None
    return CreativeRecipe(
        tasks=tuple(tasks),
        products=tuple(product.product for product in products),
        spec=spec,
        shares=SplitShares(options.validation, options.test, options.seed, near_bits),
        per_shard=per_shard,
        shards=shards,
        simulation=_simulation(options),
    )


def _spec_of(options: CreativeExamplesOptions) -> CreativeSpec:
    try:
        params = orjson.loads(options.variant_params)
    except orjson.JSONDecodeError as e:
        raise CreativeOptionError(f"variant_params is {options.variant_params!r}, which is not JSON ({e})") from e
    if not isinstance(params, dict) or not all(isinstance(value, dict) for value in params.values()):
        raise CreativeOptionError(
            f"""variant_params is {options.variant_params!r}; expected such as '{{"swivel": {{"degrees": 20}}}}'"""
        )
    for name in params:
        if name not in options.variants:
            raise CreativeOptionError(
                f"variant_params has {name!r}, which is not made; expected one of {', '.join(options.variants)}"
            )
    return CreativeSpec(
        width=options.size,
        height=options.size,
        variants=tuple(VariantSpec(name, params=params.get(name, {})) for name in options.variants),
        image_format=options.image_format,
        jpeg_quality=options.jpeg_quality,
    )


def _catalogue(options: CreativeExamplesOptions) -> Catalogue:
    columns = column_names(options.columns)
    listed = list_files(options.catalogue)
    table = len(listed) == 1 and listed[0].rstrip("/").endswith(options.catalogue.rstrip("/").rpartition("/")[2])
    if not table or not options.catalogue.lower().endswith(".csv"):
        if options.images is not None:
            raise CreativeOptionError(
                f"images is {options.images}, but {options.catalogue} is no CSV; name the CSV first, or leave it out"
            )
        return read_folder(options.catalogue, None, columns)
    if options.images is not None:
        return read_folder(options.images, options.catalogue, columns)
    return read_manifest(options.catalogue, columns)


def _products(catalogue: Catalogue) -> tuple[list[Product], pa.RecordBatch]:
    """Returns the products that can be told apart, and all that is left out."""
    found: list[Product] = []
    seen: set[str] = set()
    reasons: list[str] = []
    texts: list[str] = []
    for row in catalogue.products.to_pylist():
        reason = NO_PRODUCT if not row["product"] else DUPLICATE_PRODUCT if row["product"] in seen else ""
        if reason:
            reasons.append(reason)
            texts.append(",".join(row.values()))
            continue
        seen.add(row["product"])
        about = {name: row[name] for name in ("product", "kind", "brand", "gender", "name")}
        found.append(Product(number=len(found), path=row["image"], **about))
    own = dead_letters(reasons, texts, "catalogue")
    letters = pa.concat_tables([catalogue.rejected, pa.Table.from_batches([own])]).combine_chunks()
    return found, letters.to_batches()[0] if letters.num_rows else own


def _reasons(letters: pa.RecordBatch) -> str:
    """Returns why rows and files are left out, the most frequent reason first."""
    found = Counter(letters.column("reason").to_pylist())
    return ", ".join(f"{reason} {count}" for reason, count in found.most_common()) or "none"


def _conversions(options: CreativeExamplesOptions) -> Sequence[ConversionTask]:
    if options.conversions is None:
        if options.conversion_columns:
            raise CreativeOptionError("conversion_columns are given, but no conversions; name their table")
        return []
    columns: dict[str, str] = {}
    for flag in options.conversion_columns:
        ours, equals, theirs = flag.partition("=")
        if not equals or not theirs or ours not in COLUMNS or ours in columns:
            raise CreativeOptionError(
                f"conversion column {flag!r} is not understood; expected one of {', '.join(COLUMNS)}, once, as "
                "product=sku"
            )
        columns[ours] = theirs
    paths = list_files(options.conversions)
    if not paths:
        raise CreativeOptionError(f"{options.conversions}: no conversions there; check the path")
    return [ConversionTask(number, path, dict(columns)) for number, path in enumerate(paths)]


def _simulation(options: CreativeExamplesOptions) -> Simulation | None:
    if options.simulate is None:
        return None
    return Simulation(options.simulate, options.seed, options.simulated_sends, options.simulated_campaigns)
