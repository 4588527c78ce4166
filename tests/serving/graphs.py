"""What the graph of an export may hold."""

from __future__ import annotations

import os
import re

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2


def saved_graph(path):
    """The MetaGraphDef of a SavedModel."""
    content = saved_model_pb2.SavedModel()
    with open(os.path.join(path, "saved_model.pb"), "rb") as file:
        content.ParseFromString(file.read())
    return content.meta_graphs[0]


def nodes(meta_graph):
    """All nodes, those of functions too."""
    yield from meta_graph.graph_def.node
    for function in meta_graph.graph_def.library.function:
        yield from function.node_def


def check_ops(path):
    """Asserts that an export has no Python, no stateful random op, no custom op and no device."""
    meta_graph = saved_graph(path)
    # A server with GPUs places ops where it likes, but for those that read and write files.
    for function in meta_graph.graph_def.library.function:
        if not {"SaveV2", "RestoreV2"} & {node.op for node in function.node_def}:
            assert {node.device for node in function.node_def} <= {""}
    ops = {node.op for node in nodes(meta_graph)}
    functions = {f.signature.name for f in meta_graph.graph_def.library.function}
    assert ops - set(dir(tf.raw_ops)) - functions - {"_Arg", "_Retval"} == set()
    assert not [op for op in ops if "PyFunc" in op]
    of_chance = {op for op in ops if re.search("Random|Normal|Uniform|Multinomial|Rng", op)}
    assert {op for op in of_chance if not op.startswith("Stateless")} == set()
