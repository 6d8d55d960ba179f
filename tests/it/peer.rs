//! A raw peer: it sends what a test wants, in the segments that it wants, and reads when told to.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use socket2::{Domain, Socket, Type};
use tidegate::wire::{
    Body, Deframer, Frame, Framing, Inbound, Keepalive, Masking, Payload, Setup, StreamId, Tags,
    decode,
};

use super::server::Server;

/// Asks for more than anyone sends: the largest REQUEST_N.
pub const UNBOUNDED: u32 = 0x7FFF_FFFF;
/// Longer than any answer takes on a busy machine.
pub const LONG: Duration = Duration::from_secs(30);
const FRAME_LEN_MAX: usize = 0xFF_FFFF;
/// Frames of one [`Peer::drain`].
const DRAIN_MAX: usize = 100_000;
const READ_LEN: usize = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    WebSocket,
}

impl Transport {
    pub const ALL: [Self; 2] = [Self::Tcp, Self::WebSocket];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::WebSocket => "WebSocket",
        }
    }
}

/// What a read gave.
#[derive(Debug)]
pub enum Received {
    Frame(Frame),
    /// Nothing within the time.
    Silence,
    /// The connection ended, cleanly or not.
    Closed,
}

/// One connection.
pub struct Peer {
    stream: TcpStream,
    framing: Framing,
    deframer: Deframer,
    buffer: BytesMut,
    chunk: Vec<u8>,
}

impl Peer {
    /// A connection that has sent its SETUP.
    pub fn connect(server: &Server, transport: Transport) -> Self {
        let mut peer = Self::open(server, transport, None);
        peer.send(&setup());
        peer
    }

    /// A connection without SETUP; `receive` is the size of its receive buffer.
    pub fn open(server: &Server, transport: Transport, receive: Option<usize>) -> Self {
        let (address, framing, deframer) = match transport {
            Transport::Tcp => {
                (server.tcp, Framing::LengthPrefix, Deframer::length_prefix(FRAME_LEN_MAX))
            }
            Transport::WebSocket => {
                let framing = Framing::WebSocket(Masking::Client { seed: 7 });
                (server.http, framing, Deframer::websocket(false, FRAME_LEN_MAX))
            }
        };
        let stream = open(address, receive);
        let chunk = vec![0; READ_LEN];
        let mut peer = Self { stream, framing, deframer, buffer: BytesMut::new(), chunk };
        if transport == Transport::WebSocket {
            peer.shake_hands(address);
        }
        peer
    }

    fn shake_hands(&mut self, address: SocketAddr) {
        write!(
            self.stream,
            "GET /rsocket HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        .unwrap();
        let until = Instant::now() + LONG;
        loop {
            assert!(self.read(until), "no answer to the upgrade");
            let end = self.buffer.windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(end) = end {
                let head = self.buffer.split_to(end + 4);
                assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
                return;
            }
        }
    }

    /// The bytes of these frames, as this connection frames them.
    pub fn encode<'a>(&mut self, frames: impl IntoIterator<Item = &'a Frame>) -> BytesMut {
        let mut out = BytesMut::new();
        for frame in frames {
            let write = |out: &mut BytesMut| frame.encode(out);
            self.framing.encode(&mut out, frame.encoded_len(), write);
        }
        out
    }

    /// Sends one frame; it panics when the connection is gone.
    pub fn send(&mut self, frame: &Frame) {
        self.send_all([frame]);
    }

