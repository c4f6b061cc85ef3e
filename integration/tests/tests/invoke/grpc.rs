//! gRPC calls of another application through Dapr's gRPC port.

use super::MESHES;
use super::pairs::{Pair, each};
use std::time::Duration;
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::Code;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_types::StatusExt;
use weft_tests::grpc::Talk;
use weft_tests::runtime::block_on;
use weft_tests::wait;

/// A client of the application `orders`' gRPC port that calls `modern`.
fn modern(pair: &Pair<'_>) -> Talk {
    Talk::at(&pair.grpc()).with("dapr-app-id", "modern")
}

#[test]
fn a_unary_call_passes_with_its_metadata() {
    each(|pair| {
        let answer = block_on(modern(pair).with("x-echo", "told").unary("/weft.test.Talk/Say", "hello")).unwrap();
        assert_eq!(answer.metadata().get("x-echo").unwrap(), "told");
        assert_eq!(answer.into_inner(), "hello");
    });
}

#[test]
fn the_callee_learns_who_calls_by_grpc() {
    each(|pair| {
        let id = weft_tests::dapr::unique("grpc");
        let forged = modern(pair).with("dapr-caller-app-id", "boss").with("dapr-api-token", "secret").with("x-id", &id);
        block_on(forged.unary("/weft.test.Talk/Say", "hello")).unwrap();
        let all = pair.server("modern").seen("/weft.test.Talk/Say");
        let seen = all.iter().find(|it| it.value("x-id").as_ref() == Some(&id)).unwrap();
        assert_eq!(seen.value("dapr-caller-app-id").as_deref(), Some("orders"));
        assert_eq!(seen.value("dapr-callee-app-id").as_deref(), Some("modern"));
        assert_eq!(seen.value("te").as_deref(), Some("trailers"));
        for name in ["dapr-app-id", "dapr-api-token", "x-weft-cluster"] {
            assert_eq!(seen.value(name), None, "{name}");
        }
        let answer = block_on(modern(pair).unary("/weft.test.Talk/Say", "x")).unwrap();
        assert!(answer.metadata().contains_key("traceparent"), "{:?}", answer.metadata());
    });
}

#[test]
fn the_callees_id_may_be_named_by_either_of_two_names() {
    each(|pair| {
        let talk = Talk::at(&pair.grpc()).with("dapr-app-id", "nobody");
        let talk = talk.with("dapr-callee-app-id", "modern");
        assert_eq!(block_on(talk.unary("/weft.test.Talk/Say", "a")).unwrap().into_inner(), "a");
    });
}

#[test]
fn a_stream_of_answers_passes() {
    each(|pair| {
        let texts = block_on(modern(pair).count(1000)).unwrap();
        assert_eq!(texts, (0..1000).map(|it| it.to_string()).collect::<Vec<_>>());
    });
}

#[test]
fn a_stream_of_requests_passes() {
    each(|pair| {
        assert_eq!(block_on(modern(pair).join(&["a", "b", "c"])).unwrap(), "a,b,c");
    });
}

#[test]
fn ten_thousand_messages_pass_both_ways_each_answered_before_the_next() {
    each(|pair| {
        block_on(async {
            let (send, texts) = tokio::sync::mpsc::channel(1);
            let mut answers = modern(pair).chat(ReceiverStream::new(texts)).await.unwrap();
            for number in 0..10_000 {
                send.send(number.to_string()).await.unwrap();
                assert_eq!(answers.next().await.unwrap().unwrap(), number.to_string());
            }
            drop(send);
            assert!(answers.next().await.is_none());
        });
    });
}

#[test]
fn an_error_keeps_its_code_text_details_and_trailers() {
    each(|pair| {
        let status = block_on(modern(pair).unary("/weft.test.Talk/Fail", "bolt")).unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "none left: 0 % \u{e9}"));
        assert_eq!(status.metadata().get("x-trailer").unwrap(), "kept");
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("OUT_OF_STOCK", "weft.test"));
        assert_eq!(info.metadata["item"], "bolt");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "item");
    });
}

#[test]
fn a_deadline_is_passed_on_and_ends_the_callees_work() {
    each(|pair| {
        let server = &pair.server("modern");
        let before = server.calls_left();
        let status =
            block_on(modern(pair).within(Duration::from_millis(200)).unary("/weft.test.Talk/Hang", "x")).unwrap_err();
        assert!(matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled), "{status:?}");
        let deadline = server.seen("/weft.test.Talk/Hang").iter().filter_map(|it| it.value("grpc-timeout")).count();
        assert!(deadline > 0);
        wait::until_true("the callee is told", || server.calls_left() > before);
    });
}

