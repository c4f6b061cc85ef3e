use super::*;

fn resp(password: Option<&str>, username: Option<&str>, database: u16) -> Resp {
    Resp::new(Login { username: username.map(str::to_owned), password: password.map(str::to_owned), database })
}

fn plain() -> Resp {
    resp(None, None, 0)
}

/// Feeds the bytes in pieces that end at the given places, as the link does.
fn decode_in_pieces(pieces: &[&[u8]]) -> (Vec<Reply>, usize) {
    let codec = plain();
    let (mut buffer, mut replies, mut attempts) = (Vec::new(), Vec::new(), 0);
    let mut least = 0;
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while !buffer.is_empty() && buffer.len() >= least {
            attempts += 1;
            match codec.decode(&buffer).expect("the bytes are RESP2") {
                Decoded::Whole { reply, used } => {
                    replies.push(reply);
                    buffer.drain(..used);
                    least = 0;
                }
                Decoded::Skipped { used } => {
                    assert!(used > 0, "something must have been skipped");
                    buffer.drain(..used);
                    least = 0;
                }
                Decoded::Partial { needed } => {
                    assert!(needed > buffer.len(), "a partial reply must want more");
                    least = needed;
                }
            }
        }
    }
    assert!(buffer.is_empty(), "bytes left over: {buffer:?}");
    (replies, attempts)
}

const MANY: &[u8] = b"+OK\r\n-ERR no\r\n:-42\r\n$5\r\na\r\nbc\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n*2\r\n*2\r\n$1\r\na\r\n*1\r\n:1\r\n*3\r\n*0\r\n$-1\r\n$3\r\nxyz\r\n:7\r\n";

fn many() -> Vec<Reply> {
    let bulk = |text: &str| Reply::Bulk(text.as_bytes().to_vec());
    vec![
        Reply::Status(b"OK".to_vec()),
        Reply::Error("ERR no".to_owned()),
        Reply::Integer(-42),
        bulk("a\r\nbc"),
        bulk(""),
        Reply::Nil,
        Reply::Nil,
        Reply::Array(Vec::new()),
        Reply::Array(vec![
            Reply::Array(vec![bulk("a"), Reply::Array(vec![Reply::Integer(1)])]),
            Reply::Array(vec![Reply::Array(Vec::new()), Reply::Nil, bulk("xyz")]),
        ]),
        Reply::Integer(7),
    ]
}

#[test]
fn every_kind_of_reply_is_decoded() {
    assert_eq!(decode_in_pieces(&[MANY]).0, many());
}

#[test]
fn replies_come_out_the_same_wherever_the_bytes_are_split() {
    for first in 0..=MANY.len() {
        for second in first..=MANY.len() {
            let pieces = [&MANY[..first], &MANY[first..second], &MANY[second..]];
            assert_eq!(decode_in_pieces(&pieces).0, many(), "split at {first} and {second}");
        }
    }
}

#[test]
fn replies_come_out_of_single_bytes() {
    let pieces = MANY.chunks(1).collect::<Vec<_>>();
    assert_eq!(decode_in_pieces(&pieces).0, many());
}

#[test]
fn a_large_value_is_looked_at_only_when_it_is_whole() {
    let value = vec![b'v'; 1 << 20];
    let mut bytes = format!("*2\r\n${}\r\n", value.len()).into_bytes();
    bytes.extend_from_slice(&value);
    bytes.extend_from_slice(b"\r\n$1\r\n7\r\n");
    let pieces = bytes.chunks(4096).collect::<Vec<_>>();
    let (replies, attempts) = decode_in_pieces(&pieces);
    assert_eq!(replies, [Reply::Array(vec![Reply::Bulk(value), Reply::Bulk(b"7".to_vec())])]);
    assert!(attempts <= 3, "decoded {attempts} times");
}

#[test]
fn what_is_not_the_protocol_is_an_error() {
    for bytes in [
        "HTTP/1.1 400 Bad Request\r\n",
        "$x\r\n",
        "$-2\r\n",
        "*99999999999999999999\r\n",
        "+no carriage return\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        ":12a\r\n",
        ":\r\n",
        "$1\r\nab\r\n",
        "*2\r\n$1\r\nabc$1\r\nx\r\n",
    ] {
        assert!(plain().decode(bytes.as_bytes()).is_err(), "{bytes:?}");
    }
    assert!(plain().decode(&vec![b'+'; 70_000]).is_err());
}

/// The pieces, and how many bytes the codec left for the next piece at most.
fn skip_in_pieces(pieces: &[&[u8]]) -> (Vec<Reply>, usize) {
    let codec = plain();
    let (mut buffer, mut replies, mut most) = (Vec::new(), Vec::new(), 0);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while !buffer.is_empty() {
            match codec.decode(&buffer).expect("the bytes are RESP2") {
                Decoded::Whole { reply, used } => {
                    replies.push(reply);
                    buffer.drain(..used);
                }
                Decoded::Skipped { used } => drop(buffer.drain(..used)),
                Decoded::Partial { .. } => break,
            }
        }
        most = most.max(buffer.len());
    }
    assert!(buffer.is_empty(), "bytes left over: {}", buffer.len());
    (replies, most)
}

