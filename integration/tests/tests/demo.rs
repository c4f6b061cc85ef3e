//! `cargo xtask demo`, as a newcomer runs it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::json;
use std::fs::File;
use std::process::Command;
use weft_tests::client::{Call, get};
use weft_tests::env;
use weft_tests::weft::Weft;

/// The demo's ports are fixed, so there is one at a time on a machine.
fn alone() -> File {
    let lock = File::create(std::env::temp_dir().join("weft-demo-test.lock")).unwrap();
    lock.lock().unwrap();
    lock
}

fn demo(arguments: &[&str]) -> Weft {
    let mut command = Command::new(env::demo());
    command
        .args(arguments)
        .current_dir(env::workspace())
        .env("WEFT_BIN", env::weft())
        .env("WEFT_WASM", env::module())
        .env("ENVOY_BIN", env::envoy())
        .env("REDIS_SERVER_BIN", env::redis_server());
    Weft::of(command)
}

#[test]
fn every_step_holds_in_memory() {
    let _alone = alone();
    let ended = demo(&["--once"]).wait();
    assert_eq!(ended.status, 0, "{}{}", ended.out, ended.err);
    let head = "A shop, a warehouse and a courier, started by: weft run -f integration/demo/run.yaml\n";
    assert!(ended.out.starts_with(head), "{}", ended.out);
    assert!(ended.out.contains("\n8 of 8 steps held\n"), "{}", ended.out);
}

#[test]
fn every_step_holds_on_redis_and_the_order_lies_there_as_daprd_would_keep_it() {
    let _alone = alone();
    let ended = demo(&["--once", "--redis"]).wait();
    assert_eq!(ended.status, 0, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("hash shop||order-1: data {"), "{}", ended.out);
    assert!(ended.out.contains("\n9 of 9 steps held\n"), "{}", ended.out);
}

#[test]
fn it_stays_up_with_what_it_says_until_it_is_ended() {
    let _alone = alone();
    let demo = demo(&[]);
    demo.out("It stays up until Ctrl-C");
    let order = Call::new(hyper::Method::POST, "127.0.0.1:3501", "/v1.0/invoke/shop/method/orders");
    order.json(&json!({"item": "cup", "count": 1})).send().expect(201);
    demo.out("took order-2: 1 x cup");
    let left = get("127.0.0.1:3501", "/v1.0/invoke/warehouse/method/stock/cup").send().expect(200).json();
    assert_eq!(left, json!({"item": "cup", "left": 96}));
    demo.signal("INT");
    assert_eq!(demo.wait().status, 0);
    assert!(std::net::TcpStream::connect("127.0.0.1:3501").is_err());
}
