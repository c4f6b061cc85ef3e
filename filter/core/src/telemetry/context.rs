//! `traceparent`: trace id, span id and flags.

use super::Sampling;
use crate::host::Host;
use std::fmt;

/// The flag "the caller may have recorded trace data".
const SAMPLED: u8 = 1;
/// Flags that are known: sampled, and (W3C level 2) "the trace id is random". Others must be sent as zero.
const KNOWN_FLAGS: u8 = 3;

/// One span, as it is told to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// Number of the whole trace; never all zero.
    pub trace_id: [u8; 16],
    /// Number of the span; never all zero.
    pub span_id: [u8; 8],
    flags: u8,
}

impl TraceContext {
    /// Reads a `traceparent` value: `00-<32 hex>-<16 hex>-<2 hex>`, lower case. A version from `01` to `fe` may be
    /// longer after another `-`; version `ff`, ids of zeros and everything else give `None` (W3C Trace Context, 3.2).
    #[inline(never)]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let ([v1, v2, b'-'], rest) = value.split_first_chunk::<3>()? else { return None };
        let (trace_id, rest) = rest.split_first_chunk::<32>()?;
        let ([b'-'], rest) = rest.split_first_chunk::<1>()? else { return None };
        let (span_id, rest) = rest.split_first_chunk::<16>()?;
        let ([b'-', f1, f2], rest) = rest.split_first_chunk::<3>()? else { return None };
        let [version, flags] = hex(&[*v1, *v2, *f1, *f2])?;
        let end_is_right = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest.starts_with(b"-"),
        };
        let context = Self { trace_id: hex(trace_id)?, span_id: hex(span_id)?, flags: flags & KNOWN_FLAGS };
        (end_is_right && context.trace_id != [0; 16] && context.span_id != [0; 8]).then_some(context)
    }

    /// The first span of a new trace.
    pub fn start(sampling: &Sampling, host: &dyn Host) -> Self {
        let trace_id = random(host);
        let flags = if sampling.takes(&trace_id) { SAMPLED } else { 0 };
        Self { trace_id, span_id: random(host), flags }
    }

    /// A new span of the same trace.
    #[must_use]
    pub fn child(&self, host: &dyn Host) -> Self {
        Self { span_id: random(host), ..*self }
    }

    /// Whether spans of this trace are to be recorded.
    pub fn sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }
}

/// The `traceparent` value, version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(55);
        text.push_str("00-");
        push_hex(&mut text, &self.trace_id);
        text.push('-');
        push_hex(&mut text, &self.span_id);
        text.push('-');
        push_hex(&mut text, &[self.flags]);
        f.write_str(&text)
    }
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for value in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(value), 16).unwrap_or('0'));
        }
    }
}

/// Lower-case hexadecimal digits as bytes.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            *byte = *byte << 4 | value;
        }
    }
    Some(bytes)
}

/// Unpredictable bytes, not all zero.
fn random<const N: usize>(host: &dyn Host) -> [u8; N] {
    let mut bytes = [0; N];
    host.fill_random(&mut bytes);
    if bytes == [0; N] {
        bytes = [1; N];
    }
    bytes
}
