//! Circuit breakers of Dapr's `Resiliency` on calls by name.

use super::resiliency::{MESHES, calls, method, talk};
use std::time::Duration;
use tonic::Code;
use weft_tests::app::Reply;
use weft_tests::dapr;
use weft_tests::mesh::MeshApp;
use weft_tests::runtime::block_on;

/// Whether a call was held back by a circuit breaker.
fn held_back(orders: &MeshApp, call: &str) -> bool {
    let answer = orders.get(call).send();
    let is_held = answer.status == 500 && answer.text().contains("circuit breaker is open");
    if is_held {
        dapr::error(&answer, 500, "ERR_DIRECT_INVOKE");
    }
    is_held
}

#[test]
fn a_breaker_opens_after_its_failures_counted_over_all_workers_and_closes_when_a_call_succeeds() {
    MESHES.each(|mesh| {
        let (orders, broken) = (mesh.app("orders"), mesh.app("broken"));
        let (path, call) = method("broken");
        broken.server.on_each(&path, vec![Reply::status(404), Reply::status(500), Reply::bytes(200, "well")]);
        // Every call has a connection of its own, so several workers serve them.
        orders.get(&call).send().expect(404);
        orders.get(&call).send().expect(500);
        for _ in 0..20 {
            assert!(held_back(orders, &call));
        }
        assert_eq!(calls(broken, &path), 2);
        // Others are not held back with it.
        let (other, other_call) = method("other");
        mesh.app("other").server.on(&other, Reply::status(200));
        orders.get(&other_call).send().expect(200);
        std::thread::sleep(Duration::from_millis(1100));
        assert_eq!(orders.get(&call).send().expect(200).text(), "well");
        assert!(!held_back(orders, &call));
    });
}

#[test]
fn a_half_open_breaker_lets_one_call_through_and_opens_again_when_it_fails() {
    MESHES.each(|mesh| {
        let (orders, probed) = (mesh.app("orders"), mesh.app("probed"));
        let (path, call) = method("probed");
        let slow = Reply::status(500).after(Duration::from_millis(400));
        probed.server.on_each(&path, vec![Reply::status(500), Reply::status(500), slow, Reply::status(200)]);
        orders.get(&call).send().expect(500);
        orders.get(&call).send().expect(500);
        assert!(held_back(orders, &call));
        std::thread::sleep(Duration::from_millis(1100));
        std::thread::scope(|scope| {
            let probe = scope.spawn(|| orders.get(&call).send());
            let _ = probed.server.wait_for(&path, 3);
            let answer = orders.get(&call).send();
            let text = dapr::error(&answer, 500, "ERR_DIRECT_INVOKE")["message"].to_string();
            assert!(text.contains("half open"), "{text}");
            assert_eq!(probe.join().unwrap().status, 500);
        });
        assert!(held_back(orders, &call));
        assert_eq!(calls(probed, &path), 3);
        std::thread::sleep(Duration::from_millis(1100));
        orders.get(&call).send().expect(200);
    });
}

#[test]
fn a_call_that_its_caller_gives_up_has_failed() {
    MESHES.each(|mesh| {
        let (path, call) = method("left");
        mesh.app("left").server.on(&path, Reply::status(200).after(Duration::from_secs(5)));
        for count in 1..=2 {
            let mut raw = mesh.app("orders").raw();
            raw.write(format!("GET {call} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes());
            let _ = mesh.app("left").server.wait_for(&path, count);
        }
        // The proxy sees the closed connections at once.
        std::thread::sleep(Duration::from_millis(500));
        assert!(held_back(mesh.app("orders"), &call));
    });
}

#[test]
fn tries_count_for_the_breaker_and_end_when_it_opens() {
    MESHES.each(|mesh| {
        let (path, call) = method("tried");
        mesh.app("tried").server.on(&path, Reply::bytes(500, "no"));
        assert_eq!(mesh.app("orders").get(&call).send().expect(500).text(), "no");
        assert_eq!(calls(mesh.app("tried"), &path), 3);
        assert!(held_back(mesh.app("orders"), &call));
    });
}

#[test]
fn grpc_calls_count_for_the_breaker_by_their_status_wherever_it_stands() {
    MESHES.each(|mesh| {
        let say = || block_on(talk(mesh, "guarded", "x").unary("/weft.test.Talk/Say", "x"));
        let held = |what: &str| {
            let held = say().unwrap_err();
            let text = "failed to invoke, id: guarded, err: circuit breaker is open";
            assert_eq!((held.code(), held.message()), (Code::Unavailable, text), "{what}");
        };
        let give = || block_on(talk(mesh, "guarded", "x").unary("/weft.test.Talk/Give", "5")).unwrap_err();
        for _ in 0..3 {
            assert_eq!(give().code(), Code::NotFound);
            // Its success comes with the trailers, and keeps the breaker closed.
            assert_eq!(say().unwrap().into_inner(), "x");
        }
        give();
        give();
        held("statuses in the head");
        std::thread::sleep(Duration::from_millis(1100));
        assert_eq!(say().unwrap().into_inner(), "x");
        for _ in 0..2 {
            assert_eq!(block_on(talk(mesh, "guarded", "x").broken_off(Code::NotFound)).code(), Code::NotFound);
        }
        held("statuses in the trailers");
    });
}

#[test]
fn a_closed_breaker_forgets_what_it_has_counted_when_its_interval_is_over() {
    MESHES.each(|mesh| {
        let (orders, forgetful) = (mesh.app("orders"), mesh.app("forgetful"));
        let (path, call) = method("forgetful");
        forgetful.server.on(&path, Reply::status(500));
        let fails = || assert!(!held_back(orders, &call));
        fails();
        fails();
        // The three that open it lie in one interval now.
        std::thread::sleep(Duration::from_millis(3100));
        fails();
        fails();
        fails();
        assert!(held_back(orders, &call));
        assert_eq!(calls(forgetful, &path), 5);
    });
}

#[test]
fn a_half_open_breaker_lets_as_many_calls_through_as_its_policy_says() {
    MESHES.each(|mesh| {
        let (orders, wide) = (mesh.app("orders"), mesh.app("wide"));
        let (path, call) = method("wide");
        wide.server.on(&path, Reply::status(500));
        orders.get(&call).send().expect(500);
        orders.get(&call).send().expect(500);
        assert!(held_back(orders, &call));
        wide.server.on(&path, Reply::status(200).after(Duration::from_secs(1)));
        std::thread::sleep(Duration::from_millis(3100));
        std::thread::scope(|scope| {
            let probes = [(); 2].map(|()| scope.spawn(|| orders.get(&call).send().status));
            let _ = wide.server.wait_for(&path, 4);
            let text = orders.get(&call).send().text();
            assert!(text.contains("half open"), "{text}");
            assert_eq!(probes.map(|probe| probe.join().unwrap()), [200, 200]);
        });
        // Both have succeeded, so it is closed.
        wide.server.on(&path, Reply::status(200));
        for _ in 0..5 {
            orders.get(&call).send().expect(200);
        }
    });
}
