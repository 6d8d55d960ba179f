//! What each frame does: the dispatch table of conformance 3.1, and the frames of stream 0.

use std::time::Instant;

use super::connection::Phase;
use super::responder::kept_message;
use super::{Cause, Connection, Event};
use crate::wire::{
    Body, DecodeError, ErrorCode, Frame, FrameType, Keepalive as KeepaliveFrame, StreamId,
};

impl Connection {
    /// The master table of conformance 3.1; each arm names the frame that it answers.
    pub(super) fn dispatch(&mut self, now: Instant, frame: Frame) {
        self.count_in(&frame);
        let Frame { stream_id, body } = frame;
        let on_stream_0 = stream_id.is_connection();
        if matches!(self.phase, Phase::Open { established: false }) {
            self.establish(&body);
        }
        match body {
            // A late SETUP and a RESUME_OK that nobody awaits change nothing (R-SETUP-14, R-DSP-1).
            Body::Setup(_) | Body::ResumeOk { .. } => self.ignore(),
            Body::Resume(_) if on_stream_0 => self.fail("RESUME on a connection that is set up"),
            Body::Resume(_) => self.ignore(),
            Body::Lease(lease) if on_stream_0 => {
                if self.held.replace(&lease, now) {
                    self.events.push_back(Event::Lease);
                } else {
                    self.ignore();
                }
            }
            Body::Keepalive(keepalive) if on_stream_0 => self.handle_keepalive(keepalive),
            Body::MetadataPush { metadata } if on_stream_0 => {
                self.events.push_back(Event::MetadataPush(metadata));
            }
            Body::Error { code, message } if on_stream_0 => {
                self.handle_connection_error(now, code, &message);
            }
            Body::Lease(_) | Body::Keepalive(_) | Body::MetadataPush { .. } => self.ignore(),
            Body::RequestResponse { .. }
            | Body::RequestFireAndForget { .. }
            | Body::RequestStream { .. }
            | Body::RequestChannel { .. } => self.handle_request(now, stream_id, body),
            Body::RequestN { n } => self.handle_request_n(stream_id, n),
            Body::Cancel => self.handle_cancel(stream_id),
            Body::Payload { follows, complete, next, payload } => {
                self.handle_payload(now, stream_id, follows, complete, next, payload);
            }
            Body::Error { code, message } => self.handle_stream_error(stream_id, code, &message),
            Body::Ext(ext) if ext.ignorable => self.ignore(),
            Body::Ext(_) => self.fail("EXT frames are not supported"),
        }
    }

    /// A client takes its SETUP as accepted by the first sign of it (R-SETUP-11, R-SETUP-17).
    fn establish(&mut self, body: &Body) {
        let accepted = match body {
            Body::Setup(_)
            | Body::Keepalive(_)
            | Body::Resume(_)
            | Body::ResumeOk { .. }
            | Body::MetadataPush { .. }
            | Body::Ext(_) => false,
            Body::Error { .. }
            | Body::Lease(_)
            | Body::RequestResponse { .. }
            | Body::RequestFireAndForget { .. }
            | Body::RequestStream { .. }
            | Body::RequestChannel { .. }
            | Body::RequestN { .. }
            | Body::Cancel
            | Body::Payload { .. } => true,
        };
        // ERROR counts by its scope: on stream 0 it is the rejection, and is seen as such below.
        if accepted && !matches!(body, Body::Error { .. }) {
            self.phase = Phase::Open { established: true };
        }
    }

    pub(super) fn handle_malformed(&mut self, error: &DecodeError) {
        // A second SETUP is ignored even when cut short (R-SETUP-14); an ignorable frame that is
        // malformed or unknown is dropped (R-IGN-1, R-IGN-3).
        if error.ignorable || error.frame_type == Some(FrameType::Setup) {
            self.ignore();
        } else {
            self.fail_with(error.to_string(), 1002);
        }
    }

    fn handle_keepalive(&mut self, keepalive: KeepaliveFrame) {
        let max = self.limits.keepalive_bytes_max;
        if keepalive.data.len() > max {
            self.fail_with(format!("KEEPALIVE data is longer than {max} bytes"), 1002);
        } else if keepalive.respond {
            // Our own position, which is 0 without resumption, and the peer's data (R-KA-3,
            // R-KA-5).
            let echo = KeepaliveFrame { respond: false, position: 0, data: keepalive.data };
            self.output.control(StreamId::CONNECTION, Body::Keepalive(echo));
        }
    }

    fn handle_connection_error(&mut self, now: Instant, code: ErrorCode, message: &[u8]) {
        let about_setup = code.is_setup();
        let established = !matches!(self.phase, Phase::Open { established: false });
        if about_setup && (self.is_server || established) {
            self.ignore();
        } else if code == ErrorCode::CONNECTION_CLOSE && established {
            // Said again, it moves no deadline.
            if matches!(self.phase, Phase::Open { .. }) {
                self.phase = Phase::PeerClosing { deadline: now + self.limits.close_timeout };
            }
            self.close_if_idle();
        } else {
            let message = kept_message(message, &self.limits);
            self.output.close(1000);
            self.close(Cause::PeerError { code, message });
        }
    }
}
