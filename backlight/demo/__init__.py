"""The main job, small enough to read: a network that learns handwritten digits, and one step of it explained."""

from __future__ import annotations
