//! `baggage`: values that an application sends along with a trace.

use crate::http::Headers;

/// Whether every `baggage` field is as it should be: members apart by commas, each a key, `=`, a value and properties
/// (W3C Baggage, 3.3.1). Empty fields are no fault.
#[inline(never)]
pub fn is_sound(headers: &Headers) -> bool {
    let mut fields = headers.all("baggage").filter(|field| !field.trim_ascii().is_empty());
    fields.all(|field| field.split(|byte| *byte == b',').all(is_member))
}

fn is_member(member: &[u8]) -> bool {
    let mut parts = member.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let has_value = |part: &[u8]| {
        let end = part.iter().position(|byte| *byte == b'=')?;
        Some(is_key(part.get(..end)?.trim_ascii_end()) && is_value(part.get(end + 1..)?.trim_ascii_start()))
    };
    parts.next().and_then(has_value).unwrap_or(false)
        && parts.all(|part| has_value(part).unwrap_or_else(|| is_key(part)))
}

/// A token of RFC 9110.
fn is_key(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn is_value(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        rest = match (first, tail) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => after,
            (b'%' | b'"' | b'\\', _) => return false,
            (byte, _) if byte.is_ascii_graphic() => tail,
            _ => return false,
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn baggage_is_held_against_its_grammar() {
        for sound in ["", "a=1", "a=1,b=2", " a = 1 ; p ; q=2 , b=", "key%=%C3%A9", "a==b"] {
            assert!(is_sound(&Headers::new().with("baggage", sound)), "{sound:?}");
        }
        for broken in ["a", "=1", "a=1,", "a b=1", "a=1 2", "a=\"1\"", "a=%zz", "a=1;;b", "a=\u{e9}", "a=b\\c"] {
            assert!(!is_sound(&Headers::new().with("baggage", broken)), "{broken:?}");
        }
        assert!(!is_sound(&Headers::new().with("baggage", "a=1").with("baggage", "b")));
    }
}
