//! Applications that are spoken to by TLS, with a certificate that nobody has signed but they themselves.

use crate::{STAYS, http, stays};
use hyper::{Method, Version};
use serde_json::json;
use std::time::Duration;
use weft_tests::app::{Reply, Secure, TestApp};
use weft_tests::certificates::self_signed;
use weft_tests::client::Call;
use weft_tests::grpc::Talk;
use weft_tests::runtime::block_on;
use weft_tests::wait;
use weft_tests::weft::Weft;

/// How long a slow answer takes.
const PAUSE: Duration = Duration::from_millis(300);

fn app(protocols: &[&str]) -> TestApp {
    let app = TestApp::secure(Secure::new(&self_signed(), protocols));
    app.on("/add", Reply::bytes(201, "added").with("x-mine", "1"));
    app.on("/events", Reply::event("SUCCESS"));
    app.subscribes(&json!([{"pubsubname": "pubsub", "topic": "orders", "route": "/events"}]));
    app
}

/// A call and an event reach the application, and nothing reaches it otherwise than by this version of HTTP.
fn judge(weft: &Weft, app: &TestApp, version: Version) {
    let http = http(weft);
    let post = |path: &str| Call::new(Method::POST, &http, path);
    let answer = post("/v1.0/invoke/orders/method/add?n=1").body("one").send().expect(201);
    assert_eq!((answer.text().as_str(), answer.header("x-mine")), ("added", Some("1")));
    let seen = app.wait_for("/add", 1).remove(0);
    assert_eq!((seen.query(), &seen.body[..]), (Some("n=1"), &b"one"[..]));
    wait::until_true("the subscription is made", || {
        Call::new(Method::GET, &http, "/v1.0/metadata").send().json()["subscriptions"].is_array()
    });
    post("/v1.0/publish/pubsub/orders").json(&json!({"n": 2})).send().expect(204);
    assert_eq!(app.wait_for("/events", 1)[0].json()["data"], json!({"n": 2}));
    assert!(!app.seen("/dapr/subscribe").is_empty());
    for one in app.all_seen() {
        assert_eq!(one.version, version, "{}", one.target);
    }
}

#[test]
fn an_application_of_the_protocol_https_is_spoken_to_in_the_version_that_it_offers() {
    for (offers, version) in [
        (&["http/1.1"][..], Version::HTTP_11),
        (&[], Version::HTTP_11),
        (&["h2", "http/1.1"], Version::HTTP_2),
        (&["h2"], Version::HTTP_2),
    ] {
        let app = app(offers);
        let weft = stays(Some(app.port()), &["--app-protocol", "https"]);
        judge(&weft, &app, version);
    }
}

#[test]
fn an_application_of_the_protocol_grpcs_takes_calls_and_events_by_http2() {
    let app = app(&["h2"]);
    let weft = stays(Some(app.port()), &["--app-protocol", "grpcs"]);
    judge(&weft, &app, Version::HTTP_2);
    say(&weft, &app);
}

/// A gRPC call through Dapr's gRPC port.
fn say(weft: &Weft, app: &TestApp) {
    let talk = Talk::at(&format!("127.0.0.1:{}", weft.number("grpc="))).with("dapr-app-id", "orders");
    assert_eq!(block_on(talk.unary("/weft.test.Talk/Say", "hello")).unwrap().into_inner(), "hello");
    assert_eq!(block_on(talk.count(3)).unwrap(), ["0", "1", "2"]);
    assert_eq!(app.seen("/weft.test.Talk/Say")[0].value("te").as_deref(), Some("trailers"));
}

#[test]
fn an_application_of_the_protocol_https_that_offers_http2_takes_grpc_too() {
    let app = app(&["h2", "http/1.1"]);
    say(&stays(Some(app.port()), &["--app-protocol", "https"]), &app);
}

#[test]
fn the_guards_of_an_application_hold_over_tls() {
    for offers in [&["http/1.1"][..], &["h2", "http/1.1"]] {
        let app = app(offers);
        app.on("/healthz", Reply::status(200));
        app.on("/slow", Reply::status(200).after(PAUSE));
        let more = ["--app-protocol", "https", "--app-max-concurrency", "1", "--enable-app-health-check"];
        let weft = stays(Some(app.port()), &more);
        let http = http(&weft);
        let get = |path: &str| Call::new(Method::GET, &http, &format!("/v1.0/invoke/orders/method{path}")).send();
        wait::until_true("the application is found well", || get("/add").status == 201);
        assert!(!app.seen("/healthz").is_empty());
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| get("/slow").expect(200));
            }
        });
        let at: Vec<_> = app.seen("/slow").iter().map(|it| it.at).collect();
        assert!(at.windows(2).all(|two| two[1] - two[0] >= PAUSE), "{offers:?} {at:?}");
    }
}

#[test]
fn a_run_file_says_each_applications_protocol() {
    let folder = tempfile::tempdir().unwrap();
    let (orders, plain) = (app(&["http/1.1"]), TestApp::start());
    plain.on("/x", Reply::status(200));
    let text = format!(
        "version: 1\napps:\n- {{appID: orders, appDirPath: ., appPort: {}, appProtocol: https, command: [sh, -c, {STAYS:?}]}}\n\
         - {{appID: plain, appDirPath: ., appPort: {}, command: [sh, -c, exec sleep 600]}}\n",
        orders.port(),
        plain.port()
    );
    let file = folder.path().join("run.yaml");
    std::fs::write(&file, text).unwrap();
    let weft = Weft::start(["run".as_ref(), "-f".as_ref(), file.as_os_str()]);
    let http = http(&weft);
    Call::new(Method::GET, &http, "/v1.0/invoke/orders/method/add").send().expect(201);
    Call::new(Method::GET, &http, "/v1.0/invoke/plain/method/x").send().expect(200);
}
