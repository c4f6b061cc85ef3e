//! What cannot be run says why.

use crate::stays;
use std::net::TcpListener;
use weft_tests::process::{is_alive, signal};
use weft_tests::wait::until_true;
use weft_tests::weft::{self, Weft};

#[test]
fn a_missing_envoy_is_named_with_the_remedy() {
    let mut command = weft::command(["run", "--app-id", "orders", "--", "true"]);
    command.env("ENVOY_BIN", "/nowhere/envoy");
    let ended = Weft::of(command).wait();
    assert_eq!((ended.status, ended.err.as_str()), (1, "weft: ENVOY_BIN: there is no file /nowhere/envoy\n"));
    let mut command = weft::command(["run", "--app-id", "orders", "--", "true"]);
    command.env_remove("ENVOY_BIN").env("PATH", "/nowhere");
    let ended = Weft::of(command).wait();
    assert_eq!(ended.status, 1);
    assert!(ended.err.contains("set ENVOY_BIN"), "{}", ended.err);
}

#[test]
fn a_missing_module_is_named_with_the_place_where_it_should_be() {
    let ended = weft::run(["run", "--app-id", "orders", "--wasm", "/nowhere", "--", "true"]);
    assert_eq!(ended.status, 1);
    assert!(ended.err.contains("/nowhere is no file and no folder with weft.wasm"), "{}", ended.err);
}

#[test]
fn a_port_that_is_taken_is_named_with_its_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for flag in ["--dapr-http-port", "--dapr-grpc-port", "--admin-port"] {
        let ended = weft::run(["run", "--app-id", "orders", flag, &port, "--", "true"]);
        assert_eq!(ended.status, 1);
        let what = format!("{flag}: the port {port} of 127.0.0.1 is taken by another program");
        assert_eq!(ended.err, format!("weft: nothing was done, because of a problem:\n  {what}\n"));
    }
}

#[test]
fn a_command_that_is_not_there_ends_the_run() {
    let ended = weft::run(["run", "--app-id", "orders", "--", "/nowhere/app"]);
    assert_eq!(ended.status, 1);
    assert!(
        ended
            .err
            .ends_with("weft: orders: \"/nowhere/app\" cannot be started: No such file or directory (os error 2)\n")
    );
}

#[test]
fn an_envoy_that_dies_takes_the_run_with_it_and_says_so() {
    let weft = stays(None, &[]);
    let app = u32::from(weft.number("pid="));
    signal("KILL", weft.envoy());
    let ended = weft.wait();
    assert_eq!(ended.status, 1);
    assert!(ended.err.contains("Envoy ended by itself (signal: 9 (SIGKILL)), so the run is over"), "{}", ended.err);
    until_true("the application is ended", || !is_alive(app));
}

#[test]
fn a_flag_that_is_wrong_gives_usage_and_status_2() {
    let ended = weft::run(["run", "--app-id", "orders", "--app-port", "x"]);
    assert_eq!(ended.status, 2);
    assert!(ended.err.contains("--app-port"), "{}", ended.err);
}

#[test]
fn flags_of_dapr_that_weft_does_not_have_are_told_with_the_reason() {
    let words =
        ["run", "--app-id", "orders", "--app-ssl", "--metrics-port", "9090", "--app-protocol", "http", "--", "true"];
    let ended = weft::run(words);
    assert_eq!(ended.status, 1);
    let wanted = "weft: --app-ssl is not supported: write --app-protocol https or grpcs
weft: --metrics-port is not supported: Envoy's statistics are at --admin-port
";
    assert_eq!(ended.err, wanted);
    let ended = weft::run(["run", "--app-id", "orders", "--app-protocol", "tcp", "--", "true"]);
    assert!(
        ended.err.contains("'--app-protocol <PROTOCOL>': there are http, https, h2c, grpc, grpcs"),
        "{}",
        ended.err
    );
}

#[test]
fn one_port_for_two_things_is_told_with_both_flags() {
    let words = ["run", "--app-id", "orders", "--app-port", "8123", "--dapr-http-port", "8123", "--", "true"];
    let ended = weft::run(words);
    assert!(ended.err.contains("  --dapr-http-port: the port 8123 stands at --app-port too\n"), "{}", ended.err);
    let words = ["run", "--app-id", "orders", "--admin-port", "8123", "--app-port", "8123", "--", "true"];
    let ended = weft::run(words);
    assert!(ended.err.contains("  --app-port: the port 8123 stands at --admin-port too\n"), "{}", ended.err);
}
