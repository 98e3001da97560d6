#!/usr/bin/env python3
"""calc.py EXPRESSION... : exact arithmetic, one result a line."""
import ast, math, sys
from fractions import Fraction

MOST = 10_000  # characters of an expression, digits of a power


def number(value):
    return Fraction(value) if not isinstance(value, Fraction) else value


def power(base, exponent):
    if exponent.denominator != 1:
        return Fraction(float(base) ** float(exponent))
    size = max(abs(base.numerator), base.denominator, 2)
    if abs(exponent) * math.log10(size) > MOST:
        raise ValueError("that is too large")
    return base ** int(exponent)


def root(value):
    up, down = math.isqrt(max(value.numerator, 0)), math.isqrt(value.denominator)
    if up * up == value.numerator and down * down == value.denominator:
        return Fraction(up, down)
    return Fraction(math.sqrt(value))


FUNCTIONS = {
    "sqrt": root, "abs": abs, "min": min, "max": max, "sum": lambda *all: sum(all),
    "round": lambda value, digits=Fraction(0): Fraction(round(value, int(digits))),
    "floor": lambda value: Fraction(math.floor(value)), "ceil": lambda value: Fraction(math.ceil(value)),
} | {name: (lambda name: lambda *all: Fraction(getattr(math, name)(*map(float, all))))(name) for name in ("log", "exp", "sin", "cos", "tan")}
NAMES = {"pi": Fraction(math.pi), "e": Fraction(math.e)}
TWO = {
    ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b, ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: Fraction(a // b), ast.Mod: lambda a, b: a % b, ast.Pow: power,
}


def value_of(node, text):
    match node:
        case ast.Constant() if isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
            return Fraction(ast.get_source_segment(text, node).replace("_", ""))
        case ast.BinOp() if type(node.op) in TWO:
            return number(TWO[type(node.op)](value_of(node.left, text), value_of(node.right, text)))
        case ast.UnaryOp(op=ast.USub()):
            return -value_of(node.operand, text)
        case ast.UnaryOp(op=ast.UAdd()):
            return value_of(node.operand, text)
        case ast.Name() if node.id in NAMES:
            return NAMES[node.id]
        case ast.Call(func=ast.Name(id=name), keywords=[]) if name in FUNCTIONS:
            return number(FUNCTIONS[name](*[value_of(one, text) for one in node.args]))
    raise ValueError("that is no arithmetic that is known here")


def shown(value):
    if value.denominator == 1:
        return str(value.numerator)
    left = value.denominator
    for factor in (2, 5):
        while left % factor == 0:
            left //= factor
    # What came out of a root or a sine is a binary number: its digits beyond the fifteenth mean nothing.
    binary = value.denominator > 2**20 and value.denominator & (value.denominator - 1) == 0
    if left == 1 and value.denominator < 10**30 and not binary:
        digits = next(n for n in range(1, 200) if (10**n) % value.denominator == 0)
        whole = abs(value.numerator) * 10**digits // value.denominator
        text = str(whole).rjust(digits + 1, "0")
        return f"{'-' if value < 0 else ''}{text[:-digits]}.{text[-digits:]}"
    return f"{float(value):.15g}"


status = 0
for text in sys.argv[1:] or ["0"]:
    try:
        if len(text) > MOST:
            raise ValueError("that is too long")
        source = text.strip()
        print(f"{source} = {shown(value_of(ast.parse(source, mode='eval').body, source))}")
    except (ValueError, SyntaxError, ZeroDivisionError, OverflowError, TypeError, RecursionError) as wrong:
        print(f"{text}: {wrong}", file=sys.stderr)
        status = 1
sys.exit(status)
