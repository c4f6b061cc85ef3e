//! What calls carry of a trace.

use super::MESHES;
use hyper::Method;
use hyper::header::{HeaderMap, HeaderName};
use tonic::metadata::MetadataMap;
use weft_tests::app::{Reply, Seen};
use weft_tests::client::{Answer, Call};
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

/// The bytes of a field whose name ends in `-bin`.
fn binary(seen: &Seen, name: &str) -> Vec<u8> {
    let mut fields = HeaderMap::new();
    let name: HeaderName = name.parse().unwrap();
    fields.insert(name.clone(), seen.value(name.as_str()).unwrap().parse().unwrap());
    MetadataMap::from_headers(fields).get_bin(name.as_str()).unwrap().to_bytes().unwrap().to_vec()
}

#[test]
fn a_grpc_application_is_told_the_trace_in_binary_too() {
    MESHES.each(|mesh| {
        let id = unique("binary");
        let call = Call::new(Method::POST, &mesh.app("orders").grpc(), "/weft.test.Talk/Say").http2().body(vec![0; 5]);
        let call = call.header("content-type", "application/grpc").header("te", "trailers");
        let call = call.header("dapr-app-id", "modern").header("x-id", &id).header("traceparent", PARENT);
        for call in [call.clone(), call.header("grpc-trace-bin", "AABL+S81d7NNpqPOkp0ODkc2AQDwZ6oLqQK3AgE")] {
            call.send().expect(200);
        }
        let all = mesh.app("modern").server.seen("/weft.test.Talk/Say");
        let mine: Vec<_> = all.iter().filter(|it| it.value("x-id").as_ref() == Some(&id)).collect();
        assert_eq!(mine.len(), 2);
        for one in mine {
            let bytes = binary(one, "grpc-trace-bin");
            assert_eq!((bytes.len(), &bytes[..2], bytes[18], bytes[27]), (29, &[0, 0][..], 1, 2));
            let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            let told = format!("00-{}-{}-{}", hex(&bytes[2..18]), hex(&bytes[19..27]), hex(&bytes[28..]));
            assert_eq!((trace(&told), Some(told)), (trace(PARENT), one.value("traceparent")));
        }
    });
}

#[test]
fn an_http_application_is_told_no_trace_in_binary() {
    MESHES.each(|mesh| {
        let (_, seen) = call(mesh, &[("traceparent", PARENT)]);
        assert_eq!(seen[0].value("grpc-trace-bin"), None);
    });
}
