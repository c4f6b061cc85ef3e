//! Where a reply ends, before it is decoded: bounds its size and depth, and tells how many bytes are missing.
//!
//! A value of several MiB comes in hundreds of pieces; without the number of missing bytes each piece would
//! be decoded in vain. A reply above the bound is walked through without being kept.

use super::{MAX_DEPTH, MAX_REPLY};

/// The longest status or error line, in bytes.
const MAX_LINE: usize = 64 * 1024;
/// The fewest bytes that an element of an array takes.
const MIN_ELEMENT: usize = 3;

/// What the front of the bytes is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// A whole reply of that many bytes.
    Whole(usize),
    /// The beginning of a reply that has at least that many bytes.
    Partial { needed: usize },
    /// The beginning of a reply that is larger than what is kept.
    TooLarge,
}

/// Finds the end of the first reply.
///
/// # Errors
/// Says what is not RESP2 or nested too deep.
#[inline(never)]
pub(super) fn scan(bytes: &[u8]) -> Result<Scan, String> {
    let mut open = Open::default();
    let mut at = 0;
    loop {
        let (element, after) = match read_element(bytes, at)? {
            Some(found) => found,
            None => return Ok(partial(bytes.len() + 1 + open.least_bytes_after())),
        };
        at = after;
        match element {
            Element::Line(..) | Element::Nil => {}
            Element::Bytes(count) => {
                at = at.saturating_add(count).saturating_add(2);
                if at > bytes.len() {
                    return Ok(partial(at.saturating_add(open.least_bytes_after())));
                }
            }
            Element::Array(count) => {
                open.enter(count)?;
                if open.least_bytes() > MAX_REPLY {
                    return Ok(Scan::TooLarge);
                }
                if count > 0 {
                    continue;
                }
            }
        }
        if open.leave() {
            return Ok(if at > MAX_REPLY { Scan::TooLarge } else { Scan::Whole(at) });
        }
    }
}

fn partial(needed: usize) -> Scan {
    if needed > MAX_REPLY { Scan::TooLarge } else { Scan::Partial { needed } }
}

/// A place within a reply that is not kept.
#[derive(Default)]
pub(super) struct Skip {
    open: Open,
    /// Bytes of a string that are still to come, with its line end.
    missing: usize,
}

impl Skip {
    /// Goes on through `bytes`: how many of them belong to the reply, and whether it ends there. A line that is not
    /// whole yet counts as none.
    ///
    /// # Errors
    /// Says what is not RESP2 or nested too deep.
    #[inline(never)]
    pub(super) fn over(&mut self, bytes: &[u8]) -> Result<(usize, bool), String> {
        let mut at = 0;
        loop {
            if self.missing > 0 {
                let some = self.missing.min(bytes.len() - at);
                at += some;
                self.missing -= some;
                if self.missing > 0 {
                    return Ok((at, false));
                }
            } else {
                let Some((element, after)) = read_element(bytes, at)? else {
                    return Ok((at, false));
                };
                at = after;
                match element {
                    Element::Line(..) | Element::Nil => {}
                    Element::Bytes(count) => {
                        self.missing = count.saturating_add(2);
                        continue;
                    }
                    Element::Array(count) => {
                        self.open.enter(count)?;
                        if count > 0 {
                            continue;
                        }
                    }
                }
            }
            if self.open.leave() {
                return Ok((at, true));
            }
        }
    }
}

/// The arrays that have begun and not ended: how many elements each still lacks.
#[derive(Default)]
struct Open {
    missing: [usize; MAX_DEPTH],
    depth: usize,
}

impl Open {
    fn enter(&mut self, count: usize) -> Result<(), String> {
        if count == 0 {
            return Ok(());
        }
        let Some(slot) = self.missing.get_mut(self.depth) else {
            return Err(format!("arrays nested deeper than {MAX_DEPTH}"));
        };
        *slot = count;
        self.depth += 1;
        Ok(())
    }

    /// Counts one element as read. True once everything is.
    fn leave(&mut self) -> bool {
        while let Some(above) = self.depth.checked_sub(1) {
            let Some(missing) = self.missing.get_mut(above) else {
                return true;
            };
            *missing = missing.saturating_sub(1);
            if *missing > 0 {
                return false;
            }
            self.depth = above;
        }
        true
    }

    /// The fewest bytes that still have to come after the element under way.
    fn least_bytes_after(&self) -> usize {
        let begun = usize::from(self.depth > 0) * MIN_ELEMENT;
        self.least_bytes().saturating_sub(begun)
    }

    fn least_bytes(&self) -> usize {
        let open = self.missing.get(..self.depth).unwrap_or_default();
        let elements = open
            .iter()
            .rev()
            .enumerate()
            // The outer arrays already count the inner one as missing.
            .map(|(level, missing)| missing.saturating_sub(usize::from(level > 0)))
            .fold(0_usize, usize::saturating_add);
        elements.saturating_mul(MIN_ELEMENT)
    }
}

/// What the line before an element says.
pub(super) enum Element<'a> {
    /// A status (`+`), an error (`-`) or a number (`:`), by this mark, and its text.
    Line(u8, &'a [u8]),
    Nil,
    /// That many bytes and a line end follow.
    Bytes(usize),
    /// That many elements follow.
    Array(usize),
}

/// Reads the line at `at`: what it announces and where the next byte is. `None` if the line has no end yet.
pub(super) fn read_element(bytes: &[u8], at: usize) -> Result<Option<(Element<'_>, usize)>, String> {
    let rest = bytes.get(at..).unwrap_or_default();
    let Some((mark, line)) = rest.split_first() else {
        return Ok(None);
    };
    if !matches!(mark, b'+' | b'-' | b':' | b'$' | b'*') {
        return Err(format!("a reply cannot begin with byte {mark}"));
    }
    let within = line.get(..MAX_LINE).unwrap_or(line);
    let Some(end) = within.iter().position(|byte| *byte == b'\n') else {
        if line.len() >= MAX_LINE {
            return Err(format!("a line of more than {MAX_LINE} bytes"));
        }
        return Ok(None);
    };
    let Some((b'\r', text)) = line.get(..end).and_then(<[u8]>::split_last) else {
        return Err("a line that does not end with CR and LF".to_owned());
    };
    let element = match mark {
        b'$' => count(text)?.map_or(Element::Nil, Element::Bytes),
        b'*' => count(text)?.map_or(Element::Nil, Element::Array),
        mark => Element::Line(*mark, text),
    };
    Ok(Some((element, at + 1 + end + 1)))
}

/// A length; `None` for -1, which is nil.
fn count(text: &[u8]) -> Result<Option<usize>, String> {
    if text == b"-1" {
        return Ok(None);
    }
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<usize>().ok());
    number.map(Some).ok_or_else(|| "a length that is no number".to_owned())
}
