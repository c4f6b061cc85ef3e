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
    pub(super) flags: u8,
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

impl TraceContext {
    /// The `traceparent` value, version 00.
    #[inline(never)]
    pub fn text(&self) -> [u8; 55] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        let flags = [self.flags];
        let parts = [(3..35, self.trace_id.as_slice()), (36..52, self.span_id.as_slice()), (53..55, flags.as_slice())];
        for (place, bytes) in parts {
            write_hex(text.get_mut(place).unwrap_or_default(), bytes);
        }
        text
    }
}

/// The `traceparent` value, version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

fn write_hex(text: &mut [u8], bytes: &[u8]) {
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        if let [high, low] = pair {
            *high = digit(byte >> 4);
            *low = digit(byte & 15);
        }
    }
}

/// Lower-case hexadecimal digits as bytes.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    read_hex(&mut bytes, digits)?;
    Some(bytes)
}

#[inline(never)]
fn read_hex(bytes: &mut [u8], digits: &[u8]) -> Option<()> {
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
    Some(())
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
