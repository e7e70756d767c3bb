"""The network as SVG: inputs with their weights, two neurons, one output, numbers at a point."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from reductions.explaining.story import Story
from reductions.explaining.svg import pixels, text
from reductions.explaining.wording import coordinate, coordinate_value, literal_name, number

__all__ = ["draw_network"]

_SIDES = ("one", "two")
_INPUT_X, _NEURON_X, _OUTPUT_X, _RADIUS = 142, 262, 362, 26
_WEIGHT_X = (86, 126)
_TOP, _NEURONS_HEIGHT, _NEURON_DISTANCE = 30, 236, 68


@dataclass(frozen=True)
class _Layout:
    """Where things are: inputs from top to bottom, ``step`` apart, the neurons in the middle."""

    inputs: int
    step: int
    width: int = 392

    @classmethod
    def of(cls, story: Story) -> _Layout:
        """Closer together the more inputs there are."""
        inputs = 2 * story.variables
        return cls(inputs, 30 if inputs <= 14 else 22 if inputs <= 30 else 16)

    @property
    def height(self) -> float:
        return _TOP + max(self.step * self.inputs, _NEURONS_HEIGHT)

    @property
    def middle(self) -> float:
        return (_TOP + self.height) / 2

    def input(self, index: int) -> float:
        return self.middle + self.step * (index + 0.5 - self.inputs / 2)

    def neuron(self, side: int) -> float:
        return self.middle + (_NEURON_DISTANCE if side else -_NEURON_DISTANCE)


def draw_network(story: Story, shown: int) -> str:
    """The network of the page's first assignment, with its numbers at point ``shown``."""
    layout = _Layout.of(story)
    state, values = story.start.points[shown], dict(story.points[shown].coordinates)
    return "\n".join(
        [
            f'<svg class="net{"" if layout.step > 16 else " dense"}" '
            f'viewBox="0 0 {layout.width} {pixels(layout.height)}" role="img" '
            'aria-label="The network: one input for each literal, two neurons, one output; the '
            'weights stand beside the inputs">',
            text(6, 18, "input", "head"),
            text(_WEIGHT_X[0], 18, "to z₁", "head one", "end"),
            text(_WEIGHT_X[1], 18, "to z₂", "head two", "end"),
            *(_input(story, layout, literal, values.get(literal)) for literal in story.literals),
            *(
                _neuron(layout, side, neuron.bias, value)
                for side, (neuron, value) in enumerate(
                    zip(story.start.neurons, state.pre_activations, strict=True)
                )
            ),
            _output(layout, state.output),
            "</svg>",
        ]
    )


def _input(story: Story, layout: _Layout, literal: int, value: Fraction | None) -> str:
    """A literal: its name, its two weights, its circle with the point's value, its two lines."""
    index = coordinate(literal)
    y = layout.input(index)
    own = (literal in story.start.own[0], literal in story.start.own[1])
    styles = [f"{name} own" if mine else name for name, mine in zip(_SIDES, own, strict=True)]
    lines = "".join(
        f'<line class="edge {style}" x1="{_INPUT_X + 8}" y1="{pixels(y)}" '
        f'x2="{_NEURON_X - _RADIUS}" y2="{pixels(layout.neuron(side))}"/>'
        for side, style in enumerate(styles)
    )
    weights = "".join(
        text(_WEIGHT_X[side], y + 4, _signed(neuron.weights[index]), f"w {styles[side]}", "end")
        for side, neuron in enumerate(story.start.neurons)
    )
    shown = "" if value is None else coordinate_value(value)
    return (
        f'<g class="input{" fed" if shown else ""}" data-e="l:{index}">'
        f'<rect x="2" y="{pixels(y - layout.step / 2 + 1)}" width="{_INPUT_X + 10}" '
        f'height="{layout.step - 2}" rx="4"/>{lines}'
        f"{text(6, y + 4, literal_name(literal, story.helper), 'literal')}{weights}"
        f'<circle cx="{_INPUT_X}" cy="{pixels(y)}" r="7"/>'
        f"{text(_INPUT_X, y + 3.5, shown, 'value', 'middle')}</g>"
    )


def _neuron(layout: _Layout, side: int, bias: Fraction, value: Fraction) -> str:
    y = layout.neuron(side)
    fires = " fires" if value > 0 else ""
    return (
        f'<line class="out" x1="{_NEURON_X + _RADIUS}" y1="{pixels(y)}" '
        f'x2="{_OUTPUT_X - _RADIUS}" y2="{pixels(layout.middle)}"/>'
        + text(
            (_NEURON_X + _OUTPUT_X) / 2,
            (y + layout.middle) / 2 + (24 if side else -14),
            "−1",
            "bias",
            "middle",
        )
        + f'<g class="neuron {_SIDES[side]}{fires}" id="neuron{side + 1}">'
        + _circle(_NEURON_X, y, f"z{'₁₂'[side]}", number(value))
        + text(_NEURON_X, y + (44 if side else -34), _signed(bias), "bias", "middle")
        + "</g>"
    )


def _output(layout: _Layout, value: Fraction) -> str:
    y = layout.middle
    return (
        f'<g class="neuron output" id="output">{_circle(_OUTPUT_X, y, "F", number(value))}'
        f"{text(_OUTPUT_X, y + 44, '+1', 'bias', 'middle')}</g>"
    )


def _circle(x: float, y: float, name: str, value: str) -> str:
    """A neuron with its name and, below it, its value."""
    return (
        f'<circle cx="{pixels(x)}" cy="{pixels(y)}" r="{_RADIUS}"/>'
        f"{text(x, y - 3, name, '', 'middle')}{text(x, y + 13, value, 'value', 'middle')}"
    )


def _signed(value: Fraction) -> str:
    return ("+" if value > 0 else "") + number(value)
