"""PyTorch: batches of captures and noisy images from `tf.data` as torch tensors."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping

if importlib.util.find_spec("triton") and "triton" not in sys.modules:
    # Both bring an LLVM: triton, which PyTorch imports when the first optimizer is made, crashes
    # the process where TensorFlow's is loaded already.
    if "tensorflow" in sys.modules:
        raise ImportError(
            "expected PyTorch's triton to be loaded before TensorFlow, which crash in the other "
            "order: import tfp_noiseflow.frameworks.pytorch (or torch._dynamo) first."
        )
    import torch._dynamo

import numpy as np
import tensorflow as tf
import torch
from torch.utils.data import IterableDataset, get_worker_info


class TensorStream(IterableDataset):
    """The batches of a `tf.data` stream for `torch.utils.data.DataLoader`.

    ```python
    from tfp_noiseflow.frameworks.pytorch import TensorStream  # before TensorFlow
    from torch.utils.data import DataLoader

    def pairs():
        return images.batch(16).enumerate().map(add_noise.map_function)

    loader = DataLoader(TensorStream(pairs, channels_first=True), batch_size=None)
    for noisy, clean in loader:  # [16, C, H, W] torch tensors
        ...
    ```

    Batches come in the stream's order, which `nf.training_dataset` and `map_function` tie to their
    seeds. `tf.data` has threads of its own, so that the loader's own process is usually enough
    (num_workers=0). With worker processes, which have to be started by
    `multiprocessing_context="spawn"` as TensorFlow does not survive a fork, each takes its share of
    the batches, and the loader puts them in order again; `make_dataset` has to be a function of a
    module then.

    Args:
      make_dataset: gives the `tf.data.Dataset`, of tensors in tuples or dicts; called in each
        process.
      steps: batches until it ends; None: until the stream does, which `nf.training_dataset` never
        does.
      channels_first: whether images [B, H, W, C] become [B, C, H, W].
    """

    def __init__(
        self,
        make_dataset: Callable[[], tf.data.Dataset],
        *,
        steps: int | None = None,
        channels_first: bool = False,
    ):
        super().__init__()
        if not callable(make_dataset):
            raise ValueError(
                "expected a function that gives a tf.data.Dataset, as each process makes its own, "
                f"received {type(make_dataset).__name__}."
            )
        self._make_dataset, self._steps = make_dataset, steps
        self._channels_first = channels_first

    def __iter__(self) -> Iterator:
        worker = get_worker_info()
        dataset = self._make_dataset()
        if self._steps is not None:
            dataset = dataset.take(self._steps)
        if worker is not None:
            dataset = dataset.shard(worker.num_workers, worker.id)
        return map(self._converted, dataset.as_numpy_iterator())

    def _converted(self, batch):
        if isinstance(batch, Mapping):
            return {name: self._tensor(value) for name, value in batch.items()}
        if isinstance(batch, tuple):
            return tuple(map(self._tensor, batch))
        return self._tensor(batch)

    def _tensor(self, value: np.ndarray) -> torch.Tensor:
        # TensorFlow keeps what it gives; torch wants memory that it may write to.
        tensor = torch.from_numpy(np.array(value))
        return tensor.movedim(-1, -3).contiguous() if self._is_image(tensor) else tensor

    def _is_image(self, tensor: torch.Tensor) -> bool:
        return self._channels_first and tensor.ndim >= 4
