"""A small deterministic trainer (numpy, Adam, cross-entropy) for the networks kept here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Parameters = list[np.ndarray]


class Dense:
    """``x W^T + b``."""

    def __init__(self, rng: np.random.Generator, inputs: int, outputs: int) -> None:
        scale = np.sqrt(2.0 / inputs)
        self.parameters: Parameters = [
            rng.normal(size=(outputs, inputs)) * scale, np.zeros(outputs)
        ]  # fmt: skip

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.x = x
        return x @ self.parameters[0].T + self.parameters[1]

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        self.gradients = [gradient.T @ self.x, gradient.sum(axis=0)]
        return gradient @ self.parameters[0]


class Conv:
    """A square convolution over (channels, side, side) inputs kept flat, by gathered patches."""

    def __init__(
        self, rng: np.random.Generator, channels: int, side: int, filters: int,
        kernel: int, stride: int, pad: int,
    ) -> None:  # fmt: skip
        self.stride, self.pad, self.kernel = stride, pad, kernel
        self.channels, self.side, self.filters = channels, side, filters
        self.out = (side + 2 * pad - kernel) // stride + 1
        fan_in = channels * kernel * kernel
        self.parameters: Parameters = [
            rng.normal(size=(filters, fan_in)) * np.sqrt(2.0 / fan_in), np.zeros(filters)
        ]  # fmt: skip
        grid = np.full((channels, side + 2 * pad, side + 2 * pad), channels * side * side)
        inner = np.arange(channels * side * side).reshape(channels, side, side)
        grid[:, pad : pad + side, pad : pad + side] = inner
        steps = range(0, self.out * stride, stride)
        self.patches = np.array(
            [grid[:, i : i + kernel, j : j + kernel].ravel() for i in steps for j in steps]
        )

    def forward(self, x: np.ndarray) -> np.ndarray:
        padded = np.hstack([x, np.zeros((len(x), 1))])
        self.x = padded[:, self.patches]
        z = self.x @ self.parameters[0].T + self.parameters[1]
        return z.transpose(0, 2, 1).reshape(len(x), -1)

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        gradient = gradient.reshape(len(gradient), self.filters, -1).transpose(0, 2, 1)
        self.gradients = [np.einsum("npf,npk->fk", gradient, self.x), gradient.sum(axis=(0, 1))]
        back = gradient @ self.parameters[0]
        result = np.zeros((len(gradient), self.channels * self.side**2 + 1))
        np.add.at(result, (slice(None), self.patches), back)
        return result[:, :-1]


class Relu:
    """``max(x, 0)``."""

    def __init__(self) -> None:
        self.parameters: Parameters = []
        self.gradients: Parameters = []

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.active = x > 0
        return np.where(self.active, x, 0.0)

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        return gradient * self.active


class Residual:
    """``relu(x + W2 relu(W1 x))``: a skip that is added back."""

    def __init__(self, rng: np.random.Generator, width: int) -> None:
        self.inner = [Dense(rng, width, width), Relu(), Dense(rng, width, width)]
        self.last = Relu()

    @property
    def parameters(self) -> Parameters:
        return self.inner[0].parameters + self.inner[2].parameters

    @property
    def gradients(self) -> Parameters:
        return self.inner[0].gradients + self.inner[2].gradients

    def forward(self, x: np.ndarray) -> np.ndarray:
        y = x
        for part in self.inner:
            y = part.forward(y)
        return self.last.forward(x + y)

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        gradient = self.last.backward(gradient)
        back = gradient
        for part in reversed(self.inner):
            back = part.backward(back)
        return gradient + back


@dataclass(frozen=True)
class Recipe:
    """epochs over the data, Adam's step, weight decay, size of random input perturbations."""

    epochs: int = 60
    step: float = 3e-3
    decay: float = 1e-4
    noise: float = 0.0
    batch: int = 64


def outputs(layers: list, x: np.ndarray) -> np.ndarray:
    """The network's outputs for a batch."""
    for layer in layers:
        x = layer.forward(x)
    return x


def train(
    layers: list, x: np.ndarray, labels: np.ndarray, recipe: Recipe, rng: np.random.Generator
) -> None:
    """Train in place, then round every parameter to float32 (the stored value)."""
    parameters = [p for layer in layers for p in layer.parameters]
    moments = [[np.zeros_like(p) for p in parameters] for _ in range(2)]
    count = 0
    for _ in range(recipe.epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), recipe.batch):
            chosen = order[start : start + recipe.batch]
            batch = x[chosen] + recipe.noise * rng.uniform(-1, 1, x[chosen].shape)
            z = outputs(layers, batch)
            p = np.exp(z - z.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            p[np.arange(len(chosen)), labels[chosen]] -= 1.0
            gradient = p / len(chosen)
            for layer in reversed(layers):
                gradient = layer.backward(gradient)
            count += 1
            gradients = [g for layer in layers for g in layer.gradients]
            _adam(parameters, gradients, moments, count, recipe)
    for p in parameters:
        p[...] = p.astype(np.float32)


def _adam(
    parameters: Parameters, gradients: Parameters, moments: list, count: int, recipe: Recipe
) -> None:
    mean, square = moments
    for p, g, m, v in zip(parameters, gradients, mean, square, strict=True):
        g = g + recipe.decay * p
        m *= 0.9
        m += 0.1 * g
        v *= 0.999
        v += 0.001 * g * g
        p -= recipe.step * (m / (1 - 0.9**count)) / (np.sqrt(v / (1 - 0.999**count)) + 1e-8)
