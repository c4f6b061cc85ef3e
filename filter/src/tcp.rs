//! The role `weft.tcp`: turns a gRPC stream into plain TCP by removing the frame headers of what goes out and adding
//! one to what comes back. Only those five bytes are touched.

use crate::host;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType, MapType};
use weft_core::link_frames::{Cut, Frames};

/// One connection.
pub struct Tcp {
    id: u32,
    frames: Frames,
}

impl Tcp {
    /// For the stream of that number.
    pub fn new(id: u32) -> Self {
        Self { id, frames: Frames::default() }
    }
}

impl Context for Tcp {}

impl HttpContext for Tcp {
    fn on_http_request_body(&mut self, size: usize, _end_of_stream: bool) -> Action {
        host::enter(self.id);
        if size == 0 {
            return Action::Continue;
        }
        let head = host::read_body(BufferType::HttpRequestBody, Frames::HEADER);
        match self.frames.whole_frame(&head, size) {
            Cut::Header => host::write_body(BufferType::HttpRequestBody, 0, Frames::HEADER, b""),
            Cut::Parse => {
                let chunk = host::read_body(BufferType::HttpRequestBody, size);
                let payload = self.frames.strip(&chunk);
                host::write_body(BufferType::HttpRequestBody, 0, size, &payload);
            }
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        host::enter(self.id);
        // Envoy's gRPC client refuses an answer of another type; a CONNECT answer has none.
        host::add_field(MapType::HttpResponseHeaders, "content-type", b"application/grpc");
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, _end_of_stream: bool) -> Action {
        host::enter(self.id);
        if let (Some(header), true) = (Frames::header(size), size > 0) {
            host::write_body(BufferType::HttpResponseBody, 0, 0, &header);
        }
        Action::Continue
    }
}
