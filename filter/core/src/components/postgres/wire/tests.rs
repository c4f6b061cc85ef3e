//! What is made of a server's bytes, and what a new connection says to it.

use super::*;
use crate::fake::FakeHost;
use crate::host::LogLevel;
use postgres_protocol::message::backend::Message;

fn wire() -> Wire {
    let login =
        Login { user: "u".to_owned(), password: Some("p".to_owned()), database: "d".to_owned(), ..Login::default() };
    let schema = Schema { prefix: String::new(), metadata: "dapr_metadata".to_owned() };
    Wire::new(Runtime::new(FakeHost::new(), LogLevel::Info), Rc::new(login), Rc::new(schema))
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[kind][..], &size, body].concat()
}

fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

fn refusal(severity: &str, code: &str) -> Vec<u8> {
    message(b'E', format!("S{severity}\0V{severity}\0C{code}\0Mit is so\0Dsecret detail\0\0").as_bytes())
}

fn data_row(columns: &[Option<&[u8]>]) -> Vec<u8> {
    let mut body = u16::try_from(columns.len()).unwrap().to_be_bytes().to_vec();
    for column in columns {
        match column {
            None => body.extend_from_slice(&(-1_i32).to_be_bytes()),
            Some(bytes) => {
                body.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
                body.extend_from_slice(bytes);
            }
        }
    }
    message(b'D', &body)
}

/// All replies in the bytes, which come `step` at a time.
fn replies(wire: &Wire, bytes: &[u8], step: usize) -> Result<Vec<Reply>, String> {
    let (mut buffer, mut found) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(step) {
        buffer.extend_from_slice(piece);
        while !buffer.is_empty() {
            match wire.decode(&buffer)? {
                Decoded::Whole { reply, used } => {
                    found.push(reply);
                    buffer.drain(..used);
                }
                Decoded::Skipped { used } => drop(buffer.drain(..used)),
                Decoded::Partial { needed } => {
                    assert!(needed > buffer.len(), "asking again now would be useless");
                    break;
                }
            }
        }
    }
    assert!(buffer.is_empty(), "nothing is left over");
    Ok(found)
}

fn outcome(reply: Reply) -> Outcome {
    match reply {
        Reply::Ready(outcome) => *outcome,
        Reply::Demand(demand) => panic!("a demand: {demand:?}"),
    }
}

/// A connection that is in service.
fn in_service() -> Wire {
    let wire = wire();
    wire.greeting();
    for _ in 0..2 {
        wire.greet_on(Reply::Ready(Box::default())).unwrap();
    }
    wire
}

#[test]
fn a_reply_is_the_same_however_its_bytes_are_cut() {
    let row = data_row(&[Some(b"value"), None, Some(b"")]);
    let parts = [
        message(b'2', b""),
        row,
        data_row(&[Some(b"second")]),
        message(b'C', b"SELECT 2\0"),
        message(b'2', b""),
        message(b'N', b"SNOTICE\0\0"),
        message(b'C', b"INSERT 0 1\0"),
        ready(),
        message(b'S', b"TimeZone\0UTC\0"),
        refusal("ERROR", "23505"),
        refusal("ERROR", "25P02"),
        ready(),
    ];
    let bytes = parts.concat();
    // A library takes them for messages, too.
    let mut theirs = bytes::BytesMut::from(&bytes[..]);
    while Message::parse(&mut theirs).unwrap().is_some() {}
    assert!(theirs.is_empty());
    for step in 1..=bytes.len() {
        let mut found = replies(&in_service(), &bytes, step).unwrap().into_iter().map(outcome);
        let (first, second) = (found.next().unwrap(), found.next().unwrap());
        assert_eq!(first.row, Some(vec![Some(b"value".to_vec()), None, Some(Vec::new())]));
        assert_eq!((first.counts.as_slice(), first.refusal), (&[2, 1][..], None));
        let refusal = second.refusal.expect("a refusal");
        assert_eq!((refusal.code.as_str(), refusal.to_string().as_str()), ("23505", "it is so (23505)"));
        assert!(found.next().is_none());
    }
}

