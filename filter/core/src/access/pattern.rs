//! Patterns of paths: `*` stands for any part of one segment, `**` for any part of the path. They have the form that paths
//! are judged in, with letters of ASCII in lower case.

use crate::api::path;
use crate::config::Operation;

/// A pattern, from a path as it stands in a URL, with or without the first slash. One that no path can have stays as it
/// is and fits none.
pub(crate) fn normal(written: &str) -> String {
    let mut pattern = path::method_path(written).unwrap_or_else(|_| written.to_owned());
    pattern.make_ascii_lowercase();
    pattern
}

/// Operations in the order in which they are to be tried: the more specific a pattern is, the earlier. Those without
/// stars come first, then those that have their first star later, then `*` before `**`.
#[inline(never)]
pub(crate) fn in_order(operations: Vec<Operation>) -> Vec<Operation> {
    let mut sorted: Vec<Operation> = Vec::with_capacity(operations.len());
    for operation in operations {
        let own = rank(&operation.name);
        let at = sorted.iter().position(|known| rank(&known.name) < own).unwrap_or(sorted.len());
        sorted.insert(at, operation);
    }
    sorted
}

fn rank(pattern: &str) -> usize {
    let bytes = pattern.as_bytes();
    match bytes.iter().position(|byte| *byte == b'*') {
        Some(at) => 2 * at + usize::from(bytes.get(at + 1) != Some(&b'*')),
        None => usize::MAX,
    }
}

/// A star: where the pattern goes on after it, and where in the path the last try of what it stands for ended.
#[derive(Clone, Copy)]
struct Star<'a> {
    pattern: &'a [u8],
    path: &'a [u8],
}

/// Whether a path fits. Goes through both at once: where they part, the last `*` takes one byte more; where that is a slash,
/// the last `**` does. So it takes no longer than the product of both lengths and the path's segments.
#[inline(never)]
pub(crate) fn fits(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.as_bytes(), path.as_bytes());
    let (mut one, mut many): (Option<Star<'_>>, Option<Star<'_>>) = (None, None);
    loop {
        match (pattern, path) {
            ([b'*', b'*', rest @ ..], _) => {
                pattern = rest;
                (one, many) = (None, Some(Star { pattern, path }));
            }
            ([b'*', rest @ ..], _) => {
                pattern = rest;
                one = Some(Star { pattern, path });
            }
            ([], []) => return true,
            ([wanted, rest @ ..], [byte, after @ ..]) if *wanted == byte.to_ascii_lowercase() => {
                (pattern, path) = (rest, after);
            }
            _ => {
                one = one.and_then(|star| star.grown(false));
                many = if one.is_none() { many.and_then(|star| star.grown(true)) } else { many };
                let Some(star) = one.or(many) else { return false };
                (pattern, path) = (star.pattern, star.path);
            }
        }
    }
}

impl<'a> Star<'a> {
    /// The same with one byte of the path more, if it may have that.
    fn grown(self, crosses: bool) -> Option<Star<'a>> {
        match self.path {
            [b'/', ..] if !crosses => None,
            [_, path @ ..] => Some(Star { path, ..self }),
            [] => None,
        }
    }
}
