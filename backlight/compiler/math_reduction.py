"""The remainder of large angles by π/2, with as many digits of 2/π as they need (Payne & Hanek, 1983).

x · 2/π modulo 4 needs only those digits of 2/π whose products with x are neither multiples of 4 nor too small: 192
bits, wherever the point of x stands. The product is one of integers, and so the whole number of quarters is exact.
"""

from __future__ import annotations

from backlight.compiler.ir import Module, lanes, scalar

__all__ = ["angle_reduction"]

# The digits of 2/π after the point, 64 bits a word, after a word of zeros.
_DIGITS = (
    0x0000000000000000,
    0xA2F9836E4E441529,
    0xFC2757D1F534DDC0,
    0xDB6295993C439041,
    0xFE5163ABDEBBC561,
    0xB7246E3A424DD2E0,
    0x06492EEA09D1921C,
    0xFE1DEB1CB129A73E,
    0xE88235F52EBB4484,
    0xE99C7026B45F7E41,
    0x3991D639835339F4,
    0x9C845F8BBDF9283B,
    0x1FF897FFDE05980F,
    0xEF2F118B5A0A6D1F,
    0x6D367ECF27CB09B7,
    0x4F463F669E5FEA2D,
    0x7527BAC7EBE5F17B,
    0x3D0739F78A5292EA,
    0x6BFB5FB11F8D5D08,
    0x56033046FC7B6BAB,
    0xF0CFBC209AF4361D,
)

_REDUCTION = """
define { i64, double, double } @k.reduce_angle(double %x) #0 {
  ; x = m · 2^e; three words of digits from where they begin to count
  %bits = bitcast double %x to i64
  %exponent.field = lshr i64 %bits, 52
  %exponent = and i64 %exponent.field, 2047
  %fraction = and i64 %bits, 4503599627370495
  %m = or i64 %fraction, 4503599627370496
  %from = call i64 @llvm.usub.sat.i64(i64 %exponent, i64 1013)  ; of small x, which nobody wants, anything
  %word = lshr i64 %from, 6
  %shift = and i64 %from, 63
  %p0 = getelementptr i64, ptr @k.two_over_pi, i64 %word
  %p1 = getelementptr i64, ptr %p0, i64 1
  %p2 = getelementptr i64, ptr %p0, i64 2
  %p3 = getelementptr i64, ptr %p0, i64 3
  %w0 = load i64, ptr %p0, align 8
  %w1 = load i64, ptr %p1, align 8
  %w2 = load i64, ptr %p2, align 8
  %w3 = load i64, ptr %p3, align 8
  %f0 = call i64 @llvm.fshl.i64(i64 %w0, i64 %w1, i64 %shift)
  %f1 = call i64 @llvm.fshl.i64(i64 %w1, i64 %w2, i64 %shift)
  %f2 = call i64 @llvm.fshl.i64(i64 %w2, i64 %w3, i64 %shift)
  ; turns = m · (f0 f1 f2), its upper 128 of 192 bits: two of whole quarters, 126 of the fraction
  %m.wide = zext i64 %m to i128
  %f0.wide = zext i64 %f0 to i128
  %f1.wide = zext i64 %f1 to i128
  %f2.wide = zext i64 %f2 to i128
  %t0 = mul i128 %m.wide, %f0.wide
  %t0.up = shl i128 %t0, 64
  %t1 = mul i128 %m.wide, %f1.wide
  %t2 = mul i128 %m.wide, %f2.wide
  %t2.down = lshr i128 %t2, 64
  %t01 = add i128 %t0.up, %t1
  %t = add i128 %t01, %t2.down
  ; to the nearest quarter; what remains is a signed fraction of 128 bits
  %rest = shl i128 %t, 2
  %below = icmp slt i128 %rest, 0
  %quarter.wide = lshr i128 %t, 126
  %quarter = trunc i128 %quarter.wide to i64
  %carry = zext i1 %below to i64
  %nearest = add i64 %quarter, %carry
  %size = call i128 @llvm.abs.i128(i128 %rest, i1 false)
  ; its 53 leading bits and the 63 after them as two numbers
  %zeros.wide = call i128 @llvm.ctlz.i128(i128 %size, i1 false)
  %zeros = trunc i128 %zeros.wide to i64
  %lifted = shl i128 %size, %zeros.wide
  %h.wide = lshr i128 %lifted, 75
  %h = trunc i128 %h.wide to i64
  %l.wide = lshr i128 %lifted, 12
  %l.long = trunc i128 %l.wide to i64
  %l = and i64 %l.long, 9223372036854775807
  %h.float = sitofp i64 %h to double
  %l.float = sitofp i64 %l to double
  %h.field = sub i64 970, %zeros
  %h.bits = shl i64 %h.field, 52
  %h.scale = bitcast i64 %h.bits to double
  %l.field = sub i64 907, %zeros
  %l.bits = shl i64 %l.field, 52
  %l.scale = bitcast i64 %l.bits to double
  %high = fmul double %h.float, %h.scale
  %low = fmul double %l.float, %l.scale
  ; times π/2, in two parts
  %r = fmul double %high, 0x3FF921FB54442D18
  %r.minus = fneg double %r
  %lost = call double @llvm.fma.f64(double %high, double 0x3FF921FB54442D18, double %r.minus)
  %second = call double @llvm.fma.f64(double %high, double 0x3C91A62633145C07, double %lost)
  %r.low = call double @llvm.fma.f64(double %low, double 0x3FF921FB54442D18, double %second)
  %minus = icmp slt i64 %bits, 0
  %flip = xor i1 %minus, %below
  %r.negative = fneg double %r
  %r.low.negative = fneg double %r.low
  %r.signed = select i1 %flip, double %r.negative, double %r
  %r.low.signed = select i1 %flip, double %r.low.negative, double %r.low
  %n.negative = sub i64 0, %nearest
  %n = select i1 %minus, i64 %n.negative, i64 %nearest
  %a = insertvalue { i64, double, double } poison, i64 %n, 0
  %b = insertvalue { i64, double, double } %a, double %r.signed, 1
  %c = insertvalue { i64, double, double } %b, double %r.low.signed, 2
  ret { i64, double, double } %c
}
"""


