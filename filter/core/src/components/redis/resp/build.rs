//! Replies from bytes that [`super::scan`] has found to be whole.

use super::Reply;
use super::scan::{Element, read_element};

/// The reply at `at`, and where the next one begins.
///
/// # Errors
/// Says what is not RESP2.
pub(super) fn build(bytes: &[u8], at: usize) -> Result<(Reply, usize), String> {
    let Some((element, after)) = read_element(bytes, at)? else {
        return Err("a reply that ends before its end".to_owned());
    };
    match element {
        Element::Line(mark, text) => Ok((line(mark, text)?, after)),
        Element::Nil => Ok((Reply::Nil, after)),
        Element::Bytes(count) => {
            let (content, end) = bytes.get(after..).unwrap_or_default().split_at_checked(count).unwrap_or_default();
            if !end.starts_with(b"\r\n") {
                return Err("a string that does not end where it should".to_owned());
            }
            Ok((Reply::Bulk(content.to_vec()), after + count + 2))
        }
        // As deep as arrays may lie in arrays, which the scan has looked at.
        Element::Array(count) => array(bytes, after, count),
    }
}

fn array(bytes: &[u8], mut at: usize, count: usize) -> Result<(Reply, usize), String> {
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        let (item, after) = build(bytes, at)?;
        items.push(item);
        at = after;
    }
    Ok((Reply::Array(items), at))
}

#[inline(never)]
fn line(mark: u8, text: &[u8]) -> Result<Reply, String> {
    match mark {
        b'+' => Ok(Reply::Status(text.to_vec())),
        b'-' => Ok(Reply::Error(String::from_utf8_lossy(text).into_owned())),
        _ => {
            let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
            number.map(Reply::Integer).ok_or_else(|| "a number that is none".to_owned())
        }
    }
}
