"""scikit-learn's ``MLPClassifier`` with the same sizes, batches and optimiser; each ``fit`` begins anew."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.fit.jobs import Job

__all__ = ["Classifier"]


class Classifier:
    """Never done before ``max_iter`` epochs; it tells the loss of every one, and no accuracy."""

    def __init__(self, job: Job) -> None:
        (self.x,), y = job.data()
        self.y = np.ravel(y).astype(np.int64)
        workload = job.workload
        self.options = {
            "hidden_layer_sizes": workload.model.sizes[1:-1],
            "activation": "relu" if workload.model.hidden == "relu" else "logistic",
            "solver": workload.optimiser,
            "batch_size": workload.batch,
            "learning_rate_init": workload.rate,
            "alpha": 0.0,
            "tol": 0.0,
            "n_iter_no_change": 10**9,
            "verbose": True,
        } | ({"momentum": 0.0} if workload.optimiser == "sgd" else {})

    def epochs(self, count: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged
            MLPClassifier(max_iter=count, **self.options).fit(self.x, self.y)