#[test]
fn bytes_that_are_not_the_protocol_end_the_connection() {
    for bytes in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"Z\0\0\0\x03",
        b"D\0\0\0\x05\0",
        b"\x01\0\0\0\x04",
        b"Z\xff\xff\xff\xff",
    ] {
        assert!(replies(&in_service(), bytes, bytes.len()).is_err(), "{bytes:?}");
    }
    let short = [&b"D"[..], &10_u32.to_be_bytes(), &[0, 1, 0, 0, 0, 9]].concat();
    assert!(replies(&in_service(), &short, 99).is_err(), "a column longer than its row");
}

#[test]
fn a_row_that_is_too_large_is_passed_over_and_the_next_reply_is_whole() {
    let wire = in_service();
    let size = MAX_MESSAGE + 100;
    let header = [&b"D"[..], &u32::try_from(size).unwrap().to_be_bytes()].concat();
    assert_eq!(wire.decode(&header), Ok(Decoded::Skipped { used: HEADER }));
    let mut left = size - 4;
    let piece = vec![b'x'; 1024 * 1024];
    while left > 0 {
        let Ok(Decoded::Skipped { used }) = wire.decode(&piece) else { panic!("bytes of the row") };
        left -= used;
    }
    let found =
        replies(&wire, &[message(b'C', b"SELECT 1\0"), ready(), message(b'C', b"DELETE 7\0"), ready()].concat(), 3);
    let found: Vec<_> = found.unwrap().into_iter().map(outcome).collect();
    assert!(found[0].too_large && found[0].row.is_none());
    assert!(!found[1].too_large && found[1].counts == [7]);
}

#[test]
fn a_connection_that_the_server_ends_is_given_up_with_its_words() {
    let why = replies(&in_service(), &refusal("FATAL", "57P01"), 9).unwrap_err();
    assert_eq!(why, "PostgreSQL has ended it: it is so (57P01)");
}

#[test]
fn a_new_connection_logs_in_and_prepares_its_statements() {
    let wire = wire();
    let startup = wire.greeting().concat();
    assert!(startup.windows(9).any(|part| part == b"user\0u\0da"));
    let found = replies(&wire, &message(b'R', &[0, 0, 0, 3]), 99).unwrap().remove(0);
    assert_eq!(wire.greet_on(found), Ok(vec![b"p\0\0\0\x06p\0".to_vec()]));
    let let_in = [message(b'R', &[0, 0, 0, 0]), message(b'K', &[0; 8]), ready()].concat();
    let found = replies(&wire, &let_in, 4).unwrap().remove(0);
    let prepared = wire.greet_on(found).unwrap().concat();
    assert!(prepared.starts_with(b"P") && prepared.ends_with(b"S\0\0\0\x04"), "statements, and one sync");
    assert_eq!(wire.greet_on(Reply::Ready(Box::default())), Ok(Vec::new()), "in service");
}

#[test]
fn tables_that_are_missing_are_made_once_and_then_the_statements_are_prepared_again() {
    let refused = |code: &str| {
        let found = replies(&in_service(), &[refusal("ERROR", code), ready()].concat(), 50).unwrap().remove(0);
        Reply::Ready(Box::new(outcome(found)))
    };
    let wire = wire();
    wire.greeting();
    let prepare = wire.greet_on(Reply::Ready(Box::default())).unwrap();
    let migrate = wire.greet_on(refused("42P01")).unwrap().concat();
    assert!(migrate.starts_with(b"Q") && migrate.ends_with(b"DEALLOCATE ALL\0"));
    assert_eq!(wire.greet_on(Reply::Ready(Box::default())), Ok(prepare));
    let why = wire.greet_on(refused("42P01")).unwrap_err();
    assert_eq!(why, "PostgreSQL refused the statements for the tables: it is so (42P01)");

    wire.greeting();
    wire.greet_on(Reply::Ready(Box::default())).unwrap();
    wire.greet_on(refused("42P01")).unwrap();
    let why = wire.greet_on(refused("42501")).unwrap_err();
    assert!(why.starts_with("PostgreSQL refused to make the tables: it is so (42501); let the user"), "{why}");
    wire.greeting();
    let why = wire.greet_on(refused("28P01")).unwrap_err();
    assert!(why.contains("check user, password, database and sslmode"), "{why}");
}
