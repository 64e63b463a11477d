"""The chart in the README: requests per second of each side as a multiple of bare httpx's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

SHOWN = (10, 50)  # in flight; what bulk runs use
OURS, OTHERS, INK = "#1f6feb", "#c3c9d2", "#24292f"


def draw(
    file: Path, bars: Mapping[int, Mapping[str, float]], *, ours: Collection[str], unit: str
) -> None:
    """Write a PNG.

    Args:
        file: Where to.
        bars: For each number in flight, the multiple of each side.
        ours: The sides that stand out.
        unit: The side that all are multiples of.
    """
    # A dev dependency, and slow to import: only when a chart is asked for.
    import matplotlib as mpl  # noqa: PLC0415 - see above

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - see above

    shown = [number for number in SHOWN if number in bars]
    with plt.rc_context({"font.size": 9, "text.color": INK, "axes.labelcolor": INK}):
        figure, panels = plt.subplots(
            1, len(shown), figsize=(7.6, 2.5), sharey=True, squeeze=False, layout="constrained"
        )
        for panel, number in zip(panels[0], shown, strict=True):
            names = list(bars[number])[::-1]
            values = [bars[number][name] for name in names]
            drawn = panel.barh(
                names, values, color=[OURS if name in ours else OTHERS for name in names]
            )
            panel.bar_label(drawn, [f"{value:.1f}\u00d7" for value in values], padding=3)
            panel.set_title(f"{number} requests in flight", fontsize=9, color=INK)
            panel.set_xlim(0, 1.18 * max(values))
            panel.spines[["top", "right", "bottom", "left"]].set_visible(False)
            panel.tick_params(length=0, colors=INK)
            panel.set_xticks([])
        figure.supxlabel(f"requests per second, as a multiple of {unit}'s", fontsize=9, color=INK)
        figure.savefig(file, dpi=120, facecolor="white")
        plt.close(figure)
