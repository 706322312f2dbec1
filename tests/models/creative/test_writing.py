import json

from models.creative.dataset import ExamplesFolder
from models.creative.recognizer import Recognizer
from models.creative.writing import measure


def test_the_metrics_are_those_of_the_exported_graph_on_the_test_products(artifact, examples) -> None:
    split = ExamplesFolder.open(str(examples)).read("test")
    found = measure(Recognizer.load(artifact), split)
    assert found == json.loads((artifact / "evaluation.json").read_text())
    assert found["images_judged"] == 18
