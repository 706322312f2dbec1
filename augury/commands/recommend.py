"""``augury recommend``."""

import hashlib
from typing import Annotated, Any

import orjson
import typer

from augury import recommendation_files
from augury.commands import screen
from augury.commands.choosing import ArtifactOption, ModelOption, VersionOption, choose
from augury.commands.parameters import RegistryRoot
from augury.heatmap_files import read_image
from features.images import ImageLimits, decode_image
from features.images_headers import ImageError
from models.creative.brand_rules import BrandRules
from models.creative.recommendation import NO_RULES, Asked, Recommendation, RecommendationError, Recommender
from models.creative.shown import as_json, variant_images
from models.creative.verdicts import Rate

_FAMILY = "creative"
_LIMITS = ImageLimits()
_BESIDE = {True: "better", False: "worse", None: "no difference"}


def recommend(
    photo: Annotated[str, typer.Argument(help="a product photo; local or gs://")],
    target: Annotated[str, typer.Option(help="what is predicted, such as click_through")],
    campaign_type: Annotated[str, typer.Option(help="of the campaign; unknown if not given, as the next four")] = "",
    industry: Annotated[str, typer.Option(help="of the campaign")] = "",
    shoe_type: Annotated[str, typer.Option(help="kind of product; alternates are of the same kind")] = "",
    brand: Annotated[str, typer.Option(help="of the product; brand rules go by it")] = "",
    gender: Annotated[str, typer.Option(help="that the product is for")] = "",
    product: Annotated[str, typer.Option(help="its name in the catalogue; it is no alternate to itself")] = "",
    alternates: Annotated[int, typer.Option(help="most photos of the catalogue to compare with")] = 20,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="folder for the variants, the alternates and the numbers")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print one JSON object instead of tables")] = False,
    brand_rules: Annotated[str | None, typer.Option(help="TOML or JSON file of variants that brands forbid")] = None,
    max_distance: Annotated[
        float | None, typer.Option(help="how far a variant may be from the photo, instead of the measured limits")
    ] = None,
    size: Annotated[int, typer.Option(min=0, help="longer side of written variants, pixels; 0: as the photo")] = 0,
    model: ModelOption = None,
    version: VersionOption = "champion",
    registry: RegistryRoot = "registry",
    artifact: ArtifactOption = None,
) -> None:
    """Recommend a version of a product photo.

    Predicts how well the photo, its variants and photos of the catalogue that look like it would do in a campaign, with
    intervals, and says which is best, or that no winner can be told. Variants that a brand forbids, or that the
    recogniser does not take for the same product any more, are shown but never recommended. The photo is never
    overwritten.

    **Examples**

    - `augury recommend shoe.jpg --target click_through --campaign-type newsletter --shoe-type boot -o better`
    - `augury recommend shoe.jpg --target unsubscribed --artifact model --json` : less is better here
    - `augury recommend shoe.jpg --target open_rate --brand Aster --brand-rules rules.toml`
    """
    asked = Asked(target, campaign_type, industry, shoe_type, brand, gender, product, alternates)
    rules = NO_RULES if brand_rules is None else BrandRules.read(brand_rules)
    with screen.spinner("loading the model"):
        chosen = choose(_FAMILY, artifact, registry, model, version)
        recommender = Recommender.load(chosen.folder, rules, max_distance)
    spec = recommender.model.spec
    if output is not None:
        recommendation_files.check_folder(photo, output, spec.variant_names, alternates)
    data = read_image(photo, _LIMITS)
    try:
        image = decode_image(data, _LIMITS)
    except ImageError as error:
        raise RecommendationError(f"{photo}: {error}") from error
    digest = hashlib.sha256(data).hexdigest()
    with screen.spinner("asking the model"):
        found = recommender.recommend(image, asked, digest)
    height, width = image.shape[:2]
    about = {
        "model": chosen.name,
        "version": chosen.version,
        "image": {"path": photo, "width": width, "height": height, "sha256": digest},
    }
    if json:
        screen.line(orjson.dumps({**about, **as_json(found)}).decode())
    else:
        _show(found, alternates)
    for note in found.notes:
        screen.note(f"note: {note}")
    if output is not None:
        written = recommendation_files.write(output, found, variant_images(image, spec, size), about)
        screen.note(f"{len(written)} files are in {output}")


def _show(found: Recommendation, alternates: int) -> None:
    less = ", less is better" if found.less_is_better else ""
    simulated = "; learnt from simulated conversions" if found.simulated else ""
    rows = [
        (each.name, *_numbers(each.rate), ", ".join(each.ruled_out) or _beside(each.rate, found))
        for each in found.variants
    ]
    columns = ("variant", found.target, f"{found.confidence:.0%} interval", "difference", "beside the photo")
    screen.table(f"Versions of the photo ({found.target}{less}{simulated})", columns, rows, right=(1, 2, 3))
    screen.line(found.best_variant.said)
    if found.best_alternate is None:
        if alternates:
            screen.line("the catalogue has no photo to compare with")
        return
    rows = [
        (each.product, f"{each.alike:.2f}", *_numbers(each.rate), _BESIDE[each.rate.better])
        for each in found.alternates
    ]
    screen.table("Photos of the catalogue", ("product", "alike", *columns[1:]), rows, right=(1, 2, 3, 4))
    screen.line(found.best_alternate.said)


def _numbers(rate: Rate) -> tuple[Any, ...]:
    return f"{rate.probability:.3f}", f"{rate.low:.3f} to {rate.high:.3f}", f"{rate.difference:+.3f}"


def _beside(rate: Rate, found: Recommendation) -> str:
    return "" if rate is found.given else _BESIDE[rate.better]
