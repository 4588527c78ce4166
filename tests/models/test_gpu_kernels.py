"""Every op of training, likelihood and sampling has a kernel for GPUs, found without one.

A TensorFlow that was built for GPUs registers their kernels whether there is a GPU or not.
"""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tensorflow.python.framework import kernels

import tfp_noiseflow as nf
from tests.registry import CAMERAS, ISO_LEVELS, LAWS
from tfp_noiseflow.captures.cached_captures import CachedCaptures

BATCH, IMAGE = 4, (8, 8, 4)

ARCHITECTURES = ("S-Ax1-G-Ax1-CAM", "N-Ax1-C", "L-Ax1", "stored L-R-P", "stored L-R-T-Bx1")

# Ops without a kernel of GPUs' own, with the reason. None computes on images.
HOST_OPS = {
    "Assert": "checks of conditions, whose message is put together on the host",
    "BroadcastArgs": "a shape, which the host needs to launch what follows",
    "ConcatOffset": "shapes, likewise",
}
# Of any device: they name, read and pass on values, call a function or choose a branch.
ANY_DEVICE = {
    "IdentityN",
    "If",
    "NoOp",
    "PartitionedCall",
    "Placeholder",
    "ReadVariableOp",
    "StatelessIf",
    "StatelessWhile",
}

NEEDS_GPU_BUILD = pytest.mark.skipif(
    not tf.test.is_built_with_cuda(), reason="this TensorFlow was built without kernels for GPUs"
)


@functools.cache
def registered(op: str, *devices: str) -> list:
    found = kernels.get_registered_kernels_for_op(op).kernel
    return [kernel for kernel in found if kernel.device_type in devices]


def has_kernel(node) -> bool:
    """Whether a kernel takes the node's dtypes; words are for messages, which the host makes."""
    if node.op in HOST_OPS or node.op in ANY_DEVICE:
        return True
    if node.op == "Const" and node.attr["dtype"].type == tf.string.as_datatype_enum:
        return True
    # DEFAULT: of any device; int32 is of shapes, which stay on the host.
    devices = ("GPU", "DEFAULT") if registered(node.op, "GPU") else ()
    return any(takes(kernel, node) for kernel in registered(node.op, *devices))


def takes(kernel, node) -> bool:
    for constraint in kernel.constraint:
        attribute = node.attr[constraint.name]
        types = [attribute.type] if attribute.type else list(attribute.list.type)
        if not {*types} <= {*constraint.allowed_values.list.type}:
            return False
    return True


def nodes_of(function):
    graph = function.graph.as_graph_def()
    known = {its.signature.name for its in graph.library.function}
    for nodes in (graph.node, *(its.node_def for its in graph.library.function)):
        for node in nodes:
            if node.op not in known:
                yield node


def model_of(architecture):
    letters = architecture.removeprefix("stored ")
    options = {"laws": LAWS} if letters.startswith("L") else {}
    model = nf.NoiseFlow(letters, CAMERAS, ISO_LEVELS, seed=0, **options)
    return nf.StoredNoise(model, 1 / 255) if "stored" in architecture else model


def functions_of(architecture):
    model = model_of(architecture)
    trainer = nf.LikelihoodTrainer(model)
    trainer.compile(tf_keras.optimizers.Adam(1e-3, global_clipnorm=10.0))
    images, iso = tf.TensorSpec([BATCH, *IMAGE]), tf.TensorSpec([BATCH])
    camera = tf.TensorSpec([BATCH], tf.int32)
    batch = {"noise": images, "clean": images, "iso": iso, "camera": camera}

    def sample(clean, iso, camera, seeds):
        return model(clean, iso=iso, camera=camera).sample_rows(seeds, tf.ones([BATCH]))

    seeds = tf.TensorSpec([BATCH, 2], tf.int64)
    return {
        "training step": tf.function(trainer.train_step).get_concrete_function(batch),
        "likelihood": tf.function(lambda its: trainer(its)).get_concrete_function(batch),
        "sample": tf.function(sample).get_concrete_function(images, iso, camera, seeds),
    }


@NEEDS_GPU_BUILD
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_op_has_a_kernel_for_gpus(architecture):
    for name, function in functions_of(architecture).items():
        lacking = {(node.op, node.name) for node in nodes_of(function) if not has_kernel(node)}
        assert not lacking, name
        # No Python within a step, and no device that is prescribed.
        ops = {node.op for node in nodes_of(function)}
        assert not ops & {"PyFunc", "EagerPyFunc", "PyFuncStateless"}, name
        assert not {node.device for node in nodes_of(function)} - {""}, name


@NEEDS_GPU_BUILD
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
def test_batches_of_kept_codes_are_made_by_kernels_for_gpus(tmp_path, dtype):
    codes = np.random.default_rng(0).integers(0, 256, (2, 10, *IMAGE)).astype(dtype)
    nf.write_captures(
        tmp_path / "captures.h5",
        *codes,
        [100] * 10,
        ["a"] * 10,
        white_level=255.0,
        quantization_step=1.0,
    )
    cached = CachedCaptures(nf.read_captures(tmp_path / "captures.h5"), cameras=None)
    positions = {"index": tf.TensorSpec([BATCH], tf.int64), "key": tf.TensorSpec([2], tf.uint64)}
    function = tf.function(cached.features).get_concrete_function(positions)
    assert {"ResourceGather"} <= {node.op for node in nodes_of(function)}
    # What XLA compiles, the generator, needs kernels of XLA alone, which `jit_compile` asks for.
    lacking = {(node.op, node.name) for node in nodes_of(function) if not has_kernel(node)}
    assert not lacking
