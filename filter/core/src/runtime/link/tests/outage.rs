//! A backend that is away for long.

use super::*;

fn quick() -> LinkSettings {
    LinkSettings { fails_after: Some(Duration::from_secs(2)), ..LinkSettings::default() }
}

#[test]
fn in_a_lasting_outage_a_command_is_tried_at_once_and_given_back_or_sent() {
    let setup = Setup::new(quick());
    setup.host.refuse_open.set(Some(HostError::NoHealthyHost));
    setup.send(Kind::Write, "early");
    setup.pass(1_000);
    assert!(setup.taken().is_empty(), "it may be back soon");
    setup.pass(2_000);
    assert_eq!(setup.taken().len(), 1);
    setup.send(Kind::Read, "late");
    setup.pass(60);
    let outcomes = setup.taken();
    assert!(
        matches!(outcomes.as_slice(), [("late", Err(LinkError::NotSent { reason }))] if reason.contains("no healthy host")),
        "{outcomes:?}"
    );
    setup.host.refuse_open.set(None);
    setup.send(Kind::Read, "again");
    setup.pass(60);
    let tcp = setup.accept();
    assert_eq!(setup.sent(tcp), "again\n");
}

#[test]
fn many_commands_in_an_outage_ask_for_one_connection_in_fifty_milliseconds() {
    let setup = Setup::new(quick());
    setup.host.refuse_open.set(Some(HostError::NoHealthyHost));
    setup.link.open();
    setup.pass(4_000);
    let attempts = || setup.host.log.borrow().iter().filter(|line| line.contains("no connection")).count();
    let before = attempts();
    for _ in 0..100 {
        setup.send(Kind::Read, "a");
        setup.pass(10);
    }
    assert!((15..=21).contains(&(attempts() - before)), "{} attempts in a second", attempts() - before);
    assert_eq!(setup.taken().len(), 100);
}

#[test]
fn a_link_that_is_not_told_so_lets_each_command_wait() {
    let setup = Setup::new(LinkSettings::default());
    setup.host.refuse_open.set(Some(HostError::NoHealthyHost));
    setup.link.open();
    setup.pass(10_000);
    setup.send(Kind::Write, "a");
    setup.pass(1_000);
    assert!(setup.taken().is_empty());
}

#[test]
fn a_link_says_why_it_was_never_up_and_nothing_once_it_was() {
    let setup = Setup::new(quick());
    assert_eq!(setup.link.never_up(), None, "nobody has tried");
    setup.host.refuse_open.set(Some(HostError::NoHealthyHost));
    setup.link.open();
    setup.pass(100);
    assert!(setup.link.never_up().is_some_and(|why| why.starts_with("no connection to backend: ")));
    setup.host.refuse_open.set(None);
    setup.pass(1_000);
    let tcp = setup.accept();
    assert_eq!(setup.link.never_up(), None);
    setup.host.refuse_open.set(Some(HostError::NoHealthyHost));
    setup.lose(tcp);
    setup.pass(10_000);
    assert_eq!(setup.link.never_up(), None, "an outage is no start");
}

#[test]
fn a_link_that_is_given_up_gives_back_what_waits_and_cannot_say_what_became_of_the_rest() {
    let setup = Setup::new(LinkSettings::default());
    assert!(!setup.link.is_down());
    setup.send(Kind::Write, "sent");
    let tcp = setup.accept();
    assert_eq!((setup.sent(tcp).as_str(), setup.link.connections()), ("sent\n", 1));
    setup.send(Kind::Read, "waits");
    setup.link.abandon("it has gone");
    setup.runtime.run(Scope::Root);
    let outcomes = setup.taken();
    let [("sent", Err(LinkError::OutcomeUnknown { reason })), ("waits", Err(LinkError::NotSent { reason: why }))] =
        outcomes.as_slice()
    else {
        panic!("{outcomes:?}")
    };
    assert!(reason.contains("it has gone") && why.contains("it has gone"), "{reason}, {why}");
    assert!(setup.link.is_down() && setup.link.waiting() == 0);
}

#[test]
fn a_link_that_has_no_patience_gives_a_command_back_when_the_first_attempt_fails() {
    let setup = Setup::new(LinkSettings { fails_after: Some(Duration::ZERO), ..LinkSettings::default() });
    setup.host.refuse_open.set(Some(HostError::NoHealthyHost));
    setup.send(Kind::Write, "a");
    setup.pass(10);
    assert!(matches!(setup.taken().as_slice(), [("a", Err(LinkError::NotSent { .. }))]));
}