    /// Sends frames in one write.
    pub fn send_all<'a>(&mut self, frames: impl IntoIterator<Item = &'a Frame>) {
        let bytes = self.encode(frames);
        self.stream.write_all(&bytes).unwrap();
    }

    /// Sends bytes as they are; an error when the connection is gone or takes longer than `within`.
    pub fn send_bytes(&mut self, bytes: &[u8], within: Duration) -> std::io::Result<()> {
        self.stream.set_write_timeout(Some(within))?;
        self.stream.write_all(bytes)
    }

    /// The next frame. KEEPALIVE is answered and not shown.
    pub fn next(&mut self, within: Duration) -> Received {
        let until = Instant::now() + within;
        loop {
            match self.deframer.next(&mut self.buffer).unwrap() {
                Some(Inbound::Frame(bytes)) => {
                    let frame = decode(bytes).unwrap();
                    let Body::Keepalive(keepalive) = &frame.body else {
                        return Received::Frame(frame);
                    };
                    self.answer(keepalive);
                }
                Some(Inbound::Close(_)) => return Received::Closed,
                Some(Inbound::Ping(_) | Inbound::Pong) => {}
                None if Instant::now() >= until => return Received::Silence,
                None => {
                    if !self.read(until) {
                        return Received::Closed;
                    }
                }
            }
        }
    }

    /// The next frame, which has to come.
    pub fn expect(&mut self) -> Frame {
        match self.next(LONG) {
            Received::Frame(frame) => frame,
            other => panic!("a frame was expected, not {other:?}"),
        }
    }

    /// Every frame that comes until there is silence for this long, or the connection ends; or
    /// until there are more than any test waits for.
    pub fn drain(&mut self, silence: Duration) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Received::Frame(frame) = self.next(silence) {
            frames.push(frame);
            if frames.len() == DRAIN_MAX {
                break;
            }
        }
        frames
    }

    /// Reads at most this many bytes and forgets them; 0 when the connection ended or was silent.
    pub fn skip(&mut self, max: usize, within: Duration) -> usize {
        self.stream.set_read_timeout(Some(within)).unwrap();
        let len = max.min(self.chunk.len());
        self.stream.read(&mut self.chunk[..len]).unwrap_or(0)
    }

    /// Whether the server ends the connection within this time; what it still sends is dropped.
    pub fn is_closed_within(&mut self, within: Duration) -> bool {
        let until = Instant::now() + within;
        self.buffer.clear();
        while Instant::now() < until {
            if !self.read(until) {
                return true;
            }
            self.buffer.clear();
        }
        false
    }

    fn answer(&mut self, keepalive: &Keepalive) {
        if keepalive.respond {
            let answer = Keepalive { respond: false, ..keepalive.clone() };
            self.send(&Frame::new(StreamId::CONNECTION, Body::Keepalive(answer)));
        }
    }

    /// Reads once into the buffer; `false` when the connection ended.
    fn read(&mut self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).unwrap();
        match self.stream.read(&mut self.chunk) {
            Ok(0) => false,
            Ok(len) => {
                self.buffer.extend_from_slice(&self.chunk[..len]);
                true
            }
            Err(error) => matches!(
                error.kind(),
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
            ),
        }
    }
}

fn open(address: SocketAddr, receive: Option<usize>) -> TcpStream {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    if let Some(receive) = receive {
        socket.set_recv_buffer_size(receive).unwrap();
    }
    socket.connect(&address.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true).unwrap();
    stream
}

/// JSON data, a plain route as metadata, a keepalive that no test waits for.
pub fn setup() -> Frame {
    let setup = Setup {
        version: (1, 0),
        keepalive_ms: 120_000,
        lifetime_ms: 600_000,
        lease: false,
        resume_token: None,
        metadata_mime: Bytes::from_static(b"message/x.rsocket.routing.v0"),
        data_mime: Bytes::from_static(b"application/json"),
        payload: Payload::default(),
    };
    Frame::new(StreamId::CONNECTION, Body::Setup(setup))
}

/// The request for a route.
pub fn payload(route: &str, data: impl Into<Bytes>) -> Payload {
    let mut tag = BytesMut::new();
    Tags::encode(route, &mut tag).unwrap();
    Payload::with_metadata(tag, data)
}

pub fn request_stream(id: u32, initial_n: u32, payload: Payload) -> Frame {
    frame(id, Body::RequestStream { follows: false, initial_n, payload })
}

pub fn request_response(id: u32, payload: Payload) -> Frame {
    frame(id, Body::RequestResponse { follows: false, payload })
}

pub fn fire_and_forget(id: u32, payload: Payload) -> Frame {
    frame(id, Body::RequestFireAndForget { follows: false, payload })
}

pub fn request_channel(id: u32, initial_n: u32, payload: Payload) -> Frame {
    frame(id, Body::RequestChannel { follows: false, complete: false, initial_n, payload })
}

pub fn request_n(id: u32, n: u32) -> Frame {
    frame(id, Body::RequestN { n })
}

pub fn cancel(id: u32) -> Frame {
    frame(id, Body::Cancel)
}

/// An item of a channel.
pub fn item(id: u32, data: impl Into<Bytes>) -> Frame {
    let payload = Payload::new(data);
    frame(id, Body::Payload { follows: false, complete: false, next: true, payload })
}

/// The end of a channel's half.
pub fn complete(id: u32) -> Frame {
    let payload = Payload::default();
    frame(id, Body::Payload { follows: false, complete: true, next: false, payload })
}

pub fn frame(id: u32, body: Body) -> Frame {
    Frame::new(StreamId::new(id), body)
}
