"""From an examples folder to an artifact: fit, calibrate, evaluate beside the baselines, export, golden set."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import tensorflow as tf

from features.fingerprinted import DATASET_CARD
from features.spec import FeatureSpec
from features.splits import SPLITS
from features.storage import StorageError, StoragePath, write_folder_atomic
from models.artifact import write_json, write_text
from models.behavior import golden
from models.behavior.baselines import TreesOptions, base_rate, train_boosted_trees
from models.behavior.calibration import MatrixScaling, fit_matrix_scaling
from models.behavior.checkpoint import Checkpoint
from models.behavior.dataset import Examples, ExamplesFolder
from models.behavior.evaluation import MODEL, evaluate
from models.behavior.export import export
from models.behavior.feature_groups import feature_groups
from models.behavior.fitting import FitState, Fitter, Labelled, softmax
from models.behavior.importance import Predict, choose, permutation_importance
from models.behavior.layout import Layout, Packed, pack
from models.behavior.network import BehaviorNetwork
from models.behavior.options import TrainOptions
from models.behavior.predictor import Predictor
from models.behavior.report import render_report
from models.checkpoint import check_new, identity_of
from models.examples_folder import DatasetError
from models.progress import Progress

__all__ = ["train"]


def train(options: TrainOptions, progress: Progress = lambda *_: None) -> StoragePath:
    """Trains a model and writes its artifact, which appears as ``options.output``, whole or not at all.

    Checkpoints and TensorBoard logs go to ``options.work_folder``; with ``options.resume`` a training that was killed
    goes on from there and ends with the same result.

    Returns:
        The artifact's folder.

    Raises:
        TrainingError, OptionError, DatasetError, GoldenError, StorageError: one line each; nothing is left behind but
            the work folder.
    """
    check_new(options.output)
    tf.config.experimental.enable_op_determinism()
    started = time.monotonic()
    folder = ExamplesFolder.open(options.examples)
    instances = golden.choose(folder.path)
    examples: dict[str, Examples] = {}
    for index, split in enumerate(SPLITS):
        progress("read", index, len(SPLITS), split)
        examples[split] = folder.read(split)
    progress("read", len(SPLITS), len(SPLITS), "")
    layout = Layout.of(folder.spec)
    packed = {split: pack(part.coded, layout) for split, part in examples.items()}

    fitter = Fitter(
        BehaviorNetwork(layout, options, options.seed),
        Labelled(packed["train"], examples["train"].labels),
        Labelled(packed["validation"], examples["validation"].labels),
        options,
    )
    checkpoint = Checkpoint(options.work_folder, identity_of(options, folder.card))
    if options.resume:
        checkpoint.restore(fitter)
    fit(fitter, checkpoint, options.work_folder, progress)
    held_out = examples["validation"]
    scaling = fit_matrix_scaling(fitter.predict(packed["validation"]), held_out.labels, groups=held_out.visitor)
    logits = fitter.predict(packed["test"])
    progress("compare", 0, 1, "boosted trees")
    probabilities = {MODEL: scaling.apply(logits), **baselines(examples, layout.classes, options.seed)}
    progress("compare", 1, 1, "")
    test = examples["test"]
    importance = None
    if options.importance_examples:
        importance = measured_importance(
            options, folder.spec, packed["test"], test, instances, lambda p: scaling.apply(fitter.predict(p)), progress
        )
    evaluation = evaluate(
        test.labels,
        probabilities,
        test.stats,
        uncalibrated=softmax(logits),
        calibration=scaling,
        history=fitter.state.history,
        importance=importance,
    )

    with write_folder_atomic(options.output) as staged:
        export(fitter.network, scaling.weight, scaling.bias, folder.spec.fingerprint, staged)
        write_text(staged / "feature_spec.json", folder.spec.to_json())
        write_json(staged / DATASET_CARD, folder.card)
        write_text(staged / "calibration.json", scaling.to_json())
        write_json(staged / "evaluation.json", evaluation)
        pq.write_table(prediction_table(test, probabilities), staged / "predictions.parquet", compression="zstd")
        predicted = predict_golden(Predictor.load(staged), instances, examples, packed, progress)
        golden.write(staged, instances, predicted)
        card = model_card(options, folder, fitter.state, scaling, evaluation, time.monotonic() - started)
        write_json(staged / "model_card.json", card)
        write_text(staged / "report.html", render_report(evaluation, card, folder.card))
    checkpoint.remove()
    return options.artifact


def fit(fitter: Fitter, checkpoint: Checkpoint, work_folder: str, progress: Progress) -> None:
    """Runs the fitter to its end, with a checkpoint and TensorBoard scalars after every epoch."""
    with _logged(work_folder):
        writer = tf.summary.create_file_writer(f"{work_folder}/tensorboard")

    def after_epoch(state: FitState) -> None:
        checkpoint.save(fitter)
        with _logged(work_folder), writer.as_default(step=len(state.history)):
            for name, value in state.history[-1].items():
                tf.summary.scalar(name, value)
            writer.flush()
        progress("epoch", len(state.history), fitter.options.max_epochs, _epoch_note(state))

    try:
        fitter.run(after_epoch, progress)
    finally:
        writer.close()


@contextmanager
def _logged(work_folder: str) -> Iterator[None]:
    """Turns what TensorFlow says of a folder that it cannot write its logs to into one line."""
    try:
        yield
    except tf.errors.OpError as e:
        reason = e.message.partition("}} ")[2].partition(" [Op")[0] or e.message
        raise StorageError(
            f"cannot write TensorBoard logs ({reason}); free some space, mend the permissions, or choose another "
            f"--work-dir than {work_folder}"
        ) from e


def baselines(examples: Mapping[str, Examples], classes: int, seed: int) -> dict[str, npt.NDArray[np.float64]]:
    """Returns the test predictions, float64 (N, C), of boosted trees and of the base rate."""
    train, validation, test = (examples[split] for split in SPLITS)
    trees = train_boosted_trees(
        train.coded, train.labels, validation.coded, validation.labels, classes, TreesOptions(seed=seed)
    )
    return {"trees": trees.predict(test.coded), "base_rate": base_rate(train.labels, classes, len(test))}


def measured_importance(
    options: TrainOptions,
    spec: FeatureSpec,
    packed: Packed,
    test: Examples,
    instances: pa.Table,
    predict: Predict,
    progress: Progress,
) -> dict[str, Any]:
    """Returns the permutation importance of the groups of features, on some of the test examples.

    Args:
        options: of the training.
        spec: of the examples.
        packed: the test examples.
        test: the same, with their labels and visitors.
        instances: the golden set, whose raw events tell whose a hash bucket is.
        predict: the model, calibrated.
        progress: told of the groups done.
    """
    rows = choose(test.labels, options.importance_examples, options.seed)
    lists = instances.column("events").combine_chunks()
    groups = feature_groups(spec, pa.Table.from_struct_array(lists.flatten()))
    return permutation_importance(
        packed.take(rows),
        test.labels[rows],
        test.visitor.take(pa.array(rows)),
        groups,
        Layout.of(spec),
        predict,
        seed=options.seed,
        progress=lambda done, total, name: progress("importance", done, total, name),
    )


def predict_golden(
    predictor: Predictor,
    instances: pa.Table,
    examples: Mapping[str, Examples],
    packed: Mapping[str, Packed],
    progress: Progress,
) -> npt.NDArray[np.float32]:
    """Returns predictions, float32 (N, C), of the golden instances from their examples in the TFRecords."""
    found = np.empty((instances.num_rows, predictor.classes), np.float32)
    wanted = instances.column("example_id").combine_chunks()
    missing = np.ones(len(wanted), np.bool_)
    for split, part in examples.items():
        places = pc.index_in(wanted, part.example_id)
        here = places.is_valid().to_numpy(zero_copy_only=False)
        progress("golden set", int((~missing).sum()), len(wanted), split)
        found[here] = predictor.predict_packed(packed[split].take(places.drop_null().to_numpy().astype(np.int64)))
        missing &= ~here
    if missing.any():
        raise DatasetError(
            f"golden candidate {wanted[int(missing.argmax())]} is not among the examples; write the examples again"
        )
    progress("golden set", len(wanted), len(wanted), "")
    return found


def prediction_table(test: Examples, probabilities: Mapping[str, npt.NDArray[np.floating]]) -> pa.Table:
    """Returns what was predicted for each test example: visitor, time_us, example_id, label, then the predictions.

    With two classes the column ``<name>`` is the probability of class 1; with more there is a ``<name>_<class>`` each.
    """
    columns: dict[str, Any] = {
        "visitor": test.visitor,
        "time_us": test.time_us,
        "example_id": test.example_id,
        "label": test.labels,
    }
    for name, found in probabilities.items():
        if found.shape[1] == 2:
            columns[name] = found[:, 1]
        else:
            columns |= {f"{name}_{label}": found[:, label] for label in range(found.shape[1])}
    return pa.table(columns)


def model_card(
    options: TrainOptions,
    folder: ExamplesFolder,
    state: FitState,
    scaling: MatrixScaling,
    evaluation: Mapping[str, Any],
    seconds: float,
) -> dict[str, Any]:
    """Returns what the model is, where it comes from and how good it is."""
    return {
        "family": "behavior",
        "generator": folder.spec.generator,
        "code_version": version("augury"),
        "fingerprint": folder.spec.fingerprint,
        "examples": options.examples,
        "window": folder.card["window"],
        "arguments": options.to_dict(),
        "best_epoch": int(np.argmin([epoch["validation_loss"] for epoch in state.history])) + 1,
        "history": state.history,
        "calibration": {"kept": scaling.kept, "reason": scaling.reason},
        "metrics": evaluation["metrics"],
        "seconds": round(seconds, 1),
    }


def _epoch_note(state: FitState) -> str:
    last = state.history[-1]
    return f"loss {last['train_loss']:.4f}, validation {last['validation_loss']:.4f}, best {state.best_loss:.4f}"
