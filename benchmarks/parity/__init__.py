"""Everything that Keras or PyTorch has too, beside them: ``python -m benchmarks.parity`` (``make parity``).

Read in this order: ``cases`` (what a case is, how two things are compared), the tables of cases (``layers`` with the
rows of ``windows``, ``sequences``, ``images``, ``parts``, ``losses``, ``metrics``, ``rates``, ``decisions``),
``pytorch`` (the same in PyTorch's words), ``names`` (which names have no counterpart, which differences are meant),
``report``.
"""
