//! Hash slots of a Redis Cluster (Redis' cluster specification, "Key distribution model").

/// How many there are.
const SLOTS: u16 = 16_384;

/// The slot of a key. Keys with the same part in braces have the same one.
pub(super) fn of(key: &[u8]) -> u16 {
    crc16(tag(key)) % SLOTS
}

/// What is hashed: what stands between the first `{` and the next `}`, unless that is nothing; else the key.
fn tag(key: &[u8]) -> &[u8] {
    let place = |bytes: &[u8], wanted: u8| bytes.iter().position(|byte| *byte == wanted);
    let after = place(key, b'{').and_then(|open| key.get(open + 1..)).unwrap_or_default();
    let between = place(after, b'}').and_then(|close| after.get(..close)).unwrap_or_default();
    if between.is_empty() { key } else { between }
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let mixed = crc ^ (u16::from(*byte) << 8);
        (0..8).fold(mixed, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        // As `CLUSTER KEYSLOT` of Redis 7 says.
        for (key, slot) in [("", 0), ("foo", 12_182), ("bar", 5_061), ("somekey", 11_058)] {
            assert_eq!(of(key.as_bytes()), slot, "{key}");
        }
    }

    #[test]
    fn keys_with_the_same_part_in_braces_are_together() {
        let tag = |key: &'static str| std::str::from_utf8(tag(key.as_bytes())).unwrap();
        for (key, expected) in [
            ("orders||{cart}1", "cart"),
            ("{cart}", "cart"),
            ("a{}b", "a{}b"),
            ("a{}{b}", "a{}{b}"),
            ("a{b", "a{b"),
            ("a}b{c}d", "c"),
            ("a{{b}}c", "{b"),
            ("a{b}{c}", "b"),
        ] {
            assert_eq!(tag(key), expected, "{key}");
        }
    }
}
