"""The schema of a data set in TensorFlow Metadata's form, from the feature spec."""

from tensorflow_metadata.proto.v0 import schema_pb2

from features.spec import FeatureSpec

_TYPES = {"int64": schema_pb2.INT, "float32": schema_pb2.FLOAT, "bytes": schema_pb2.BYTES}


def dataset_schema(spec: FeatureSpec) -> schema_pb2.Schema:
    """Returns one feature a tensor: fixed ones present once in every example, variable ones with any length."""
    schema = schema_pb2.Schema()
    for name, tensor in spec.tensors().items():
        feature = schema.feature.add(name=name, type=_TYPES[tensor.dtype])
        feature.presence.min_fraction = 1.0
        if tensor.kind == "fixed":
            feature.value_count.min = feature.value_count.max = 1
    return schema
