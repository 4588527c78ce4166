"""Names for annotations of tensors: TensorFlow has no types, so that a checker knows nothing more.

`tf.Tensor` in an annotation says what a value is; for the checker it is anything.
"""

from typing import Any, TypeAlias

# What `tf.convert_to_tensor` takes: a tensor, a variable, an array, a number, lists of them.
TensorLike: TypeAlias = Any
