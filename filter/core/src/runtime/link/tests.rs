mod outage;

use super::*;
use crate::fake::FakeHost;
use crate::host::{HostError, LogLevel, Metric, TcpId};
use crate::runtime::Scope;
use std::cell::RefCell as Cell;

/// Lines that end with `\n`; one line, one reply.
struct Lines {
    password: Option<&'static str>,
}

impl Codec for Lines {
    type Reply = String;

    fn decode(&self, bytes: &[u8]) -> Result<Decoded<String>, String> {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            return Ok(Decoded::Partial { needed: bytes.len() + 1 });
        };
        let reply = std::str::from_utf8(&bytes[..end]).map_err(|error| error.to_string())?.to_owned();
        Ok(Decoded::Whole { reply, used: end + 1 })
    }

    fn greeting(&self) -> Vec<Vec<u8>> {
        self.password.iter().map(|password| format!("AUTH {password}\n").into_bytes()).collect()
    }

    fn greet_on(&self, reply: String) -> Result<Vec<Vec<u8>>, String> {
        match reply.as_str() {
            "OK" => Ok(Vec::new()),
            "MORE" => Ok(vec![b"PROVE\n".to_vec()]),
            _ => Err(format!("refused: {reply}")),
        }
    }
}

#[test]
fn a_greeting_may_ask_for_more_before_the_connection_is_in_service() {
    let setup = Setup::with_password(LinkSettings::default(), Some("p"));
    setup.send(Kind::Read, "GET");
    let tcp = setup.accept();
    assert_eq!(setup.host.take_sent(tcp), b"AUTH p\n");
    setup.runtime.on_tcp_data(tcp, b"MORE\n");
    assert_eq!(setup.host.take_sent(tcp), b"PROVE\n");
    assert!(!setup.link.is_up());
    setup.runtime.on_tcp_data(tcp, b"OK\n");
    assert!(setup.link.is_up());
    assert_eq!(setup.host.take_sent(tcp), b"GET\n");
}

