//! Which new traces are sampled.

use crate::config::Problem;

/// The setting `samplingRate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// `"0"`: tracing is off, as in Dapr.
    Off,
    /// `"1"`: every new trace.
    All,
    /// A share of the new traces: those whose id, read as a number of 63 bits, is below this.
    Below(u64),
}

const BILLION: u64 = 1_000_000_000;
const WHOLE: u64 = (1 << 63) / BILLION;
const REST: u64 = (1 << 63) % BILLION;

impl Sampling {
    /// Reads a decimal fraction from `0` to `1`, such as `0.25`; of more than nine decimal places nine count.
    ///
    /// # Errors
    /// What was found and what is allowed, as a mistake in the plugin configuration.
    #[inline(never)]
    pub fn parse(text: &str) -> Result<Self, Problem> {
        match billionths(text) {
            Some(0) => Ok(Self::Off),
            Some(BILLION) => Ok(Self::All),
            Some(share) if share < BILLION => {
                // share * 2^63 / 10^9, where 2^63 is WHOLE * 10^9 + REST.
                Ok(Self::Below(share * WHOLE + share * REST / BILLION))
            }
            _ => Err(Problem::new(
                "$.tracing.samplingRate",
                format!("is {text:?}"),
                "write a decimal fraction from 0 to 1, such as 0.25",
            )),
        }
    }

    /// Whether a new trace of this id is sampled; the same for every span of it, whoever asks.
    pub fn takes(&self, trace_id: &[u8; 16]) -> bool {
        match self {
            Self::Off => false,
            Self::All => true,
            Self::Below(limit) => {
                let low = trace_id.last_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
                low >> 1 < *limit
            }
        }
    }
}

fn billionths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    if !has_digits || !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') || fraction.contains('.') {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut share = whole.checked_mul(BILLION)?;
    let mut place = BILLION / 10;
    for digit in fraction.bytes() {
        share = share.checked_add(u64::from(digit - b'0').checked_mul(place)?)?;
        place /= 10;
    }
    // A fraction too small for nine places is not "off".
    let is_tiny = share == 0 && fraction.bytes().any(|digit| digit != b'0');
    Some(if is_tiny { 1 } else { share })
}