# One lane after the other. Marked cold, so that registers are not saved where there is no large angle.
_LANES = """
define void @{name}(ptr %x, ptr %turns, ptr %r, ptr %low) cold #0 {{
entry:
  br label %lane
lane:
  %i = phi i64 [ 0, %entry ], [ %next, %lane ]
  %x.place = getelementptr {kind}, ptr %x, i64 %i
  %turns.place = getelementptr {integer}, ptr %turns, i64 %i
  %r.place = getelementptr {kind}, ptr %r, i64 %i
  %low.place = getelementptr {kind}, ptr %low, i64 %i
  %one = load {kind}, ptr %x.place
  %wide = {extend}
  %found = call {{ i64, double, double }} @k.reduce_angle(double %wide)
  %n = extractvalue {{ i64, double, double }} %found, 0
  %high = extractvalue {{ i64, double, double }} %found, 1
  %rest = extractvalue {{ i64, double, double }} %found, 2
{store}
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, {count}
  br i1 %more, label %lane, label %done
done:
  ret void
}}
"""
_STORE = {
    "float": """  %n.short = trunc i64 %n to i32
  %high.short = fptrunc double %high to float
  store i32 %n.short, ptr %turns.place
  store float %high.short, ptr %r.place""",
    "double": """  store i64 %n, ptr %turns.place
  store double %high, ptr %r.place
  store double %rest, ptr %low.place""",
}


def angle_reduction(module: Module, kind: str) -> str:
    """The name of a function ``(x, turns, r, low)`` of four places for vectors of ``kind``: x = turns · π/2 + r + low.

    Single precision has no ``low``. Nothing sensible comes of angles that are not large.
    """
    if module.first_use("k.reduce_angle"):
        _write_one(module)
    one, count = scalar(kind), lanes(kind)
    name = f"k.reduce_angles.{one}.{count}"
    if module.first_use(name):
        extend = "fpext float %one to double" if one == "float" else "fadd double %one, -0.0"
        integer = "i32" if one == "float" else "i64"
        text = _LANES.format(
            name=name, kind=one, integer=integer, extend=extend, store=_STORE[one], count=max(count, 1)
        )
        module.functions.append(text.strip())
    return name


def _write_one(module: Module) -> None:
    digits = ", ".join(f"i64 {word - (1 << 64) if word >> 63 else word}" for word in _DIGITS)
    module.constants["k.two_over_pi"] = f"@k.two_over_pi = private constant [{len(_DIGITS)} x i64] [{digits}]"
    for declared in (
        "i64 @llvm.fshl.i64(i64, i64, i64)",
        "i64 @llvm.usub.sat.i64(i64, i64)",
        "i128 @llvm.abs.i128(i128, i1)",
        "i128 @llvm.ctlz.i128(i128, i1)",
        "double @llvm.fma.f64(double, double, double)",
    ):
        module.declared[declared.split("@")[1].split("(")[0]] = f"declare {declared}"
    module.functions.append(_REDUCTION.strip())
