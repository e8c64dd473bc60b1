"""``python -m benchmarks``: prints the tables of the README, measured here and now."""

from __future__ import annotations

from benchmarks.engine import measure


def main() -> None:
    print("| training step | contender | best µs | median µs | of autograd's time | allowed |")
    print("|---|---|---|---|---|---|")
    for row, timings in measure():
        peer = timings.get("autograd")
        for name, timing in timings.items():
            ratio = f"{timing.ratio(peer):.2f}" if peer else "not installed"
            allowed = f"{row.allowed:.1f}" if name == "Backlight" else ""
            print(f"| {row.name} | {name} | {timing.best:.0f} | {timing.median:.0f} | {ratio} | {allowed} |")


if __name__ == "__main__":
    main()
