"""Records of a proof as they are written, one a line (docs/proof-format.md)."""

from __future__ import annotations

from relucert.proof.records import (
    BoundRecord,
    CaseRecord,
    CloseRecord,
    EmptyRecord,
    EndRecord,
    InputSplitRecord,
    IntervalRecord,
    LeafRecord,
    NeuronRecord,
    Record,
    RefuteRecord,
    ReluSplitRecord,
    Signed,
    Slopes,
    Weights,
)

__all__ = ["format_dyadic", "text_of"]


def text_of(record: Record) -> str:
    """The line of a record, without its end."""
    match record:
        case CaseRecord(index):
            return f"case {index}"
        case EndRecord(count):
            return f"end {count}"
        case EmptyRecord():
            return "e"
        case IntervalRecord():
            return "i"
        case InputSplitRecord(index, value):
            return f"x {index} {value.hex()}"
        case ReluSplitRecord(layer, neuron):
            return f"r {layer} {neuron}"
        case NeuronRecord(layer, neuron, side):
            return f"n {layer} {neuron}{'+' if side > 0 else '-'}"
        case _:
            return _with_lists(record)


def _with_lists(record: BoundRecord | RefuteRecord | LeafRecord | CloseRecord) -> str:
    match record:
        case BoundRecord(slopes):
            return "b" + _slopes(slopes)
        case RefuteRecord(unsafe, weights):
            return f"d {unsafe} w {_dyadics(weights)}"
        case LeafRecord(slopes, betas):
            return "v" + _slopes(slopes) + _betas(betas)
        case CloseRecord(unsafe, weights, slopes, betas):
            return f"c {unsafe} w {_dyadics(weights)}" + _slopes(slopes) + _betas(betas)


def format_dyadic(value: float) -> str:
    """A finite float64 so that `parse_dyadic` reads back the same number."""
    numerator, denominator = value.as_integer_ratio()
    exponent = 1 - denominator.bit_length()
    if exponent == 0 and numerator:
        exponent = (numerator & -numerator).bit_length() - 1
        numerator >>= exponent
    return f"{numerator}p{exponent}"


def _slopes(slopes: Slopes) -> str:
    text = ""
    for layer, values in sorted(slopes.items()):
        if isinstance(values, bytes):
            text += f" a{layer} :{values.hex()}"
        elif values:
            text += f" a{layer} " + ",".join(f"{n}={m}" for n, m in sorted(values.items()))
    return text


def _betas(betas: Signed) -> str:
    return "".join(
        f" s{layer} {_dyadics(values)}" for layer, values in sorted(betas.items()) if values
    )


def _dyadics(values: Weights) -> str:
    return ",".join(f"{index}={format_dyadic(value)}" for index, value in sorted(values.items()))
