//! Start, output, end.

use crate::{http, stays};
use std::os::unix::fs::PermissionsExt;
use weft_tests::process::{children, command_line, is_alive, signal};
use weft_tests::wait::until_true;
use weft_tests::weft::{self, Weft};

fn run(script: &str) -> Vec<&str> {
    vec!["run", "--app-id", "orders", "--", "sh", "-c", script]
}

#[test]
fn the_status_is_the_applications() {
    assert_eq!(weft::run(run("exit 0")).status, 0);
    assert_eq!(weft::run(run("exit 7")).status, 7);
    assert_eq!(weft::run(run("kill -KILL $$")).status, 128 + 9);
}

#[test]
fn every_line_comes_out_where_it_went_in_with_the_id_in_front() {
    let ended = weft::run(run("echo one; echo two; echo three >&2; printf four"));
    assert_eq!(ended.out, "orders | one\norders | two\norders | four\n");
    assert!(ended.err.contains("orders | three\n"), "{}", ended.err);
}

#[test]
fn lines_that_are_no_text_and_very_long_lines_come_out_whole() {
    let ended = weft::run(run(r"printf '\377\376\n'; head -c 200000 /dev/zero | tr '\0' x; echo"));
    assert!(ended.out.starts_with("orders | \u{fffd}\u{fffd}\n"), "{:?}", &ended.out[..40]);
    assert_eq!(ended.out.matches('x').count(), 200_000);
}

#[test]
fn sigterm_ends_the_application_its_own_way_and_then_the_proxy() {
    let script = "trap 'echo bye; exit 3' TERM; echo http=$DAPR_HTTP_PORT; while true; do sleep 0.01; done";
    let weft = Weft::start(run(script));
    let address = http(&weft);
    let envoy = weft.envoy();
    weft.signal("TERM");
    let ended = weft.wait();
    assert_eq!(ended.status, 3);
    assert!(ended.out.ends_with("orders | bye\n"), "{}", ended.out);
    assert!(!is_alive(envoy));
    assert!(std::net::TcpStream::connect(&address).is_err());
}

#[test]
fn the_application_can_use_the_proxy_until_it_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let script = format!(
        "trap 'echo leaving=; while [ ! -e {} ]; do sleep 0.01; done; exit 0' TERM
         echo http=$DAPR_HTTP_PORT; while true; do sleep 0.01; done",
        go.display()
    );
    let weft = Weft::start(run(&script));
    let address = http(&weft);
    weft.signal("TERM");
    weft.out("leaving=");
    weft_tests::client::get(&address, "/v1.0/healthz").send().expect(204);
    std::fs::write(go, b"").unwrap();
    assert_eq!(weft.wait().status, 0);
}

#[test]
fn sigint_is_passed_on_as_it_is() {
    let weft = stays(None, &[]);
    weft.number("pid=");
    weft.signal("INT");
    assert_eq!(weft.wait().status, 128 + 2);
}

#[test]
fn a_signal_before_the_application_is_started_is_the_status() {
    let folder = tempfile::tempdir().unwrap();
    let envoy = folder.path().join("envoy");
    std::fs::write(&envoy, "#!/bin/sh\necho '[warning][main] not ready' >&2\nwhile true; do sleep 0.01; done\n")
        .unwrap();
    std::fs::set_permissions(&envoy, std::fs::Permissions::from_mode(0o755)).unwrap();
    for (name, status) in [("INT", 128 + 2), ("TERM", 128 + 15)] {
        let mut command = weft::command(run("echo started"));
        command.env("ENVOY_BIN", &envoy);
        let weft = Weft::of(command);
        weft.err("not ready");
        weft.signal(name);
        let ended = weft.wait();
        assert_eq!((ended.status, ended.out.as_str()), (status, ""), "{}", ended.err);
    }
}

#[test]
fn a_second_signal_kills_an_application_that_does_not_listen() {
    let weft = Weft::start(run("trap '' TERM; echo pid=$$; while true; do sleep 0.01; done"));
    weft.number("pid=");
    weft.signal("TERM");
    weft.signal("TERM");
    // A signal that comes while the first one is being handled may be taken for the first.
    until_true("the second signal has come", || {
        if is_alive(weft.pid()) {
            signal("TERM", weft.pid());
        }
        !is_alive(weft.pid())
    });
    assert_eq!(weft.wait().status, 128 + 9);
}

#[test]
fn without_a_command_there_is_the_api_until_a_signal_comes() {
    let port = weft_tests::ports::free();
    let weft = Weft::start(["run", "--app-id", "orders", "--dapr-http-port", &port.to_string()]);
    weft.err("orders: Dapr HTTP");
    weft_tests::client::get(&format!("127.0.0.1:{port}"), "/v1.0/healthz").send().expect(204);
    weft.signal("TERM");
    assert_eq!(weft.wait().status, 0);
}

#[test]
fn nothing_outlives_a_weft_that_is_killed() {
    let weft = Weft::start(run("sleep 600 & echo child=$!; echo pid=$$; wait"));
    let (child, app) = (u32::from(weft.number("child=")), u32::from(weft.number("pid=")));
    let envoy = weft.envoy();
    let folder = folder_of(envoy);
    assert!(folder.is_dir());
    weft.signal("KILL");
    for pid in [child, app, envoy] {
        until_true(&format!("process {pid} is ended"), || !is_alive(pid));
    }
    until_true("the folder is removed", || !folder.exists());
}

#[test]
fn what_an_application_leaves_behind_is_ended_with_it() {
    let weft = Weft::start(run("sleep 600 & echo child=$!"));
    let child = u32::from(weft.number("child="));
    assert_eq!(weft.wait().status, 0);
    assert!(!is_alive(child));
}

#[test]
fn an_ordinary_end_leaves_no_process_and_no_folder() {
    let weft = stays(None, &[]);
    weft.number("pid=");
    let folder = folder_of(weft.envoy());
    let all = children(weft.pid());
    assert_eq!(all.len(), 3, "the guard, Envoy and the application");
    weft.signal("TERM");
    let _ended = weft.wait();
    assert!(!folder.exists());
    assert!(!all.into_iter().any(is_alive));
}

fn folder_of(envoy: u32) -> std::path::PathBuf {
    let line = command_line(envoy);
    let mut words = line.split(' ').skip_while(|word| *word != "--config-path");
    let file = std::path::PathBuf::from(words.nth(1).expect("a file"));
    file.parent().expect("a folder").to_path_buf()
}
