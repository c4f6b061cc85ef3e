//! Decimal numbers as doubles.
//!
//! The library's reader takes a module more than ten kilobytes. This one gives the nearest double too for what people
//! write: up to nineteen digits, and up to nineteen places before or after the point. Beyond that a last bit may differ.

use std::cmp::Ordering;

/// How many bytes of a text are a number: digits, perhaps a point with digits, perhaps an exponent. It has no sign.
pub(super) fn length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let mut length = digits(0);
    let places = if bytes.get(length) == Some(&b'.') { digits(length + 1) } else { 0 };
    if places > 0 {
        length += 1 + places;
    }
    if let Some(b'e' | b'E') = bytes.get(length) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}

/// The double of a decimal number, perhaps with `-` before it.
#[inline(never)]
pub(super) fn double(text: &str) -> f64 {
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, ""));
    let mut scale = exponent_of(exponent);
    let (mut digits, mut is_full, mut after_point) = (0_u64, false, false);
    for byte in number.bytes() {
        if byte == b'.' {
            after_point = true;
        } else if byte.is_ascii_digit() {
            let next = digits.checked_mul(10).and_then(|it| it.checked_add(u64::from(byte - b'0')));
            is_full |= next.is_none();
            // A digit for which there is no room counts for the size alone.
            digits = next.filter(|_| !is_full).unwrap_or(digits);
            scale = scale.saturating_add(i32::from(is_full)).saturating_sub(i32::from(after_point));
        }
    }
    let size = scaled(digits, scale);
    if text.starts_with('-') { -size } else { size }
}

/// An exponent; one that is too large for its kind is as good as a very large one.
fn exponent_of(text: &str) -> i32 {
    let far = if text.starts_with('-') { i32::MIN / 2 } else { i32::MAX / 2 };
    if text.is_empty() { 0 } else { text.parse::<i32>().map_or(far, |exponent| exponent.clamp(-far.abs(), far.abs())) }
}

/// The largest power of ten below 2^64.
const MOST: u32 = 19;

/// `digits` times ten to the power of `scale`.
fn scaled(digits: u64, scale: i32) -> f64 {
    if digits == 0 {
        return 0.0;
    }
    let near = scale.unsigned_abs().min(MOST);
    let power = 10_u64.pow(near);
    let mut size = if scale >= 0 { (u128::from(digits) * u128::from(power)) as f64 } else { divided(digits, power) };
    for _ in near..scale.unsigned_abs().min(700) {
        size = if scale >= 0 { size * 10.0 } else { size / 10.0 };
    }
    size
}

/// The double that is nearest to a quotient: enough of its bits, and one more that says whether there is a rest.
fn divided(digits: u64, by: u64) -> f64 {
    let shift = digits.leading_zeros();
    let dividend = u128::from(digits << shift) << 64;
    let by = u128::from(by);
    let quotient = (dividend / by) | u128::from(dividend % by != 0);
    // A power of two takes nothing from the precision.
    let unit = f64::from_bits(u64::from(1023 - 64 - shift) << 52);
    quotient as f64 * unit
}

/// Compares a whole number with a double, exactly; `None` for not-a-number.
pub(super) fn compare(whole: i64, double: f64) -> Option<Ordering> {
    const TOO_LARGE: f64 = 9_223_372_036_854_775_808.0;
    if double.is_nan() {
        None
    } else if double >= TOO_LARGE {
        Some(Ordering::Less)
    } else if double < -TOO_LARGE {
        Some(Ordering::Greater)
    } else {
        let near = double as i64;
        Some(whole.cmp(&near).then_with(|| 0.0.partial_cmp(&(double - near as f64)).unwrap_or(Ordering::Equal)))
    }
}

/// The whole number that a double is, if it is one.
pub(super) fn whole(double: f64) -> Option<i64> {
    let near = double as i64;
    (compare(near, double) == Some(Ordering::Equal)).then_some(near)
}