#[test]
fn a_call_that_is_cancelled_ends_the_callees_work() {
    each(|pair| {
        let server = &pair.server("modern");
        let (begun, left) = (server.seen("/weft.test.Talk/Hang").len(), server.calls_left());
        let talk = modern(pair);
        let call = weft_tests::runtime::runtime().spawn(async move { talk.unary("/weft.test.Talk/Hang", "x").await });
        wait::until_true("the callee is called", || server.seen("/weft.test.Talk/Hang").len() > begun);
        call.abort();
        wait::until_true("the callee is told", || server.calls_left() > left);
    });
}

#[test]
fn reflection_of_the_callee_works() {
    each(|pair| {
        let talk = modern(pair);
        let question = |message| ServerReflectionRequest { host: String::new(), message_request: Some(message) };
        let asked = [
            question(MessageRequest::ListServices(String::new())),
            question(MessageRequest::FileContainingSymbol("grpc.reflection.v1.ServerReflection".to_owned())),
        ];
        let mut client = ServerReflectionClient::new(talk.channel());
        let answers = block_on(async {
            let answers = client.server_reflection_info(talk.request(tokio_stream::iter(asked))).await.unwrap();
            answers.into_inner().map(|it| it.unwrap().message_response.unwrap()).collect::<Vec<_>>().await
        });
        let [MessageResponse::ListServicesResponse(list), MessageResponse::FileDescriptorResponse(files)] =
            &answers[..]
        else {
            panic!("{answers:?}")
        };
        assert!(list.service.iter().any(|it| it.name == "grpc.reflection.v1.ServerReflection"), "{list:?}");
        assert!(!files.file_descriptor_proto.is_empty());
    });
}

#[test]
fn a_call_without_an_id_gets_the_text_that_sdks_look_for() {
    each(|pair| {
        let talk = Talk::at(&pair.grpc());
        let status = block_on(talk.unary("/weft.test.Talk/Say", "x")).unwrap_err();
        let wanted = "failed to proxy request: required metadata dapr-callee-app-id or dapr-app-id not found";
        assert_eq!((status.code(), status.message()), (Code::Unknown, wanted));
    });
}

#[test]
fn daprs_own_services_answer_unimplemented_whatever_the_metadata_says() {
    each(|pair| {
        for path in ["/dapr.proto.runtime.v1.Dapr/GetState", "/TaskHubSidecarService/Hello"] {
            let status = block_on(modern(pair).unary(path, "")).unwrap_err();
            assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
        }
        let reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        let status = block_on(Talk::at(&pair.grpc()).unary(reflection, "")).unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
    });
}

#[test]
fn a_method_that_could_be_read_as_another_is_refused() {
    each(|pair| {
        let mark = weft_tests::dapr::unique("opaque");
        for path in
            ["/weft.test.Talk/..%2FSay", "/weft.test.Talk/%53ay", "/weft.test.Talk//Say", "/weft.test.Talk/Say%00"]
        {
            let status = block_on(modern(pair).with("x-mark", &mark).unary(path, "x")).unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{path}: {status:?}");
            assert!(status.message().starts_with("invalid method: "), "{status:?}");
        }
        let seen = pair.server("modern").all_seen();
        assert!(seen.iter().all(|it| it.value("x-mark").as_ref() != Some(&mark)), "nobody is reached");
    });
}

#[test]
fn a_callee_that_cannot_be_reached_is_a_grpc_error() {
    MESHES.each(|mesh| {
        let call = |id| {
            let talk = Talk::at(&mesh.app("orders").grpc()).with("dapr-app-id", id);
            block_on(talk.unary("/weft.test.Talk/Say", "x")).unwrap_err()
        };
        assert_eq!(call("ghost").code(), Code::Unavailable);
        let unknown = call("nobody");
        assert_eq!(unknown.code(), Code::Unknown);
        assert!(unknown.message().contains("nobody"), "{unknown:?}");
        assert_eq!(call("a.b.c").code(), Code::Unknown);
    });
}

#[test]
fn an_id_that_is_far_too_long_is_not_told_whole() {
    MESHES.each(|mesh| {
        let talk = Talk::at(&mesh.app("orders").grpc()).with("dapr-app-id", &"x".repeat(30_000));
        let status = block_on(talk.unary("/weft.test.Talk/Say", "x")).unwrap_err();
        assert_eq!((status.code(), status.message().len()), (Code::Unknown, 1024));
        assert!(status.message().starts_with("failed to invoke, id: xxx"), "{status:?}");
    });
}

#[test]
fn an_application_can_call_itself_by_grpc_and_either_port_takes_calls() {
    MESHES.each(|mesh| {
        let app = mesh.app("modern");
        for address in [app.grpc(), app.http()] {
            let talk = Talk::at(&address).with("dapr-app-id", "modern");
            assert_eq!(block_on(talk.unary("/weft.test.Talk/Say", "me")).unwrap().into_inner(), "me");
        }
    });
}
