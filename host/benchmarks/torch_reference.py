"""The same network in plain PyTorch, in float32 with autograd: the reference for speed.

It shares only the architecture with `host.networks` (`test_torch_reference` in
`tests/host/benchmarks` compares logits and gradients), and is written for speed on a CPU: memory
format ``channels_last``, rectifiers in place, PyTorch's own optimizer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.networks.network import Network
from fractrain.host.networks.resnet import PIXEL_SCALE, STAGE_FILTERS, depth_of
from fractrain.host.training.optimizer import MOMENTUM, WEIGHT_DECAY
from fractrain.hw.contract.installation import needs_extra

Tensor = Any


class ReferenceTraining:
    """The network ``model`` of `host.networks.resnet` and its optimizer, on ``device``.

    ``module`` is the network, a `torch.nn.Module`; its parameters come in the order of
    the network's own. Weights start as PyTorch draws them; `load` takes ours.

    Raises `MissingToolError` without PyTorch and `ParameterError` for an unknown model.
    """

    def __init__(
        self,
        model: str,
        *,
        channels: int,
        classes: int,
        device: str = "cpu",
        learning_rate: float = 0.1,
    ) -> None:
        depth = depth_of(model)
        with needs_extra("torch"):
            import torch
        self._torch: Any = torch
        self._device = torch.device(device)
        self.module: Any = _network(depth, channels, classes)
        self.module.to(device=self._device, memory_format=torch.channels_last)
        self._optimizer: Any = torch.optim.SGD(
            self.module.parameters(),
            learning_rate,
            momentum=MOMENTUM,
            weight_decay=WEIGHT_DECAY,
        )

    def load(self, network: Network) -> None:
        """Take the parameters of ``network``, and the running statistics of its batch norms."""
        values = [np.asarray(each.value) for each in network.parameters()]
        statistics = [
            np.asarray(each.value)
            for each in network.statistics()
            if each.name.endswith((".mean", ".variance"))
        ]
        buffers = [each for each in self.module.buffers() if each.ndim == 1]
        with self._torch.no_grad():
            for held, given in ((list(self.module.parameters()), values), (buffers, statistics)):
                for tensor, value in zip(held, given, strict=True):
                    tensor.copy_(self._torch.tensor(value).reshape(tensor.shape))

    def logits(self, images: NDArray[np.uint8]) -> Tensor:
        """Of ``images[N,C,H,W]``, in whichever mode ``module`` is."""
        pixels = self._torch.from_numpy(images).to(self._device).float().mul_(float(PIXEL_SCALE))
        return self.module(pixels.contiguous(memory_format=self._torch.channels_last))

    def step(self, images: NDArray[np.uint8], labels: NDArray[np.integer]) -> float:
        """One step of training; the loss before it."""
        self._optimizer.zero_grad(set_to_none=True)
        loss = self.loss(images, labels)
        loss.backward()
        self._optimizer.step()
        return float(loss.detach())

    def loss(self, images: NDArray[np.uint8], labels: NDArray[np.integer]) -> Tensor:
        """Mean cross entropy."""
        targets = self._torch.from_numpy(labels.astype(np.int64)).to(self._device)
        return self._torch.nn.functional.cross_entropy(self.logits(images), targets)


def _network(depth: int, channels: int, classes: int) -> Any:
    """6n+2 layers in three stages, shortcuts of option B."""
    from torch import nn

    def normalized(channels: int, filters: int, kernel: int, stride: int) -> list[nn.Module]:
        convolution = nn.Conv2d(channels, filters, kernel, stride, padding=kernel // 2, bias=False)
        return [convolution, nn.BatchNorm2d(filters)]

    class Block(nn.Module):
        def __init__(self, channels: int, filters: int, stride: int) -> None:
            super().__init__()
            self.residual = nn.Sequential(
                *normalized(channels, filters, 3, stride),
                nn.ReLU(inplace=True),
                *normalized(filters, filters, 3, 1),
            )
            self.shortcut = nn.Sequential()
            if stride != 1 or channels != filters:
                self.shortcut = nn.Sequential(*normalized(channels, filters, 1, stride))

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.relu_(self.residual(x) + self.shortcut(x))

    width = STAGE_FILTERS[0]
    layers = [*normalized(channels, width, 3, 1), nn.ReLU(inplace=True)]
    for stage, filters in enumerate(STAGE_FILTERS):
        for index in range((depth - 2) // 6):
            layers.append(Block(width, filters, 2 if stage > 0 and index == 0 else 1))
            width = filters
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))
