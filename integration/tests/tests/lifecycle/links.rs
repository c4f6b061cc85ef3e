//! A backend that misbehaves: every waiter is told, nothing is done twice, and the link comes back.

use super::message;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use weft_tests::client::Answer;
use weft_tests::mesh::{Mesh, MeshApp};
use weft_tests::stub::{Peer, Stub};
use weft_tests::wait;

/// The hash of the value `"kept"`, as Redis answers `HGETALL`.
const KEPT: &[u8] = b"*4\r\n$4\r\ndata\r\n$6\r\n\"kept\"\r\n$7\r\nversion\r\n$1\r\n1\r\n";

/// Answers every command as a Redis that holds one value.
fn serve(peer: &mut Peer) {
    while let Some(words) = peer.command() {
        peer.write(if words[0] == "HGETALL" { KEPT } else { b":1\r\n" });
    }
}

fn mesh(stub: &Stub) -> Mesh {
    Mesh::builder().component_at("statestore", "state.redis", stub.port()).app("orders").start()
}

fn get(app: &MeshApp) -> Answer {
    app.get("/v1.0/state/statestore/k").send()
}

fn save(app: &MeshApp) -> Answer {
    app.post("/v1.0/state/statestore").json(&json!([{"key": "k", "value": 1}])).send()
}

/// A bad answer to a command, after which the connection is of no use.
#[derive(Debug, Clone, Copy)]
enum Bad {
    Close,
    Garbage,
    HalfAndClose,
    ImpossibleSize,
    HalfAndHang,
    Hang,
}

const EVERY_BAD: [Bad; 6] =
    [Bad::Close, Bad::Garbage, Bad::HalfAndClose, Bad::ImpossibleSize, Bad::HalfAndHang, Bad::Hang];

impl Bad {
    fn answer(self, peer: &mut Peer) {
        match self {
            Self::Garbage => peer.write("HTTP/1.1 400 Bad Request\r\n\r\n"),
            Self::HalfAndClose | Self::HalfAndHang => peer.write(&KEPT[..20]),
            Self::ImpossibleSize => peer.write("$99999999999999999999\r\n"),
            Self::Close | Self::Hang => {}
        }
        if matches!(self, Self::Hang | Self::HalfAndHang) {
            peer.hold();
        }
    }

    /// A backend whose first connection answers one command so; what follows is sound.
    fn once(self) -> Stub {
        Stub::start(move |peer| {
            if peer.number == 0 {
                let _command = peer.command();
                self.answer(peer);
            } else {
                serve(peer);
            }
        })
    }
}

#[test]
fn a_read_is_asked_once_more_on_the_next_connection() {
    for how in EVERY_BAD {
        let stub = how.once();
        let mesh = mesh(&stub);
        assert_eq!(get(mesh.app("orders")).expect(200).text(), "\"kept\"", "{how:?}");
        assert_eq!(stub.commands(), ["HGETALL", "HGETALL"], "{how:?}");
        assert_eq!(stub.connections(), 2, "{how:?}");
    }
}

#[test]
fn a_write_is_never_sent_twice_and_its_outcome_is_said_to_be_unknown() {
    for how in EVERY_BAD {
        let stub = how.once();
        let mesh = mesh(&stub);
        let why = message(&save(mesh.app("orders")), 500, "ERR_STATE_SAVE");
        assert!(why.contains("the outcome is unknown"), "{how:?}: {why}");
        assert_eq!(stub.commands().len(), 1, "{how:?}: {:?}", stub.commands());
        // The link has come back.
        assert_eq!(get(mesh.app("orders")).expect(200).text(), "\"kept\"", "{how:?}");
    }
}

#[test]
fn a_read_that_fails_twice_is_an_error_and_no_more_is_tried() {
    let stub = Stub::start(|peer| {
        let _command = peer.command();
        peer.write("!garbage\r\n");
    });
    let mesh = mesh(&stub);
    let why = message(&get(mesh.app("orders")), 500, "ERR_STATE_GET");
    assert!(why.contains("weft_tcp_statestore"), "{why}");
    assert_eq!(stub.commands(), ["HGETALL", "HGETALL"]);
}

#[test]
fn an_answer_that_nobody_asked_for_is_given_to_nobody() {
    let stub = Stub::start(|peer| {
        let is_first = peer.number == 0;
        let _command = peer.command();
        peer.write(if is_first { [KEPT, b"*0\r\n"].concat() } else { KEPT.to_vec() });
        serve(peer);
    });
    let mesh = mesh(&stub);
    for _ in 0..3 {
        assert_eq!(get(mesh.app("orders")).expect(200).text(), "\"kept\"");
    }
    wait::until_true("the connection with the stray answer was given up", || stub.connections() == 2);
}

#[test]
fn everybody_who_waits_is_told_when_the_connection_dies() {
    const WAITERS: usize = 20;
    let die = Arc::new(AtomicBool::new(false));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (death, noted) = (Arc::clone(&die), Arc::clone(&seen));
    let stub = Stub::start(move |peer| {
        if peer.number > 0 {
            return serve(peer);
        }
        while !death.load(Ordering::SeqCst) {
            let Some(words) = peer.command() else { return };
            noted.lock().unwrap().push(words[0].clone());
            if noted.lock().unwrap().len() == 1 {
                // Collects what comes while this answer is outstanding.
                while !death.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
            }
        }
    });
    let mesh = mesh(&stub);
    let orders = mesh.app("orders");
    let answers: Vec<(bool, Answer)> = std::thread::scope(|scope| {
        let waiters: Vec<_> = (0..WAITERS)
            .map(|number| {
                let is_read = number % 2 == 0;
                scope.spawn(move || (is_read, if is_read { get(orders) } else { save(orders) }))
            })
            .collect();
        let held = || mesh.envoy.admin().stat("http.weft_api_orders.downstream_rq_active");
        wait::until_true("all wait", || held() >= u64::try_from(WAITERS).unwrap());
        die.store(true, Ordering::SeqCst);
        waiters.into_iter().map(|waiter| waiter.join().expect("an answer")).collect()
    });
    assert_eq!(answers.len(), WAITERS);
    for (is_read, answer) in &answers {
        match (is_read, answer.status) {
            (true, 200) => assert_eq!(answer.text(), "\"kept\""),
            // One that had not left yet is sent on the next connection.
            (false, 204) => {}
            (false, 500) => assert!(answer.text().contains("the outcome is unknown"), "{}", answer.text()),
            (_, status) => panic!("{status}: {}", answer.text()),
        }
    }
}

#[test]
fn a_backend_that_always_hangs_up_is_tried_again_and_again_and_serves_as_soon_as_it_can() {
    let works = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&works);
    let stub = Stub::start(move |peer| {
        if switch.load(Ordering::SeqCst) {
            serve(peer);
        }
    });
    let mesh = mesh(&stub);
    let orders = mesh.app("orders");
    let why = message(&save(orders), 500, "ERR_STATE_SAVE");
    assert!(why.contains("weft_tcp_statestore"), "{why}");
    let tried = stub.connections();
    wait::until_true("it is tried again without a request", || stub.connections() > tried + 1);
    works.store(true, Ordering::SeqCst);
    wait::until_true("the store is back", || get(orders).status == 200);
}
