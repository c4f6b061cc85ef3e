//! `weft run -f`: several applications in one Envoy.

use crate::STAYS;
use hyper::Method;
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;
use weft_tests::app::{Reply, TestApp};
use weft_tests::client::{Call, get};
use weft_tests::process::{children, command_line};
use weft_tests::weft::{self, Weft};

/// A folder with a run file of `front` and `back`, whose servers are the test's.
struct Run {
    folder: TempDir,
    front: TestApp,
    back: TestApp,
}

impl Run {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["front", "back", "components"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder, front: TestApp::start(), back: TestApp::start() }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the run file; `front` and `back` are more members of the applications.
    fn write(&self, head: &str, front: &str, back: &str) {
        let app = |name: &str, app: &TestApp, more: &str| {
            format!("- appID: {name}\n  appDirPath: {name}\n  appPort: {}\n{more}", app.port())
        };
        let apps = app("front", &self.front, front) + &app("back", &self.back, back);
        std::fs::write(self.file("run.yaml"), format!("version: 1\n{head}apps:\n{apps}")).unwrap();
    }

    fn start(&self) -> Weft {
        Weft::start([Path::new("run"), Path::new("-f"), &self.file("run.yaml")])
    }
}

fn script(text: &str) -> String {
    format!("  command: [sh, -c, {}]\n", json!(text))
}

/// The Dapr HTTP API of both.
fn both(weft: &Weft) -> (String, String) {
    let of = |name: &str| format!("127.0.0.1:{}", weft.number(name));
    (of("front | http="), of("back  | http="))
}

fn post(address: &str, path: &str, body: &Value) -> weft_tests::client::Answer {
    Call::new(Method::POST, address, path).json(body).send()
}

#[test]
fn applications_call_each_other_by_name_through_one_envoy() {
    let run = Run::new();
    run.write("", &script(STAYS), &script(STAYS));
    run.back.on_call("/hello", |seen| Reply::bytes(200, seen.values("dapr-caller-app-id").join(",")));
    let weft = run.start();
    let (front, back) = both(&weft);
    assert_eq!(get(&front, "/v1.0/invoke/back/method/hello").send().expect(200).text(), "front");
    assert_eq!(get(&back, "/v1.0/invoke/front/method/none").send().status, 404);
    let envoys = children(weft.pid()).into_iter().filter(|pid| command_line(*pid).contains("--config-path"));
    assert_eq!(envoys.count(), 1);
}

#[test]
fn applications_share_the_store_and_the_broker_in_memory() {
    let run = Run::new();
    let component = |name: &str, kind: &str, metadata: &str| {
        format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: {name}}}\nspec: {{type: {kind}{metadata}}}\n"
        )
    };
    let subscription = "apiVersion: dapr.io/v2alpha1\nkind: Subscription\nmetadata: {name: s}\n\
                        spec: {pubsubname: bus, topic: t, routes: {default: /events}}\nscopes: [back]\n";
    let store = component("shared", "state.in-memory", ", metadata: [{name: keyPrefix, value: none}]");
    let text = [store, component("bus", "pubsub.in-memory", ""), subscription.to_owned()].join("---\n");
    std::fs::write(run.file("components/all.yaml"), text).unwrap();
    run.write("common: {resourcesPath: components}\n", &script(STAYS), &script(STAYS));
    run.back.on("/events", Reply::status(200));
    let weft = run.start();
    let (front, back) = both(&weft);
    post(&front, "/v1.0/state/shared", &json!([{"key": "a", "value": 1}])).expect(204);
    assert_eq!(get(&back, "/v1.0/state/shared/a").send().expect(200).json(), json!(1));
    weft_tests::wait::until_true("the subscription is made", || {
        get(&back, "/v1.0/metadata").send().json()["subscriptions"].is_array()
    });
    post(&front, "/v1.0/publish/bus/t", &json!({"n": 2})).expect(204);
    let event: Value = serde_json::from_slice(&run.back.wait_for("/events", 1)[0].body).unwrap();
    assert_eq!((&event["data"], &event["source"]), (&json!({"n": 2}), &json!("front")));
    assert_eq!(run.front.seen("/events").len(), 0);
}

#[test]
fn one_that_ends_leaves_the_others_and_the_first_failure_is_the_status() {
    let run = Run::new();
    run.write("", &script("exit 5"), &script(STAYS));
    let weft = run.start();
    weft.err("front ended: exit status: 5");
    let back = format!("127.0.0.1:{}", weft.number("back  | http="));
    get(&back, "/v1.0/healthz/outbound").send().expect(204);
    weft.signal("TERM");
    assert_eq!(weft.wait().status, 5);
}

