//! `grpc-trace-bin`: the context as daprd tells it to gRPC applications, for older libraries (OpenCensus' binary encoding):
//! a version, then ids and options, each after its number. It is told only, beside `traceparent`; what a caller says in it
//! goes away, since nothing reads it here and it names another span.

use super::TraceContext;
use crate::base64;
use crate::grpc::is_grpc;
use crate::http::Headers;
use crate::invoke::Edits;

/// The field's name. gRPC writes the values of such fields in Base64, best without padding.
const NAME: &str = "grpc-trace-bin";

/// Tells a gRPC request's next one about a span, beside `traceparent`.
#[inline(never)]
pub(super) fn edit(context: &TraceContext, headers: &Headers, edits: &mut Edits) {
    if !is_grpc(headers) {
        return;
    }
    let bytes = [&[0, 0], &context.trace_id[..], &[1], &context.span_id, &[2, context.flags]].concat();
    let mut text = Vec::new();
    base64::encode(&mut text, &bytes);
    text.pop();
    edits.put(headers, NAME, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By another library: `base64` of Python, of the context of the tests beside.
    const TEXT: &str = "AABL+S81d7NNpqPOkp0ODkc2AQDwZ6oLqQK3AgE";

    #[test]
    fn a_grpc_request_is_told_and_no_other() {
        let context = TraceContext::parse(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
        let edits = |headers: Headers| {
            let mut edits = Edits::default();
            edit(&context, &headers, &mut edits);
            edits
        };
        let grpc = Headers::new().with("content-type", "application/grpc+proto");
        assert_eq!(edits(grpc.clone()).add, [(NAME, TEXT.as_bytes().to_vec())]);
        assert_eq!(edits(grpc.with(NAME, "another")).set, [(NAME, TEXT.as_bytes().to_vec())]);
        assert_eq!(edits(Headers::new()), Edits::default());
    }
}
