//! Where the breakers of one target stand: one value that all workers share, with one breaker for each host, the one that
//! was used last at the end.
//!
//! `format u8 | entries`, each `phase u8 | until u64 | 5 counts u32 | length u16 | authority`, little-endian.

use super::breaker::{Counts, Phase, State};
use crate::config::CircuitBreaker;
use crate::host::Host;

const FORMAT: u8 = 1;
/// Bytes of an entry before its authority's length.
const STATE: usize = 29;
/// Other workers that change the same breakers at the same moment are let by this often; then what was to be written is
/// lost, which a breaker can bear and a request should not wait for.
const TRIES: usize = 32;

/// Changes the breaker of one host. `change` is called again where another worker was faster; it gets the time in
/// milliseconds.
#[inline(never)]
pub(super) fn change(
    host: &dyn Host,
    shelf: &str,
    authority: &str,
    rules: &CircuitBreaker,
    change: &mut dyn FnMut(&mut State, u64),
) {
    let now = u64::try_from(host.now().as_millis()).unwrap_or(u64::MAX);
    for _ in 0..TRIES {
        let (value, version) = host.shared_get(shelf);
        let mut others = entries(value.as_deref().unwrap_or_default());
        let found = others.iter().position(|(_, name)| *name == authority.as_bytes());
        let is_last = found.is_some_and(|at| at + 1 == others.len());
        let before = found.map(|at| decode(others.remove(at).0)).unwrap_or_default();
        let mut state = before;
        change(&mut state, now);
        // What stays as and where it is need not be written, nor one that says nothing.
        if state == before && (is_last || found.is_none()) {
            return;
        }
        let room = usize::try_from(rules.cache_size.max(1) - 1).unwrap_or(usize::MAX);
        let mut written = vec![FORMAT];
        for (state, name) in others.iter().skip(others.len().saturating_sub(room)) {
            put(&mut written, state, name);
        }
        put(&mut written, &encode(&state), authority.as_bytes());
        if host.shared_set(shelf, &written, version).is_ok() {
            return;
        }
    }
}

fn put(out: &mut Vec<u8>, state: &[u8; STATE], name: &[u8]) {
    let Ok(length) = u16::try_from(name.len()) else { return };
    out.extend_from_slice(state);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(name);
}

/// States and authorities. What another release has written counts as nothing.
#[inline(never)]
fn entries(value: &[u8]) -> Vec<(&[u8; STATE], &[u8])> {
    let mut entries = Vec::new();
    let mut rest = value.strip_prefix(&[FORMAT]).unwrap_or_default();
    while let Some((state, name, after)) = entry(rest) {
        entries.push((state, name));
        rest = after;
    }
    entries
}

fn entry(rest: &[u8]) -> Option<(&[u8; STATE], &[u8], &[u8])> {
    let (state, rest) = rest.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (name, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    Some((state, name, rest))
}

#[inline(never)]
fn encode(state: &State) -> [u8; STATE] {
    let mut out = [0; STATE];
    let counts = state.counts.all().map(u32::to_le_bytes);
    let fields = [&[state.phase as u8][..], &state.until.to_le_bytes(), counts.as_flattened()];
    for (place, byte) in out.iter_mut().zip(fields.into_iter().flatten()) {
        *place = *byte;
    }
    out
}

#[inline(never)]
fn decode(bytes: &[u8; STATE]) -> State {
    let [phase, fields @ ..] = bytes;
    let (until, counts) = fields.split_first_chunk().unwrap_or((&[0; 8], &[]));
    let mut words = counts.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word));
    let phase = [Phase::Closed, Phase::Open, Phase::HalfOpen].into_iter().find(|known| *known as u8 == *phase);
    State {
        phase: phase.unwrap_or_default(),
        until: u64::from_le_bytes(*until),
        counts: Counts::of(std::array::from_fn(|_| words.next().unwrap_or_default())),
    }
}
