//! What calls carry of a trace.

use super::MESHES;
use weft_tests::app::{Reply, Seen};
use weft_tests::client::Answer;
use weft_tests::dapr::unique;
use weft_tests::grpc::Talk;
use weft_tests::mesh::Mesh;
use weft_tests::runtime::block_on;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn call(mesh: &Mesh, headers: &[(&str, &str)]) -> (Answer, Vec<Seen>) {
    let path = format!("/{}", unique("trace"));
    mesh.app("warehouse").server.on(&path, Reply::status(200));
    let call = mesh.app("orders").get(&path).header("dapr-app-id", "warehouse");
    let answer = headers.iter().fold(call, |call, (name, value)| call.header(name, value)).send();
    (answer, mesh.app("warehouse").server.seen(&path))
}

/// The trace that a `traceparent` names.
fn trace(traceparent: &str) -> String {
    traceparent.split('-').nth(1).unwrap().to_owned()
}

#[test]
fn the_answer_carries_the_trace_its_state_and_the_baggage() {
    MESHES.each(|mesh| {
        let baggage = "user=a%20b;ttl=5,tier = gold";
        let (answer, seen) = call(mesh, &[("traceparent", PARENT), ("tracestate", "a=1"), ("baggage", baggage)]);
        assert_eq!(answer.status, 200);
        let parent = answer.header("traceparent").unwrap();
        assert_eq!((trace(parent), parent == PARENT), (trace(PARENT), false));
        assert_eq!((answer.header("tracestate"), answer.header("baggage")), (Some("a=1"), Some(baggage)));
        assert_eq!(seen[0].value("baggage").as_deref(), Some(baggage));
        let (answer, seen) = call(mesh, &[]);
        assert_eq!(trace(answer.header("traceparent").unwrap()), trace(&seen[0].value("traceparent").unwrap()));
        assert_eq!((answer.header("tracestate"), answer.header("baggage")), (None, None));
    });
}

#[test]
fn malformed_baggage_is_refused_and_reaches_nobody() {
    MESHES.each(|mesh| {
        for broken in ["nothing", "a=1,,b=2", "a=%zz", "a b=1"] {
            let (answer, seen) = call(mesh, &[("baggage", broken)]);
            assert_eq!((answer.status, answer.text().as_str()), (400, "invalid baggage header"), "{broken}");
            assert!(answer.header("traceparent").is_some() && answer.header("baggage").is_none());
            assert_eq!(seen.len(), 0);
        }
        let talk = Talk::at(&mesh.app("orders").grpc()).with("dapr-app-id", "modern").with("baggage", "nothing");
        let status = block_on(talk.unary("/weft.test.Talk/Say", "x")).unwrap_err();
        assert_eq!((status.code(), status.message()), (tonic::Code::InvalidArgument, "invalid baggage header"));
    });
}
