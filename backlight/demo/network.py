"""The demo's network: two layers in plain NumPy, as anyone would write them.

    x (n, pixels) → x @ W1 + b1 → sigmoid → @ W2 + b2 → scores (n, classes)

Backlight is asked for two functions that NumPy does not have, the sigmoid and a logarithm of a sum of exponentials
that cannot overflow. Everything else is NumPy, and nothing here says anything about gradients.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import backlight

__all__ = ["accuracy", "cross_entropy", "initial_parameters", "network", "probabilities"]

Parameters = dict[str, Any]


def initial_parameters(rng: np.random.Generator, pixels: int, hidden: int = 32, classes: int = 10) -> Parameters:
    """Small random weights: each layer's outputs start about as large as its inputs. Biases start at 0."""
    return {
        "W1": rng.normal(size=(pixels, hidden)) / np.sqrt(pixels),
        "b1": np.zeros(hidden),
        "W2": rng.normal(size=(hidden, classes)) / np.sqrt(hidden),
        "b2": np.zeros(classes),
    }


def network(parameters: Parameters, x: Any) -> Any:
    """The scores of the ten digits for every image: the higher, the more the network believes in that digit."""
    z = x @ parameters["W1"] + parameters["b1"]
    h = backlight.sigmoid(z)
    scores = h @ parameters["W2"] + parameters["b2"]
    return scores


def cross_entropy(parameters: Parameters, x: Any, labels: Any) -> Any:
    """The mean surprise: −log softmax(scores) at the right digit, which is logsumexp(scores) − the right score."""
    scores = network(parameters, x)
    total = backlight.logsumexp(scores, axis=1)
    right = scores[np.arange(len(labels)), labels]
    loss = np.mean(total - right)
    return loss


def probabilities(parameters: Parameters, x: Any) -> Any:
    """softmax(scores): what the network believes, as shares that sum to 1."""
    scores = network(parameters, x)
    share = np.exp(scores - scores.max(axis=1, keepdims=True))
    return share / share.sum(axis=1, keepdims=True)


def accuracy(parameters: Parameters, x: Any, labels: Any) -> float:
    """The share of images whose highest score is that of the right digit."""
    return float(np.mean(np.argmax(network(parameters, x), axis=1) == labels))
