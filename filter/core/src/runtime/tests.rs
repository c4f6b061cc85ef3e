use super::*;
use crate::fake::FakeHost;

fn call_to(cluster: &str) -> HttpCall<'_> {
    HttpCall { cluster, headers: Vec::new(), body: b"", timeout: Duration::from_secs(1) }
}

fn setup() -> (Rc<FakeHost>, Runtime) {
    let host = FakeHost::new();
    let runtime = Runtime::new(host.clone(), LogLevel::Debug);
    (host, runtime)
}

/// A flow that makes one call and answers with the status that came back.
fn one_call(runtime: &Runtime, cluster: &'static str) -> BoxFuture<'static, Reply> {
    let runtime = runtime.clone();
    Box::pin(async move {
        match runtime.call(call_to(cluster)) {
            Ok(call) => match call.await {
                CallOutcome::Answered { status, .. } => Reply::json(status, cluster),
                CallOutcome::Failed { status } => Reply::json(status, "failed"),
            },
            Err(error) => Reply::json(500, error.to_string()),
        }
    })
}

#[test]
fn answers_may_come_in_any_order() {
    let (host, runtime) = setup();
    runtime.spawn_request(StreamId(1), one_call(&runtime, "a"));
    runtime.spawn_request(StreamId(2), one_call(&runtime, "b"));
    assert!(runtime.run(Scope::Root).is_empty());
    host.calls.borrow_mut().rotate_left(1);
    host.answer(&runtime, 201, b"");
    assert_eq!(runtime.run(Scope::Root), [(StreamId(2), Reply::json(201, "b"))]);
    host.answer(&runtime, 202, b"");
    assert_eq!(runtime.run(Scope::Root), [(StreamId(1), Reply::json(202, "a"))]);
}

#[test]
fn a_call_that_the_proxy_refuses_is_a_value_whatever_the_reason() {
    for error in [HostError::UnknownCluster, HostError::NoHealthyHost, HostError::Gone, HostError::Refused(9)] {
        let (host, runtime) = setup();
        host.refuse_call.set(Some(error));
        runtime.spawn_request(StreamId(1), one_call(&runtime, "a"));
        assert_eq!(runtime.run(Scope::Root), [(StreamId(1), Reply::json(500, error.to_string()))]);
    }
}

#[test]
fn an_answer_after_the_client_left_is_ignored() {
    let (host, runtime) = setup();
    runtime.spawn_request(StreamId(1), one_call(&runtime, "a"));
    runtime.run(Scope::Root);
    runtime.cancel(StreamId(1));
    host.answer(&runtime, 200, b"");
    assert!(runtime.run(Scope::Root).is_empty());
}

#[test]
fn an_answer_to_an_unknown_call_is_ignored() {
    let (_host, runtime) = setup();
    runtime.on_call_answer(CallId(99), CallOutcome::Failed { status: 503 });
    assert!(runtime.run(Scope::Root).is_empty());
}

#[test]
fn a_requests_callback_polls_only_its_own_flow_and_leaves_the_rest_to_a_tick() {
    let (host, runtime) = setup();
    let began = Rc::new(Cell::new(false));
    let sign = Rc::clone(&began);
    runtime.spawn(Box::pin(async move { sign.set(true) }));
    runtime.spawn_request(StreamId(1), Box::pin(async { Reply::no_content() }));
    runtime.spawn_request(StreamId(2), Box::pin(async { Reply::no_content() }));
    assert_eq!(runtime.run(Scope::Stream(StreamId(1))), [(StreamId(1), Reply::no_content())]);
    assert!(!began.get());
    let answered = host.pass(&runtime, Duration::from_millis(5));
    assert!(began.get());
    assert_eq!(answered, [(StreamId(2), Reply::no_content())]);
}

#[test]
fn many_flows_that_never_wait_let_the_worker_do_other_things_meanwhile() {
    let (host, runtime) = setup();
    let done = Rc::new(Cell::new(0));
    let counter = Rc::clone(&done);
    runtime.spawn_request(
        StreamId(1),
        Box::pin(async move {
            let count = |number: u32| {
                let counter = Rc::clone(&counter);
                Box::pin(async move { counter.set(number + 1) }) as BoxFuture<'static, ()>
            };
            join_some((0..100_000).map(count), 100).await;
            Reply::no_content()
        }),
    );
    assert!(runtime.run(Scope::Stream(StreamId(1))).is_empty());
    let first = done.get();
    assert!((1..10_000).contains(&first), "{first} at once");
    runtime.spawn_request(StreamId(2), Box::pin(async { Reply::no_content() }));
    assert_eq!(runtime.run(Scope::Root), [(StreamId(2), Reply::no_content())]);
    assert!((first + 1..10_000).contains(&done.get()), "{} in two turns", done.get());
    assert_eq!(host.pass(&runtime, Duration::from_secs(1)), [(StreamId(1), Reply::no_content())]);
    assert_eq!(done.get(), 100_000);
}

#[test]
fn a_flow_that_is_woken_often_is_polled_once() {
    let (_host, runtime) = setup();
    let polls = Rc::new(Cell::new(0));
    let (counter, wakers) = (Rc::clone(&polls), Rc::new(RefCell::new(Vec::<Waker>::new())));
    let kept = Rc::clone(&wakers);
    runtime.spawn(Box::pin(std::future::poll_fn(move |context| {
        counter.set(counter.get() + 1);
        kept.borrow_mut().push(context.waker().clone());
        Poll::Pending
    })));
    runtime.run(Scope::Root);
    for _ in 0..3 {
        wakers.borrow().iter().chain(wakers.borrow().iter()).for_each(Waker::wake_by_ref);
        runtime.run(Scope::Root);
    }
    assert_eq!(polls.get(), 4);
}

#[test]
fn calls_fan_out_and_their_results_keep_their_order() {
    let (host, runtime) = setup();
    let inner = runtime.clone();
    runtime.spawn_request(
        StreamId(1),
        Box::pin(async move {
            let flows = vec![one_call(&inner, "a"), one_call(&inner, "b"), one_call(&inner, "c")];
            let replies = join_some(flows.into_iter(), 3).await;
            let statuses = replies.iter().map(|reply| reply.status.to_string()).collect::<Vec<_>>();
            Reply::json(200, statuses.join(","))
        }),
    );
    runtime.run(Scope::Root);
    assert_eq!(host.calls.borrow().len(), 3);
    host.calls.borrow_mut().rotate_left(2);
    host.answer(&runtime, 203, b"");
    host.fail(&runtime, 503);
    assert!(runtime.run(Scope::Root).is_empty());
    host.answer(&runtime, 202, b"");
    assert_eq!(runtime.run(Scope::Root), [(StreamId(1), Reply::json(200, "503,202,203"))]);
}

#[test]
fn the_tick_is_armed_for_the_next_deadline_and_off_when_there_is_none() {
    let (host, runtime) = setup();
    let begun = runtime.now();
    let inner = runtime.clone();
    runtime.spawn(Box::pin(async move { inner.sleep(Duration::from_millis(300)).await }));
    runtime.run(Scope::Root);
    assert_eq!(host.tick.get(), Some(begun + Duration::from_millis(300)));
    host.pass(&runtime, Duration::from_secs(1));
    assert_eq!(host.tick.get(), None);
}

#[test]
fn an_earlier_deadline_moves_the_tick_forward() {
    let (host, runtime) = setup();
    let begun = runtime.now();
    for time in [300, 100, 200] {
        let inner = runtime.clone();
        runtime.spawn(Box::pin(async move { inner.sleep(Duration::from_millis(time)).await }));
        runtime.run(Scope::Root);
    }
    assert_eq!(host.tick.get(), Some(begun + Duration::from_millis(100)));
}

#[test]
fn a_clock_that_is_set_back_stops_no_flow() {
    let (host, runtime) = setup();
    for round in 1..=2 {
        let inner = runtime.clone();
        let flow = async move {
            inner.sleep(Duration::from_millis(300)).await;
            Reply::no_content()
        };
        runtime.spawn_request(StreamId(round), Box::pin(flow));
        assert!(host.pass(&runtime, Duration::from_millis(200)).is_empty());
        let before = runtime.now();
        host.set_back(Duration::from_secs(3600));
        assert_eq!(runtime.now(), before);
        assert!(host.pass(&runtime, Duration::from_millis(99)).is_empty());
        assert_eq!(host.pass(&runtime, Duration::from_millis(1)), [(StreamId(round), Reply::no_content())]);
    }
}

#[test]
fn a_dropped_sleep_leaves_no_deadline() {
    let (host, runtime) = setup();
    let inner = runtime.clone();
    runtime.spawn_request(
        StreamId(1),
        Box::pin(async move {
            inner.sleep(Duration::from_secs(5)).await;
            Reply::no_content()
        }),
    );
    runtime.run(Scope::Root);
    runtime.cancel(StreamId(1));
    assert!(host.pass(&runtime, Duration::from_secs(10)).is_empty());
    assert_eq!(host.tick.get(), None);
}

#[test]
fn a_signal_raised_before_anybody_waits_is_heard() {
    let (_host, runtime) = setup();
    let signal = runtime.listen("channel");
    runtime.notify("channel");
    runtime.notify("another");
    let inner = runtime.clone();
    runtime.spawn_request(
        StreamId(1),
        Box::pin(async move {
            signal.raised_or(inner.sleep(Duration::from_secs(60))).await;
            Reply::no_content()
        }),
    );
    assert_eq!(runtime.run(Scope::Root).len(), 1);
}

#[test]
fn the_other_roots_of_a_vm_hear_of_a_channel_at_their_next_tick() {
    let (channels, host) = (Channels::default(), FakeHost::new());
    let [publisher, one, two] =
        [(); 3].map(|()| Runtime::beside(channels.clone(), host.clone(), String::new(), LogLevel::Debug));
    let heard = Rc::new(Cell::new(0));
    for runtime in [&one, &two, &two] {
        let (signal, sleep, heard) = (runtime.listen("news"), runtime.sleep(Duration::from_secs(60)), heard.clone());
        runtime.spawn(Box::pin(async move {
            signal.raised_or(sleep).await;
            heard.set(heard.get() + 1);
        }));
        runtime.run(Scope::Root);
    }
    publisher.notify("news");
    publisher.notify("another");
    assert_eq!(heard.get(), 0, "each root runs its flows only in its own callbacks");
    assert_eq!(host.tick.get(), Some(host.now() + Duration::from_millis(1)));
    one.run(Scope::Root);
    two.run(Scope::Root);
    assert_eq!(heard.get(), 2, "one flow of a root hears it");
}

#[test]
fn a_root_that_has_ended_is_not_told() {
    let (channels, host) = (Channels::default(), FakeHost::new());
    let ended = Runtime::beside(channels.clone(), host.clone(), String::new(), LogLevel::Debug);
    let signal = ended.listen("news");
    drop(ended);
    Runtime::beside(channels, host.clone(), String::new(), LogLevel::Debug).notify("news");
    assert_eq!(host.tick.get(), None);
    drop(signal);
}

#[test]
fn lines_below_the_wanted_level_are_not_written() {
    let host = FakeHost::new();
    let runtime = Runtime::new(host.clone(), LogLevel::Warn);
    let said = |what| Line { component: "c", what, ..Line::default() };
    runtime.log(LogLevel::Info, &said("quiet"));
    runtime.log(LogLevel::Error, &said("loud"));
    assert_eq!(*host.log.borrow(), ["component=c app=\"\" what=\"loud\""]);
}
