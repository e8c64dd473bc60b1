"""``fit`` itself, whole epochs with shuffling, metrics and progress, beside Keras, scikit-learn and PyTorch loops.

``jobs`` says what is trained; ``contenders`` who trains it, each in a process of its own (``worker``); ``suite`` lets
them take turns; ``results`` and ``report`` say how long an epoch takes, what ``fit`` adds to the compiled steps, and
how much memory a process needed; ``streaming`` trains on more data than are held at once.
"""
