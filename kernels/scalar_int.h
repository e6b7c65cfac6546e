// SPDX-License-Identifier: Apache-2.0
// Template body (scalar.h): int, uint and bool functions. Integers wrap; x / 0 and x mod 0 are 0.

// Wraps in two's complement: signed overflow is undefined in C, so the work is done unsigned.
WEIR_FN VI VN(add_i)(VI a, VI b)
{
    return U_TO_I(I_TO_U(a) + I_TO_U(b));
}

WEIR_FN VI VN(sub_i)(VI a, VI b)
{
    return U_TO_I(I_TO_U(a) - I_TO_U(b));
}

WEIR_FN VI VN(mul_i)(VI a, VI b)
{
    return U_TO_I(I_TO_U(a) * I_TO_U(b));
}

WEIR_FN VI VN(neg_i)(VI a)
{
    return U_TO_I(KU(0) - I_TO_U(a));
}

WEIR_FN VI VN(abs_i)(VI a)
{
    return a < 0 ? VN(neg_i)(a) : a;
}

WEIR_FN VI VN(square_i)(VI a)
{
    return VN(mul_i)(a, a);
}

WEIR_FN VI VN(sign_i)(VI a)
{
    return a < 0 ? KI(-1) : (a > 0 ? KI(1) : KI(0));
}

// Quotient truncated toward zero; INT_MIN / -1 wraps to INT_MIN.
WEIR_FN VI VN(div_i)(VI a, VI b)
{
    VI safe = ((b == 0) | (b == -1)) ? KI(1) : b;
    VI q = a / safe;
    q = b == -1 ? VN(neg_i)(a) : q;
    return b == 0 ? KI(0) : q;
}

// Floored: the result has the sign of b, or is 0.
WEIR_FN VI VN(mod_i)(VI a, VI b)
{
    VI safe = ((b == 0) | (b == -1)) ? KI(1) : b;
    VI r = a % safe;
    r = ((r != 0) & ((r ^ b) < 0)) ? r + b : r;
    return ((b == 0) | (b == -1)) ? KI(0) : r;
}

WEIR_FN VI VN(min_i)(VI a, VI b)
{
    return a < b ? a : b;
}

WEIR_FN VI VN(max_i)(VI a, VI b)
{
    return a > b ? a : b;
}

WEIR_FN VI VN(eq_i)(VI a, VI b)
{
    return a == b;
}

WEIR_FN VI VN(ne_i)(VI a, VI b)
{
    return a != b;
}

WEIR_FN VI VN(lt_i)(VI a, VI b)
{
    return a < b;
}

WEIR_FN VI VN(le_i)(VI a, VI b)
{
    return a <= b;
}

WEIR_FN VI VN(gt_i)(VI a, VI b)
{
    return a > b;
}

WEIR_FN VI VN(ge_i)(VI a, VI b)
{
    return a >= b;
}

WEIR_FN VI VN(and_i)(VI a, VI b)
{
    return a & b;
}

WEIR_FN VI VN(or_i)(VI a, VI b)
{
    return a | b;
}

WEIR_FN VI VN(xor_i)(VI a, VI b)
{
    return a ^ b;
}

// Shift counts are taken mod 32; the right shift of an int keeps the sign.
WEIR_FN VI VN(shl_i)(VI a, VI b)
{
    return U_TO_I(I_TO_U(a) << (I_TO_U(b) & 31u));
}

WEIR_FN VI VN(shr_i)(VI a, VI b)
{
    return a >> (b & 31);
}

WEIR_FN VI VN(select_i)(VI c, VI a, VI b)
{
    return c ? a : b;
}

WEIR_FN VU VN(add_u)(VU a, VU b)
{
    return a + b;
}

WEIR_FN VU VN(sub_u)(VU a, VU b)
{
    return a - b;
}

WEIR_FN VU VN(mul_u)(VU a, VU b)
{
    return a * b;
}