type Outcomes = Vec<(&'static str, Result<String, LinkError>)>;

struct Setup {
    host: Rc<FakeHost>,
    runtime: Runtime,
    link: Link<Lines>,
    outcomes: Rc<Cell<Outcomes>>,
}

impl Setup {
    fn new(settings: LinkSettings) -> Self {
        Self::with_password(settings, None)
    }

    fn with_password(settings: LinkSettings, password: Option<&'static str>) -> Self {
        Self::with(settings, password, LogLevel::Debug)
    }

    fn at_level(level: LogLevel) -> Self {
        Self::with(LinkSettings::default(), None, level)
    }

    fn with(settings: LinkSettings, password: Option<&'static str>, level: LogLevel) -> Self {
        let host = FakeHost::new();
        let runtime = Runtime::new(host.clone(), level);
        let target = TcpTarget { link: "weft_link".to_owned(), backend: "backend".to_owned(), node: None };
        let link = Link::new(runtime.clone(), target, Lines { password }, settings);
        Self { host, runtime, link, outcomes: Rc::default() }
    }

    /// Sends a command whose outcome is noted under its own text.
    fn send(&self, kind: Kind, command: &'static str) {
        let answer = self.link.send(kind, format!("{command}\n").into_bytes());
        let outcomes = Rc::clone(&self.outcomes);
        self.runtime.spawn(Box::pin(async move {
            let outcome = answer.await;
            outcomes.borrow_mut().push((command, outcome));
        }));
        self.runtime.run(Scope::Root);
    }

    /// The backend accepts the newest connection.
    fn accept(&self) -> TcpId {
        self.runtime.run(Scope::Root);
        let tcp = self.host.newest_tcp().expect("a connection");
        self.runtime.on_tcp_open(tcp);
        self.runtime.run(Scope::Root);
        tcp
    }

    fn receive(&self, tcp: TcpId, bytes: &str) {
        self.runtime.on_tcp_data(tcp, bytes.as_bytes());
        self.runtime.run(Scope::Root);
    }

    /// The backend ends the connection.
    fn lose(&self, tcp: TcpId) {
        self.host.tcp.borrow_mut().remove(&tcp.0);
        self.runtime.on_tcp_close(tcp, 14);
        self.runtime.run(Scope::Root);
    }

    fn sent(&self, tcp: TcpId) -> String {
        String::from_utf8(self.host.take_sent(tcp)).unwrap()
    }

    fn pass(&self, millis: u64) {
        self.host.pass(&self.runtime, Duration::from_millis(millis));
    }

    fn taken(&self) -> Vec<(&'static str, Result<String, LinkError>)> {
        std::mem::take(&mut self.outcomes.borrow_mut())
    }
}

fn ok(text: &str) -> Result<String, LinkError> {
    Ok(text.to_owned())
}

#[test]
fn the_first_command_opens_the_connection_and_waits_for_it() {
    let setup = Setup::new(LinkSettings::default());
    assert!(setup.host.tcp.borrow().is_empty());
    setup.send(Kind::Write, "a");
    let tcp = setup.accept();
    assert_eq!(setup.sent(tcp), "a\n");
    setup.receive(tcp, "one\n");
    assert_eq!(setup.taken(), [("a", ok("one"))]);
}

#[test]
fn replies_are_matched_in_order_however_they_are_cut() {
    let setup = Setup::new(LinkSettings { batch: false, ..LinkSettings::default() });
    setup.link.open();
    let tcp = setup.accept();
    for command in ["a", "b", "c"] {
        setup.send(Kind::Read, command);
    }
    assert_eq!(setup.sent(tcp), "a\nb\nc\n");
    for byte in "1\n22\n333\n".chars() {
        setup.receive(tcp, &byte.to_string());
    }
    assert_eq!(setup.taken(), [("a", ok("1")), ("b", ok("22")), ("c", ok("333"))]);
}

#[test]
fn commands_collect_while_a_reply_is_outstanding() {
    let setup = Setup::new(LinkSettings::default());
    setup.link.open();
    let tcp = setup.accept();
    for command in ["a", "b", "c"] {
        setup.send(Kind::Write, command);
    }
    assert_eq!(setup.sent(tcp), "a\n");
    setup.receive(tcp, "1\n");
    assert_eq!(setup.sent(tcp), "b\nc\n");
}

#[test]
fn a_lost_connection_repeats_a_read_once_and_leaves_a_write_unknown() {
    let setup = Setup::new(LinkSettings { batch: false, ..LinkSettings::default() });
    setup.link.open();
    let first = setup.accept();
    setup.send(Kind::Read, "read");
    setup.send(Kind::Write, "write");
    setup.lose(first);
    let outcomes = setup.taken();
    assert!(
        matches!(outcomes.as_slice(), [("write", Err(LinkError::OutcomeUnknown { reason }))] if reason.contains("backend")),
        "{outcomes:?}"
    );
    setup.pass(100);
    let second = setup.accept();
    assert_eq!(setup.sent(second), "read\n");
    setup.lose(second);
    assert!(matches!(setup.taken().as_slice(), [("read", Err(LinkError::OutcomeUnknown { .. }))]));
}

#[test]
fn what_never_left_goes_out_on_the_next_connection() {
    let setup = Setup::new(LinkSettings::default());
    setup.send(Kind::Write, "a");
    setup.runtime.run(Scope::Root);
    let refused = setup.host.newest_tcp().unwrap();
    setup.lose(refused);
    setup.pass(100);
    let tcp = setup.accept();
    assert_eq!(setup.sent(tcp), "a\n");
}

#[test]
fn what_finds_no_connection_in_time_is_given_back_unsent() {
    let setup = Setup::new(LinkSettings::default());
    setup.host.refuse_open.set(Some(HostError::NoHealthyHost));
    setup.send(Kind::Write, "a");
    setup.pass(1_900);
    assert!(setup.taken().is_empty());
    setup.pass(300);
    let outcomes = setup.taken();
    assert!(
        matches!(outcomes.as_slice(), [("a", Err(LinkError::NotSent { reason }))] if reason.contains("no healthy host")),
        "{outcomes:?}"
    );
}

#[test]
fn a_reply_that_does_not_come_ends_the_connection_and_every_wait() {
    let setup = Setup::new(LinkSettings { batch: false, ..LinkSettings::default() });
    setup.link.open();
    let tcp = setup.accept();
    setup.send(Kind::Write, "a");
    setup.send(Kind::Write, "b");
    setup.pass(7_000);
    assert_eq!(setup.taken().len(), 2);
    assert!(!setup.host.tcp.borrow().contains_key(&tcp.0));
    assert_eq!(setup.host.counts.borrow().get(&Metric::LinkTimeouts), Some(&1));
}

#[test]
fn a_read_that_had_no_reply_for_as_long_as_it_may_is_still_asked_once_more() {
    let setup = Setup::new(LinkSettings::default());
    setup.link.open();
    let silent = setup.accept();
    setup.send(Kind::Read, "read");
    setup.pass(6_000);
    assert!(!setup.host.tcp.borrow().contains_key(&silent.0));
    assert!(setup.taken().is_empty());
    setup.pass(100);
    let next = setup.accept();
    assert_eq!(setup.sent(next), "read\n");
    setup.receive(next, "answer\n");
    assert_eq!(setup.taken(), [("read", ok("answer"))]);
}

#[test]
fn the_bounds_refuse_at_once_and_nothing_is_sent() {
    let setup = Setup::new(LinkSettings { max_commands: 1, ..LinkSettings::default() });
    setup.send(Kind::Write, "a");
    setup.send(Kind::Write, "b");
    assert!(matches!(setup.taken().as_slice(), [("b", Err(LinkError::NotSent { .. }))]));
    let setup = Setup::new(LinkSettings { max_bytes: 3, ..LinkSettings::default() });
    setup.send(Kind::Write, "a");
    setup.send(Kind::Write, "bb");
    assert!(
        matches!(setup.taken().as_slice(), [("bb", Err(LinkError::NotSent { reason }))] if reason.contains("waits"))
    );
    setup.send(Kind::Write, "large");
    assert!(matches!(setup.taken().as_slice(), [("large", Err(LinkError::NotSent { reason }))]
            if reason.contains("6 bytes") && reason.contains("one command may have: 3")));
}

#[test]
fn the_bytes_of_a_command_count_until_it_is_answered() {
    for kind in [Kind::Read, Kind::Write] {
        let setup = Setup::new(LinkSettings { max_bytes: 5, batch: false, ..LinkSettings::default() });
        setup.link.open();
        let tcp = setup.accept();
        setup.send(kind, "aa");
        assert_eq!(setup.sent(tcp), "aa\n");
        setup.send(kind, "bb");
        assert!(matches!(setup.taken().as_slice(), [("bb", Err(LinkError::NotSent { .. }))]));
        setup.receive(tcp, "1\n");
        setup.send(kind, "cc");
        assert_eq!(setup.sent(tcp), "cc\n");
        setup.lose(tcp);
        setup.pass(100);
        let next = setup.accept();
        setup.send(kind, "d");
        assert!(setup.sent(next).ends_with("d\n"), "what was lost counts once more or not at all");
    }
}

#[test]
fn what_waits_too_long_behind_a_slow_reply_is_told_so() {
    let setup = Setup::new(LinkSettings::default());
    setup.link.open();
    setup.accept();
    setup.send(Kind::Write, "slow");
    setup.send(Kind::Write, "behind");
    setup.pass(2_200);
    let outcomes = setup.taken();
    assert!(
        matches!(outcomes.as_slice(), [("behind", Err(LinkError::NotSent { reason }))]
            if reason.contains("backend was too slow") && !reason.contains("no connection")),
        "{outcomes:?}"
    );
}

#[test]
fn a_client_that_left_keeps_its_place_so_that_replies_stay_matched() {
    let setup = Setup::new(LinkSettings { batch: false, ..LinkSettings::default() });
    setup.link.open();
    let tcp = setup.accept();
    drop(setup.link.send(Kind::Read, b"gone\n".to_vec()));
    setup.send(Kind::Read, "a");
    setup.receive(tcp, "for the one who left\nfor a\n");
    assert_eq!(setup.taken(), [("a", ok("for a"))]);
}

#[test]
fn a_command_whose_client_left_before_it_was_sent_is_not_sent() {
    let setup = Setup::new(LinkSettings::default());
    drop(setup.link.send(Kind::Write, b"gone\n".to_vec()));
    setup.send(Kind::Write, "a");
    let tcp = setup.accept();
    assert_eq!(setup.sent(tcp), "a\n");
}

#[test]
fn the_greeting_goes_first_and_its_reply_belongs_to_nobody() {
    let setup = Setup::with_password(LinkSettings::default(), Some("secret"));
    setup.send(Kind::Write, "a");
    let tcp = setup.accept();
    assert_eq!(setup.sent(tcp), "AUTH secret\n");
    setup.receive(tcp, "OK\n");
    assert_eq!(setup.sent(tcp), "a\n");
    setup.receive(tcp, "1\n");
    assert_eq!(setup.taken(), [("a", ok("1"))]);
}

#[test]
fn a_refused_greeting_says_why_without_the_secret() {
    let setup = Setup::with_password(LinkSettings::default(), Some("secret"));
    setup.send(Kind::Write, "a");
    for _ in 0..2 {
        let tcp = setup.accept();
        setup.receive(tcp, "wrong password\n");
        setup.pass(1_400);
    }
    let outcomes = setup.taken();
    assert!(
        matches!(outcomes.as_slice(), [("a", Err(LinkError::NotSent { reason }))] if reason.contains("wrong password")),
        "{outcomes:?}"
    );
    assert!(setup.host.log.borrow().iter().all(|line| !line.contains("secret")));
}

#[test]
fn a_reply_that_nobody_asked_for_ends_the_connection() {
    let setup = Setup::new(LinkSettings::default());
    setup.link.open();
    let tcp = setup.accept();
    setup.receive(tcp, "surprise\n");
    assert!(!setup.host.tcp.borrow().contains_key(&tcp.0));
}

#[test]
fn bytes_that_are_not_the_protocol_end_the_connection() {
    let setup = Setup::new(LinkSettings::default());
    setup.send(Kind::Write, "a");
    let tcp = setup.accept();
    setup.runtime.on_tcp_data(tcp, b"\xff\n");
    setup.runtime.run(Scope::Root);
    assert!(matches!(setup.taken().as_slice(), [("a", Err(LinkError::OutcomeUnknown { .. }))]));
}

#[test]
fn attempts_back_off_to_a_second() {
    let setup = Setup::new(LinkSettings::default());
    setup.host.refuse_open.set(Some(HostError::NoHealthyHost));
    setup.link.open();
    setup.pass(10_000);
    let attempts = setup.host.log.borrow().iter().filter(|line| line.contains("no connection")).count();
    assert!((10..20).contains(&attempts), "{attempts} attempts in ten seconds");
}

/// The lines that tell of a failed attempt.
fn told(setup: &Setup) -> Vec<String> {
    let log = setup.host.log.borrow();
    log.iter().filter(|line| line.contains("no connection") || line.contains("refused by")).cloned().collect()
}

#[test]
fn a_backend_that_never_comes_up_is_told_at_once_and_then_every_half_minute() {
    let setup = Setup::at_level(LogLevel::Warn);
    setup.host.refuse_open.set(Some(HostError::NoHealthyHost));
    setup.link.open();
    setup.pass(100);
    let lines = told(&setup);
    assert!(lines.len() == 1 && lines[0].contains("backend=\"backend\"") && lines[0].contains("no healthy host"));
    setup.pass(29_000);
    assert_eq!(told(&setup).len(), 1);
    setup.pass(62_000);
    assert_eq!(told(&setup).len(), 4, "{:?}", told(&setup));
}

#[test]
fn a_loss_after_the_connection_was_up_is_told_and_then_the_first_attempt_that_fails() {
    let setup = Setup::at_level(LogLevel::Warn);
    setup.host.refuse_open.set(Some(HostError::NoHealthyHost));
    setup.link.open();
    setup.pass(100);
    setup.host.refuse_open.set(None);
    setup.pass(1_000);
    let tcp = setup.accept();
    setup.host.refuse_open.set(Some(HostError::NoHealthyHost));
    setup.lose(tcp);
    setup.pass(5_000);
    assert_eq!(told(&setup).len(), 2);
    assert_eq!(setup.host.log.borrow().iter().filter(|line| line.contains("connection lost")).count(), 1);
}

#[test]
fn a_dropped_link_closes_its_connection() {
    let setup = Setup::new(LinkSettings::default());
    setup.link.open();
    setup.accept();
    let Setup { host, runtime, link, .. } = setup;
    drop(link);
    host.pass(&runtime, Duration::from_secs(2));
    assert!(host.tcp.borrow().is_empty());
}
