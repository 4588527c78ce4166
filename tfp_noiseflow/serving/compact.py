"""A SavedModel's file without the names that its graph was built under.

Most of the file of a flow is names: each node carries the Python scopes that it was made in, and
every input of a node repeats one. Here nodes are numbered, and of functions that are then equal
(the branches of each convolution, say) one is kept. What the graph computes, and the names that
signatures, inputs, outputs and variables have, stay.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from tensorflow.core.framework import attr_value_pb2, function_pb2, node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2


def compact_saved_model(path: str | os.PathLike) -> None:
    """Rewrites `saved_model.pb` of a folder; `fingerprint.pb`, which is of the old one, goes.

    Raises:
      ValueError: the graph would refer to a function that it does not hold; nothing is written.
    """
    file_name = os.path.join(path, "saved_model.pb")
    saved_model = saved_model_pb2.SavedModel()
    with open(file_name, "rb") as file:
        saved_model.ParseFromString(file.read())
    for meta_graph in saved_model.meta_graphs:
        _compact(meta_graph)
        _check_references(meta_graph)
    with open(file_name, "wb") as file:
        file.write(saved_model.SerializeToString(deterministic=True))
    fingerprint = os.path.join(path, "fingerprint.pb")
    if os.path.exists(fingerprint):
        os.remove(fingerprint)


def _compact(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    library = meta_graph.graph_def.library
    # TensorFlow finds these by their name and their arguments by theirs.
    public = {*meta_graph.object_graph_def.concrete_functions}
    for node in meta_graph.object_graph_def.nodes:
        public |= {
            *node.function.concrete_functions,
            node.bare_concrete_function.concrete_function_name,
        }
    for function in library.function:
        _number_nodes(function)
        if function.signature.name not in public:
            _number_arguments(function)
    while same := _duplicates(library, public):
        for attribute in _function_attributes(meta_graph):
            attribute.name = same.get(attribute.name, attribute.name)
        kept = [f for f in library.function if f.signature.name not in same]
        del library.function[:]
        library.function.extend(kept)


def _check_references(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    """Raises ValueError unless every function that something refers to is there.

    A loader finds out at the first call that needs it, which may be a client's.
    """
    functions = {f.signature.name for f in meta_graph.graph_def.library.function}
    referred = {attribute.name for attribute in _function_attributes(meta_graph)}
    referred |= {*meta_graph.object_graph_def.concrete_functions}
    if missing := sorted(referred - functions):
        raise ValueError(f"expected a graph that holds its functions, without {missing}.")


def _duplicates(library: function_pb2.FunctionDefLibrary, public: set[str]) -> dict[str, str]:
    """Name of each function that another one equals -> the name of that one."""
    first: dict[bytes, str] = {}
    same = {}
    for function in library.function:
        name = function.signature.name
        if name in public:
            continue
        nameless = function_pb2.FunctionDef()
        nameless.CopyFrom(function)
        nameless.signature.name = ""
        content = nameless.SerializeToString(deterministic=True)
        if first.setdefault(content, name) != name:
            same[name] = first[content]
    return same


def _number_nodes(function: function_pb2.FunctionDef) -> None:
    arguments = {argument.name for argument in function.signature.input_arg}
    numbers = (f"n{number:x}" for number in range(len(function.node_def) + len(arguments)))
    free = (name for name in numbers if name not in arguments)
    new = {node.name: name for node, name in zip(function.node_def, free, strict=False)}

    def renamed(reference: str) -> str:
        """Of `argument`, `node:output:0` or `^node`."""
        is_control = reference.startswith("^")
        name, *output = reference[is_control:].split(":")
        return "^" * is_control + ":".join([new.get(name, name), *output])

    for node in function.node_def:
        # Of an export gradients are those of its operations; a loader would warn of others.
        node.attr.pop("_gradient_op_type", None)
        node.name = new[node.name]
        node.input[:] = [renamed(reference) for reference in node.input]
        node.ClearField("experimental_debug_info")
        if "_class" in node.attr:  # Colocations: "loc:@node".
            places = node.attr["_class"].list.s
            names = [place.decode().removeprefix("loc:@") for place in places]
            places[:] = [f"loc:@{new.get(name, name)}".encode() for name in names]
    for name, reference in list(function.ret.items()):
        function.ret[name] = renamed(reference)
    controls = {
        f"c{number}": new[node] for number, node in enumerate(function.control_ret.values())
    }
    function.control_ret.clear()
    function.control_ret.update(controls)
    function.signature.control_output[:] = [*controls]


def _number_arguments(function: function_pb2.FunctionDef) -> None:
    """For functions that are called by position alone: branches and bodies of loops."""
    new = {argument.name: f"a{k}" for k, argument in enumerate(function.signature.input_arg)}
    for argument in function.signature.input_arg:
        argument.name = new[argument.name]
    for node in function.node_def:
        node.input[:] = [new.get(reference, reference) for reference in node.input]
    results = {}
    for k, argument in enumerate(function.signature.output_arg):
        reference = function.ret[argument.name]
        argument.name = f"r{k}"
        results[argument.name] = new.get(reference, reference)
    function.ret.clear()
    function.ret.update(results)
    for attributes in function.arg_attr.values():
        attributes.attr.pop("_user_specified_name", None)


def _function_attributes(
    meta_graph: meta_graph_pb2.MetaGraphDef,
) -> Iterator[attr_value_pb2.NameAttrList]:
    """Every reference to a function by an attribute of a node."""
    for node in _nodes(meta_graph):
        for value in node.attr.values():
            if value.HasField("func"):
                yield value.func
            yield from value.list.func


def _nodes(meta_graph: meta_graph_pb2.MetaGraphDef) -> Iterator[node_def_pb2.NodeDef]:
    """All nodes, those of functions too."""
    yield from meta_graph.graph_def.node
    for function in meta_graph.graph_def.library.function:
        yield from function.node_def