#[test]
fn a_reply_above_the_bound_is_skipped_without_being_kept_and_the_next_ones_are_read() {
    let large = vec![b'\n'; MAX_REPLY];
    let string = [format!("${MAX_REPLY}\r\n").as_bytes(), &large, b"\r\n"].concat();
    let array = [b"*3\r\n*2\r\n$4\r\ndata\r\n", string.as_slice(), b"*0\r\n*1\r\n:1\r\n"].concat();
    let piece = [b"$40000\r\n", &large[..40_000], b"\r\n"].concat();
    let long = [b"*2000\r\n", piece.repeat(2000).as_slice()].concat();
    for reply in [string, array, long] {
        let all = [b"+OK\r\n", reply.as_slice(), b":7\r\n$1\r\nx\r\n"].concat();
        let wanted = [Reply::Status(b"OK".to_vec()), Reply::TooLarge, Reply::Integer(7), Reply::Bulk(b"x".to_vec())];
        for size in [all.len(), 1 << 20, 60_013] {
            let pieces = all.chunks(size).collect::<Vec<_>>();
            let (replies, most) = skip_in_pieces(&pieces);
            assert_eq!(replies, wanted, "in pieces of {size}");
            assert!(most <= MAX_REPLY, "{most} bytes were kept");
        }
    }
}

#[test]
fn a_new_connection_does_not_go_on_with_what_the_last_one_skipped() {
    let codec = plain();
    let begun = codec.decode(format!("${}\r\nxx", MAX_REPLY + 1).as_bytes());
    assert!(matches!(begun, Ok(Decoded::Skipped { .. })));
    assert!(codec.greeting().is_empty());
    assert_eq!(codec.decode(b":1\r\n"), Ok(Decoded::Whole { reply: Reply::Integer(1), used: 4 }));
}

#[test]
fn eight_levels_of_arrays_are_read() {
    let bytes = b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n";
    assert!(matches!(
        plain().decode(bytes),
        Ok(Decoded::Whole { used, .. }) if used == bytes.len()
    ));
}

#[test]
fn a_new_connection_logs_in_and_chooses_the_database() {
    assert!(plain().greeting().is_empty());
    assert_eq!(resp(Some("pw"), None, 0).greeting(), [b"*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n".to_vec()]);
    assert_eq!(
        resp(Some("pw"), Some("me"), 3).greeting(),
        [b"*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$2\r\npw\r\n".to_vec(), b"*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n".to_vec()]
    );
}

#[test]
fn a_refused_login_is_told_without_the_password() {
    let codec = resp(Some("s3cret"), None, 0);
    let error = |text: &str| codec.greet_on(Reply::Error(text.to_owned())).expect_err("a refusal");
    assert!(error("WRONGPASS invalid username-password pair").contains("invalid username"));
    for text in [
        "ERR unknown command `AUTH`, with args beginning with: `s3cret`",
        // Redis cuts the arguments after 128 bytes.
        "ERR unknown command 'AUTH', with args beginning with: 'me' 's3c",
        "s3cret is no command",
    ] {
        let told = error(text);
        assert!(told.contains(": ERR;") && !told.contains("s3c"), "{told}");
    }
    let plain = resp(None, None, 99).greet_on(Reply::Error("ERR anything".to_owned()));
    assert!(plain.expect_err("a refusal").contains("ERR anything"));
    assert_eq!(codec.greet_on(Reply::Status(b"OK".to_vec())), Ok(Vec::new()));
}

/// The same reply as another decoder, known to be right, reads it.
fn by_another(bytes: &[u8]) -> Option<(Reply, usize)> {
    use redis_protocol::resp2::decode::decode;
    use redis_protocol::resp2::types::OwnedFrame;
    fn own(frame: OwnedFrame) -> Reply {
        match frame {
            OwnedFrame::SimpleString(text) => Reply::Status(text),
            OwnedFrame::Error(text) => Reply::Error(text),
            OwnedFrame::Integer(number) => Reply::Integer(number),
            OwnedFrame::BulkString(bytes) => Reply::Bulk(bytes),
            OwnedFrame::Array(items) => Reply::Array(items.into_iter().map(own).collect()),
            OwnedFrame::Null => Reply::Nil,
        }
    }
    decode(bytes).ok().flatten().map(|(frame, used)| (own(frame), used))
}

#[test]
fn damaged_bytes_are_never_read_otherwise_than_by_another_decoder() {
    let mut random = 1_u32;
    let mut next = |below: usize| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 8) as usize % below
    };
    let (mut whole, alphabet) = (0, b"+-:$*\r\n0123x");
    for _ in 0..50_000 {
        let mut bytes = MANY.to_vec();
        bytes.drain(..[0, 5, 14, 20, 33, 39, 44, 49][next(8)]);
        for _ in 0..next(3) {
            let at = next(bytes.len());
            bytes[at] = alphabet[next(alphabet.len())];
        }
        if let Ok(Decoded::Whole { reply, used }) = plain().decode(&bytes) {
            whole += 1;
            let (wanted, length) = by_another(&bytes).expect("the other decoder takes it too");
            assert_eq!((reply, used), (wanted, length), "{:?}", String::from_utf8_lossy(&bytes));
        }
    }
    assert!(whole > 10_000, "{whole}");
}
