import numpy as np

from models.creative.evaluation import evaluate
from models.creative.report import Mistake, render_report


def evaluation(wrong: int, count=240):
    labels = np.arange(count) % 2
    said = labels.copy()
    said[:wrong] = 1 - said[:wrong]
    kinds = ["Shoes" if row < count // 2 else "Hat" for row in range(count)]
    return evaluate(labels, np.eye(2)[said], ("original", "<b>bright"), [f"p{n // 2}" for n in range(count)], kinds)


def test_it_says_how_good_the_model_is() -> None:
    page = render_report(evaluation(60), {"backbone": "resnet18"}, {"simulated": False})
    assert "It names the variant of 180 of 240 images." in page
    assert "What it mixes up most: original taken for &lt;b&gt;bright, 30 times." in page
    assert "The kind of product it does least well on is Shoes: 50.0 % of 120 images." in page
    assert "75.00 %" in page
    assert "resnet18" in page
    assert "<b>bright" not in page


def test_a_model_without_mistakes_has_none_to_show() -> None:
    page = render_report(evaluation(0))
    assert "mixes up" not in page
    assert "Where it is wrong" not in page
    assert "100.00 %" in page


def test_mistakes_and_curves_are_drawn() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    history = [{"epoch": 1, "train_loss": 2.0, "validation_loss": 1.0}, {"train_loss": 1.0, "validation_loss": 0.5}]
    page = render_report(evaluation(1), mistakes=[Mistake("p<0>", "original", "dark", image)], history=history)
    assert 'src="data:image/png;base64,' in page
    assert "original, taken for dark: p&lt;0&gt;" in page
    assert "Learning curves" in page