#[test]
fn the_run_ends_when_the_last_one_has_ended() {
    let run = Run::new();
    run.write("", &script("exit 0"), &script("echo done"));
    let ended = run.start().wait();
    assert_eq!((ended.status, ended.out.as_str()), (0, "back  | done\n"));
}

#[test]
fn each_runs_in_its_folder_with_its_own_environment() {
    let run = Run::new();
    let print = script("echo $PWD $DEBUG $LEVEL $APP_ID");
    run.write("common: {env: {DEBUG: true, LEVEL: 1}}\n", &print, &(print.clone() + "  env: {LEVEL: 2}\n"));
    let ended = run.start().wait();
    let folder = run.folder.path().canonicalize().unwrap();
    for (name, line) in [("front", "true 1 front"), ("back", "true 2 back")] {
        let wanted = format!("| {} {line}\n", folder.join(name).display());
        assert!(ended.out.contains(&wanted), "{}{wanted}", ended.out);
    }
}

#[test]
fn lines_go_to_files_if_the_run_file_says_so() {
    let run = Run::new();
    let print = script("echo out; echo err >&2");
    run.write(
        "common: {appLogDestination: file, daprdLogDestination: file}\n",
        &print,
        &(print.clone() + "  appLogDestination: fileAndConsole\n"),
    );
    let ended = run.start().wait();
    assert_eq!(ended.out, "back  | out\n");
    for name in ["front", "back"] {
        let file = run.file(name).join(format!(".dapr/logs/{name}_app.log"));
        let text = std::fs::read_to_string(file).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["err", "out"]);
        assert!(run.file(name).join(format!(".dapr/logs/{name}_daprd.log")).is_file());
    }
}

#[test]
fn an_application_may_have_a_log_level_of_its_own() {
    let run = Run::new();
    run.write("", &(script(STAYS) + "  logLevel: debug\n"), &script(STAYS));
    let weft = run.start();
    for address in <[String; 2]>::from(both(&weft)) {
        let call = Call::new(Method::POST, &address, "/v1.0/publish/pubsub/t");
        call.header("content-type", "application/cloudevents+json").body("no JSON").send().expect(500);
    }
    let refused = "[weft] debug pubsub: a CloudEvent was refused";
    weft.err(&format!("front | {refused}"));
    weft.signal("TERM");
    let said = weft.wait().err;
    assert_eq!(said.matches(refused).count(), 1, "{said}");
    assert!(!said.contains("[envoy] debug"), "{said}");
}

#[test]
fn everything_wrong_with_the_run_file_and_the_resources_is_told_before_anything_starts() {
    let run = Run::new();
    let text = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: m}\nspec:\n  type: state.mongodb\n";
    std::fs::write(run.file("components/m.yaml"), text).unwrap();
    let marker = run.file("started");
    let touch = script(&format!("touch {}", marker.display()));
    run.write("common: {resourcesPath: components}\n", &touch, &(touch.clone() + "  appSSL: true\n"));
    let ended = weft::run([Path::new("run"), Path::new("-f"), &run.file("run.yaml")]);
    let (file, resources) = (run.file("run.yaml"), run.file("components/m.yaml"));
    let lines: Vec<&str> = ended.err.lines().collect();
    assert_eq!(lines[0], "weft: nothing was done, because of 2 problems:");
    let wanted =
        format!("  {}:5: Component \"m\": type \"state.mongodb\" is not supported; there are ", resources.display());
    assert!(lines[1].starts_with(&wanted), "{}", ended.err);
    let wanted = format!("  {}:12: the application \"back\": apps[1].appSSL is not supported: ", file.display());
    assert!(lines[2].starts_with(&wanted), "{}", ended.err);
    assert_eq!((ended.status, lines.len(), marker.exists()), (1, 3, false));
}

#[test]
fn the_name_of_an_endpoint_goes_before_an_application_of_that_name() {
    let (run, far) = (Run::new(), TestApp::start());
    let endpoint = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: HTTPEndpoint\nmetadata: {{name: back}}\nspec: {{baseUrl: \"http://127.0.0.1:{}\"}}\nscopes: [front]\n",
        far.port()
    );
    std::fs::write(run.file("components/far.yaml"), endpoint).unwrap();
    run.write("common:\n  resourcesPath: components\n", &script(STAYS), &script(STAYS));
    let weft = run.start();
    let (front, back) = both(&weft);
    for app in [&run.back, &far] {
        app.on("/x", Reply::status(200));
    }
    get(&front, "/v1.0/invoke/back/method/x").send().expect(200);
    assert_eq!((run.back.seen("/x").len(), far.seen("/x").len()), (0, 1));
    // Its scopes leave the other one out.
    get(&back, "/v1.0/invoke/back/method/x").send().expect(200);
    assert_eq!((run.back.seen("/x").len(), far.seen("/x").len()), (1, 1));
}
