"""Pictures (the only room that imports matplotlib)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from relucert.errors import FileError
from relucert.exact import nearest_float
from relucert.radius_bracket import RadiusBracket

__all__ = ["plot_radii"]

_FORMATS = (".png", ".svg", ".pdf")


def plot_radii(path: str | Path, brackets: Sequence[RadiusBracket], title: str) -> None:
    """A histogram of robustness radii with the share of points that is robust at each radius.

    Brackets that are open are drawn at their proved lower end and said so. The format follows
    the file name's ending (.png, .svg, .pdf). Raises FileError when it cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in _FORMATS:
        raise FileError(path, f"unknown picture format; use {', '.join(_FORMATS)}")
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    radii = sorted(nearest_float(bracket.lower) for bracket in brackets)
    open_count = sum(not bracket.closed for bracket in brackets)
    figure, axis = plt.subplots(figsize=(7, 4.2), layout="constrained")
    bins = max(5, min(30, len(radii) // 3))
    axis.hist(radii, bins=bins, color="#4477aa", edgecolor="white", label="points")
    axis.set_xlabel("robustness radius (l∞)")
    axis.set_ylabel("points")
    axis.set_title(title, loc="left")
    share = axis.twinx()
    steps = [0.0, *radii]
    shares = [100.0 * sum(r >= x for r in radii) / max(len(radii), 1) for x in steps]
    share.step(steps, shares, where="post", color="#cc6677", label="robust at this radius")
    share.set_ylabel("certified points (%)")
    share.set_ylim(0, 105)
    if open_count:
        axis.set_xlabel(
            f"robustness radius (l∞); {open_count} open brackets drawn at their lower end"
        )
    handles = [*axis.get_legend_handles_labels()[0], *share.get_legend_handles_labels()[0]]
    share.legend(handles, [str(handle.get_label()) for handle in handles], loc="upper right")
    temporary = path.with_name(f".{path.name}.part")
    try:
        figure.savefig(temporary, dpi=150, format=path.suffix.lower()[1:])
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise FileError(path, f"cannot be written ({error.strerror or error})") from None
    finally:
        plt.close(figure)
