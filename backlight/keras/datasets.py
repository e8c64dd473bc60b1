"""Published data sets: ``mnist.load_data()`` and its like."""

from backlight.data import cifar10, fashion_mnist, mnist

__all__ = ["cifar10", "fashion_mnist", "mnist"]
