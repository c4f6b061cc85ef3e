//! Base64 (RFC 4648, section 4), with padding. The usual crate takes a module seven kilobytes, most of it for speed.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends the text of bytes.
#[inline(never)]
pub(crate) fn encode(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let [first, second, third] = [0, 1, 2].map(|at| u32::from(group.get(at).copied().unwrap_or(0)));
        let bits = first << 16 | second << 8 | third;
        for at in 0..4 {
            let letter = ALPHABET.get((bits >> (18 - 6 * at) & 63) as usize).copied().unwrap_or(b'=');
            out.push(if at <= group.len() { letter } else { b'=' });
        }
    }
}

/// The bytes of a text; `None` if it is not Base64, not padded, or has bits that stand for nothing.
#[inline(never)]
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.iter().rev().take_while(|letter| **letter == b'=').count();
    let letters = text.get(..text.len() - padding)?;
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(letters.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0_u32, 0);
    for letter in letters {
        bits = bits << 6 | value(*letter)?;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xff) as u8);
        }
    }
    let rest = bits & ((1 << count) - 1);
    (rest == 0).then_some(out)
}

fn value(letter: u8) -> Option<u32> {
    let value = match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn every_length_is_written_and_read_as_another_library_does() {
        for length in 0..40 {
            let bytes: Vec<u8> = (0..length).map(|at: u8| at.wrapping_mul(91).wrapping_add(7) ^ 0x5a).collect();
            let mut text = Vec::new();
            encode(&mut text, &bytes);
            assert_eq!(text, STANDARD.encode(&bytes).into_bytes());
            assert_eq!(decode(&text), Some(bytes));
        }
        let every: Vec<u8> = (0..=255).collect();
        let mut text = Vec::new();
        encode(&mut text, &every);
        assert_eq!((decode(&text), STANDARD.encode(&every).into_bytes()), (Some(every), text));
    }

    #[test]
    fn a_text_is_refused_exactly_where_another_library_refuses_it() {
        let letters = b"Aa+/9Qz=-_ \n";
        let mut texts: Vec<Vec<u8>> = vec![Vec::new()];
        for _ in 0..4 {
            let longer: Vec<Vec<u8>> =
                texts.iter().flat_map(|text| letters.map(|letter| [text.as_slice(), &[letter]].concat())).collect();
            for text in &longer {
                assert_eq!(decode(text), STANDARD.decode(text).ok(), "{text:?}");
            }
            texts = longer;
        }
        for text in ["AAAAA===", "AAAA====", "AA==AAAA", "AAAAAA==", "AAAAAB==", "AAAAAAA=", "AAAAAAB="] {
            assert_eq!(decode(text.as_bytes()), STANDARD.decode(text).ok(), "{text}");
        }
    }
}
