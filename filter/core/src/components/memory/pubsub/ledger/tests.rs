use super::*;

fn ledger() -> Ledger {
    Ledger::decode(None).unwrap()
}

fn message(topic: &str, data: &str) -> Message {
    Message { topic: topic.to_owned(), data: data.as_bytes().to_vec(), metadata: BTreeMap::new() }
}

fn topics(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Both topics for `left`, one for `right`.
fn subscribed() -> Ledger {
    let mut ledger = ledger();
    assert!(ledger.register("left", &topics(&["a", "b"])));
    assert!(ledger.register("right", &topics(&["b"])));
    ledger
}

fn publish(ledger: &mut Ledger, topic: &str, data: &str) {
    let numbers: Vec<u32> = ledger.subscribers_of(topic).into_iter().map(|(number, _)| number).collect();
    ledger.append(&message(topic, data), &numbers).unwrap();
}

fn places(ledger: &Ledger) -> Vec<Place> {
    std::iter::successors(ledger.next_event(None), |event| ledger.next_event(Some(*event))).collect()
}

/// What a worker reads that the bytes were written for.
fn again(ledger: &Ledger) -> Ledger {
    Ledger::decode(Some(ledger.bytes().to_vec())).unwrap()
}

#[test]
fn a_new_value_has_neither_subscribers_nor_events() {
    let ledger = again(&ledger());
    assert_eq!((ledger.count(), ledger.number_of("left")), (0, None));
    assert!(ledger.subscribers_of("a").is_empty());
}

#[test]
fn subscribers_keep_their_numbers() {
    let mut ledger = again(&subscribed());
    assert_eq!(ledger.subscribers_of("b"), [(0, "left"), (1, "right")]);
    assert!(!ledger.register("left", &topics(&["a", "b"])), "it has these topics already");
    assert!(ledger.register("left", &topics(&["c"])));
    assert!(ledger.register("late", &topics(&["b"])));
    assert_eq!(ledger.subscribers_of("b"), [(1, "right"), (2, "late")]);
    assert_eq!(ledger.number_of("left"), Some(0));
}

#[test]
fn an_event_is_read_as_it_was_published() {
    let mut ledger = subscribed();
    let metadata = [("k".to_owned(), "v".to_owned()), (String::new(), "\u{e9}".to_owned())].into();
    let first = Message { topic: "a".to_owned(), data: vec![0, 255, b'"'], metadata };
    let second = message("b", "");
    ledger.append(&first, &[0]).unwrap();
    ledger.append(&second, &[0, 1]).unwrap();
    let ledger = again(&ledger);
    let places = places(&ledger);
    assert_eq!(places.iter().map(|place| place.id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(places.iter().map(|place| ledger.message(*place)).collect::<Vec<_>>(), [Some(first), Some(second)]);
    assert!(ledger.copy(places[0], 1).is_none(), "right has not subscribed to it");
}

#[test]
fn a_copy_is_changed_in_place() {
    let mut ledger = subscribed();
    publish(&mut ledger, "b", "x");
    let place = places(&ledger)[0];
    let mut copy = ledger.copy(place, 1).unwrap();
    assert_eq!((copy.attempts, copy.until, copy.holder), (0, 0, 0));
    (copy.attempts, copy.until, copy.holder) = (3, 4, 5);
    ledger.set_copy(place, copy);
    let changed = again(&ledger).copy(place, 1).unwrap();
    assert_eq!((changed.attempts, changed.until, changed.holder), (3, 4, 5));
    let other = ledger.copy(place, 0).unwrap();
    assert_eq!((other.attempts, other.until, other.holder), (0, 0, 0));
}

#[test]
fn an_event_stays_until_every_subscriber_is_done_with_it() {
    let mut ledger = subscribed();
    for data in ["x", "y", "z"] {
        publish(&mut ledger, "b", data);
    }
    let second = places(&ledger)[1];
    ledger.finish(second, 0);
    ledger.compact();
    assert_eq!(ledger.count(), 3);
    assert!(ledger.copy(second, 0).is_none());
    ledger.finish(second, 1);
    ledger.compact();
    let left: Vec<Vec<u8>> = places(&ledger).iter().map(|place| ledger.message(*place).unwrap().data).collect();
    assert_eq!(left, [b"x", b"z"]);
}

#[test]
fn who_gives_up_a_topic_gives_up_its_events() {
    let mut ledger = subscribed();
    for topic in ["a", "b"] {
        publish(&mut ledger, topic, "x");
    }
    ledger.register("left", &topics(&["c"]));
    assert_eq!(ledger.count(), 1, "nobody else wants a");
    let place = places(&ledger)[0];
    assert!(ledger.copy(place, 0).is_none() && ledger.copy(place, 1).is_some());
}

#[test]
fn a_full_broker_takes_nothing_and_names_the_slowest() {
    let mut ledger = subscribed();
    publish(&mut ledger, "a", "only for left");
    for _ in 1..EVENTS {
        publish(&mut ledger, "b", "x");
    }
    let before = ledger.bytes().to_vec();
    let full = ledger.append(&message("b", "x"), &[0, 1]).unwrap_err();
    assert_eq!(full, Full { events: EVENTS, slowest: "left".to_owned() });
    assert_eq!(ledger.bytes(), before);
}

#[test]
fn a_broker_is_also_full_by_its_bytes() {
    let mut ledger = subscribed();
    let large = Message { data: vec![0; BROKER_BYTES / 2], ..message("a", "") };
    ledger.append(&large, &[0]).unwrap();
    assert_eq!(ledger.append(&large, &[0]).unwrap_err().events, 1);
    assert!(ledger.append(&message("a", "small"), &[0]).is_ok());
}

#[test]
fn another_format_is_refused_and_a_cut_value_is_read_as_far_as_it_goes() {
    for bytes in [&b""[..], &[FORMAT], &[FORMAT + 1; 40], &[FORMAT, 0, 0]] {
        assert_eq!(Ledger::decode(Some(bytes.to_vec())).err(), Some(OtherFormat), "{bytes:?}");
    }
    let mut ledger = subscribed();
    for topic in ["a", "b"] {
        publish(&mut ledger, topic, "some data");
    }
    for end in 0..ledger.bytes().len() {
        if let Ok(mut cut) = Ledger::decode(Some(ledger.bytes()[..end].to_vec())) {
            let events = places(&cut);
            assert!(events.len() <= 2);
            events.iter().for_each(|place| drop(cut.message(*place)));
            cut.compact();
        }
    }
}