WEIR_FN VU VN(square_u)(VU a)
{
    return a * a;
}

WEIR_FN VU VN(div_u)(VU a, VU b)
{
    VU q = a / (b == 0u ? KU(1) : b);
    return b == 0u ? KU(0) : q;
}

WEIR_FN VU VN(mod_u)(VU a, VU b)
{
    return a % (b == 0u ? KU(1) : b);
}

WEIR_FN VU VN(min_u)(VU a, VU b)
{
    return a < b ? a : b;
}

WEIR_FN VU VN(max_u)(VU a, VU b)
{
    return a > b ? a : b;
}

WEIR_FN VI VN(eq_u)(VU a, VU b)
{
    return a == b;
}

WEIR_FN VI VN(ne_u)(VU a, VU b)
{
    return a != b;
}

WEIR_FN VI VN(lt_u)(VU a, VU b)
{
    return a < b;
}

WEIR_FN VI VN(le_u)(VU a, VU b)
{
    return a <= b;
}

WEIR_FN VI VN(gt_u)(VU a, VU b)
{
    return a > b;
}

WEIR_FN VI VN(ge_u)(VU a, VU b)
{
    return a >= b;
}

WEIR_FN VU VN(and_u)(VU a, VU b)
{
    return a & b;
}

WEIR_FN VU VN(or_u)(VU a, VU b)
{
    return a | b;
}

WEIR_FN VU VN(xor_u)(VU a, VU b)
{
    return a ^ b;
}

WEIR_FN VU VN(shl_u)(VU a, VU b)
{
    return a << (b & 31u);
}

WEIR_FN VU VN(shr_u)(VU a, VU b)
{
    return a >> (b & 31u);
}

WEIR_FN VU VN(select_u)(VI c, VU a, VU b)
{
    return c ? a : b;
}

// Bools. Both operands are canonical (0 and 1, or lanes 0 and -1), so bit operations keep them so.
WEIR_FN VI VN(and_b)(VI a, VI b)
{
    return a & b;
}

WEIR_FN VI VN(or_b)(VI a, VI b)
{
    return a | b;
}

WEIR_FN VI VN(xor_b)(VI a, VI b)
{
    return a ^ b;
}

WEIR_FN VI VN(not_b)(VI a)
{
    return a == 0;
}

WEIR_FN VI VN(eq_b)(VI a, VI b)
{
    return a == b;
}

WEIR_FN VI VN(ne_b)(VI a, VI b)
{
    return a != b;
}

WEIR_FN VI VN(select_b)(VI c, VI a, VI b)
{
    return c ? a : b;
}

WEIR_FN VI VN(not_i)(VI a)
{
    return ~a;
}

WEIR_FN VU VN(not_u)(VU a)
{
    return ~a;
}

// In memory a bool is an uchar 0 or 1.
WEIR_FN VI VN(load_bool)(VO x)
{
    return TO_I(x) != 0;
}

WEIR_FN VO VN(store_bool)(VI b)
{
    return TO_O(b ? KI(1) : KI(0));
}

WEIR_FN VU VN(i2u)(VI x)
{
    return I_TO_U(x);
}

WEIR_FN VI VN(u2i)(VU x)
{
    return U_TO_I(x);
}

WEIR_FN VI VN(b2i)(VI b)
{
    return b ? KI(1) : KI(0);
}

WEIR_FN VU VN(b2u)(VI b)
{
    return b ? KU(1) : KU(0);
}

WEIR_FN VI VN(i2b)(VI x)
{
    return x != 0;
}

WEIR_FN VI VN(u2b)(VU x)
{
    return x != 0u;
}

// i8 is a storage type: widened on load, wrapped on store.
WEIR_FN VI VN(i8_to_i32)(VC x)
{
    return TO_I(x);
}

WEIR_FN VC VN(i32_to_i8)(VI x)
{
    VI low = ((x & 255) ^ 128) - 128;
    return TO_C(low);
}
