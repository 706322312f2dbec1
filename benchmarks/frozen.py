"""The frozen graph against SavedModel of the same network, each in processes of its own: ``make bench-frozen``.

Load time is from the start of loading, TensorFlow imported, to the first answer; memory is how much the process's
resident set has grown by then. The two take turns, so that neither has the quieter machine.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import orjson

from benchmarks.figures import Figure, write_results

RUNS = 7
STEPS = 40
_FORMS = ("frozen", "saved")
_EXPORT = "export"


class _Loaded(NamedTuple):
    """What one process needed to load and answer once: seconds, and bytes of resident memory."""

    seconds: float
    resident_bytes: int
    answer: list[float]


def main() -> None:
    """Exports both forms, loads them in turn, and writes ``benchmarks/results/frozen.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", choices=(_EXPORT, *_FORMS), help="what one process does; used by the benchmark")
    parser.add_argument("--folder", type=Path, help="where the forms are")
    given = parser.parse_args()
    if given.side == _EXPORT:
        _export_both(given.folder)
        return
    if given.side:
        print(orjson.dumps(list(_load(given.side, given.folder))).decode())
        return
    folder = Path(tempfile.mkdtemp(prefix="augury-bench-"))
    try:
        _run(_EXPORT, folder)
        runs: dict[str, list[_Loaded]] = {form: [] for form in _FORMS}
        for _ in range(RUNS):
            for form in _FORMS:
                runs[form].append(_Loaded(*orjson.loads(_run(form, folder))))
    finally:
        shutil.rmtree(folder)
    write_results("frozen", _figures(runs))


def _figures(runs: dict[str, list[_Loaded]]) -> list[Figure]:
    frozen, saved = runs["frozen"], runs["saved"]
    if any(abs(one - other) > 1e-6 for one, other in zip(frozen[0].answer, saved[0].answer, strict=True)):
        raise AssertionError(f"the two forms answer differently: {frozen[0].answer} and {saved[0].answer}")
    seconds = [statistics.median(run.seconds for run in side) for side in (frozen, saved)]
    megabytes = [statistics.median(run.resident_bytes for run in side) / 1e6 for side in (frozen, saved)]
    how = f"medians of {RUNS} processes each, in turn; the network at its default size"
    return [
        Figure(
            "frozen_load_ratio",
            f"time to load and answer once: frozen graph {seconds[0]:.3f} s, SavedModel {seconds[1]:.3f} s; {how}",
            seconds[0] / seconds[1],
            "ratio",
        ),
        Figure(
            "frozen_memory_ratio",
            f"memory that loading and one answer add: frozen graph {megabytes[0]:.0f} MB, SavedModel "
            f"{megabytes[1]:.0f} MB; {how}",
            megabytes[0] / megabytes[1],
            "ratio",
        ),
    ]


def _run(side: str, folder: Path) -> str:
    command = [sys.executable, "-m", "benchmarks.frozen", "--side", side, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} exited with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def _export_both(folder: Path) -> None:
    """Writes an untrained network of the default size as ``frozen/`` and as ``saved/``."""
    import numpy as np
    import tensorflow as tf

    from features.spec import FeatureSpec
    from models.behavior.export import export
    from models.behavior.layout import Layout
    from models.behavior.network import BehaviorNetwork
    from models.behavior.options import TrainOptions

    spec = FeatureSpec()
    layout = Layout.of(spec)
    network = BehaviorNetwork(layout, TrainOptions(examples="-", output="-"), 0)
    frozen = folder / "frozen"
    frozen.mkdir()
    weight, bias = np.eye(layout.classes, dtype=np.float32), np.zeros(layout.classes, np.float32)
    export(network, weight, bias, spec.fingerprint, frozen)
    (frozen / "feature_spec.json").write_text(spec.to_json())
    signature = {
        "hash_lengths": tf.TensorSpec([None], tf.int32, "hash_lengths"),
        "hash_values": tf.TensorSpec([None], tf.int32, "hash_values"),
        "steps": tf.TensorSpec([None, len(layout.steps)], tf.int32, "steps"),
        "categories": tf.TensorSpec([len(layout.categories)], tf.int32, "categories"),
        "numbers": tf.TensorSpec([len(layout.numbers)], tf.float32, "numbers"),
    }

    class Saved(tf.Module):
        """The network and what comes after it, as a module that SavedModel takes."""

        def __init__(self) -> None:
            super().__init__()
            self.kept = list(network.variables)  # so that they are saved
            self.tracked = [variable.value for variable in network.variables]

        @tf.function(input_signature=[signature])
        def answer(self, instance: dict) -> dict:
            alone = {
                **instance,
                "lengths": tf.shape(instance["hash_lengths"]),
                "categories": instance["categories"][None],
                "numbers": instance["numbers"][None],
            }
            logits = network(alone)
            return {"probabilities": tf.nn.softmax(tf.matmul(logits, weight, transpose_b=True) + bias)[0]}

    module = Saved()
    tf.saved_model.save(module, str(folder / "saved"), signatures={"serving_default": module.answer})


def _load(form: str, folder: Path) -> _Loaded:
    """Loads a form and asks it for one instance of ``STEPS`` steps."""
    import numpy as np
    import tensorflow as tf

    from features.spec import FeatureSpec
    from models.behavior.layout import Layout, Packed
    from models.behavior.predictor import Predictor

    layout = Layout.of(FeatureSpec())
    packed = Packed(
        np.array([STEPS], np.int32),
        np.full(STEPS, 3, np.int32),
        np.arange(3 * STEPS, dtype=np.int32),
        np.ones((STEPS, len(layout.steps)), np.int32),
        np.zeros((1, len(layout.categories)), np.int32),
        np.zeros((1, len(layout.numbers)), np.float32),
    )
    tf.config.list_logical_devices()  # the devices are made when they are first asked for, by either form
    before, began = _resident_bytes(), time.perf_counter()
    if form == "frozen":
        answer = Predictor.load(folder / "frozen").predict_packed(packed)[0]
    else:
        function = tf.saved_model.load(str(folder / "saved")).signatures["serving_default"]
        found = function(
            hash_lengths=tf.constant(packed.hash_lengths),
            hash_values=tf.constant(packed.hash_values),
            steps=tf.constant(packed.steps),
            categories=tf.constant(packed.categories[0]),
            numbers=tf.constant(packed.numbers[0]),
        )
        answer = found["probabilities"].numpy()
    seconds = time.perf_counter() - began
    return _Loaded(seconds, _resident_bytes() - before, answer.astype(float).tolist())


def _resident_bytes() -> int:
    with open("/proc/self/status", encoding="ascii") as file:
        line = next(line for line in file if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
