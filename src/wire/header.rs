//! The six bytes that open every frame: stream id, type and flags (conformance 1.2, 1.3).

/// Length of a frame header, bytes.
pub(crate) const HEADER_LEN: usize = 6;

pub(crate) const MAX_31: u32 = 0x7FFF_FFFF;
pub(crate) const MAX_63: u64 = 0x7FFF_FFFF_FFFF_FFFF;

/// The flags of a header, as they lie in the low ten bits of its u16.
pub(crate) mod flags {
    pub(crate) const IGNORE: u16 = 0x0200;
    pub(crate) const METADATA: u16 = 0x0100;
    /// F on requests and PAYLOAD, R on SETUP (resume) and KEEPALIVE (respond).
    pub(crate) const FOLLOWS: u16 = 0x0080;
    pub(crate) const RESUME: u16 = FOLLOWS;
    pub(crate) const RESPOND: u16 = FOLLOWS;
    /// C on REQUEST_CHANNEL and PAYLOAD, L on SETUP.
    pub(crate) const COMPLETE: u16 = 0x0040;
    pub(crate) const LEASE: u16 = COMPLETE;
    pub(crate) const NEXT: u16 = 0x0020;
}

/// Identifies a stream within its connection: 31 bits, 0 is the connection itself (R-SID-1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(u32);

impl StreamId {
    /// The connection.
    pub const CONNECTION: Self = Self(0);

    /// The id in the low 31 bits; the reserved top bit is masked off (R-HDR-1).
    #[must_use]
    pub const fn new(id: u32) -> Self {
        Self(id & MAX_31)
    }

    /// The id as a number, 0 to 2^31-1.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Whether it names the connection.
    #[must_use]
    pub const fn is_connection(self) -> bool {
        self.0 == 0
    }

    /// Whether a client opens streams under it; a server's ids are even (R-SID-1).
    #[must_use]
    pub const fn is_odd(self) -> bool {
        self.0 & 1 == 1
    }
}

/// The type field of a header (conformance 1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameType {
    /// 0x01
    Setup,
    /// 0x02
    Lease,
    /// 0x03
    Keepalive,
    /// 0x04
    RequestResponse,
    /// 0x05
    RequestFireAndForget,
    /// 0x06
    RequestStream,
    /// 0x07
    RequestChannel,
    /// 0x08
    RequestN,
    /// 0x09
    Cancel,
    /// 0x0A
    Payload,
    /// 0x0B
    Error,
    /// 0x0C
    MetadataPush,
    /// 0x0D
    Resume,
    /// 0x0E
    ResumeOk,
    /// 0x3F
    Ext,
    /// Reserved or unassigned.
    Unknown(u8),
}

impl FrameType {
    /// Every type that has a name.
    pub const ALL: [Self; 15] = [
        Self::Setup,
        Self::Lease,
        Self::Keepalive,
        Self::RequestResponse,
        Self::RequestFireAndForget,
        Self::RequestStream,
        Self::RequestChannel,
        Self::RequestN,
        Self::Cancel,
        Self::Payload,
        Self::Error,
        Self::MetadataPush,
        Self::Resume,
        Self::ResumeOk,
        Self::Ext,
    ];

    /// Size of a table with one place per type; unknown ones share the last.
    pub const COUNT: usize = 16;

    pub(crate) const fn from_code(code: u8) -> Self {
        match code {
            0x01 => Self::Setup,
            0x02 => Self::Lease,
            0x03 => Self::Keepalive,
            0x04 => Self::RequestResponse,
            0x05 => Self::RequestFireAndForget,
            0x06 => Self::RequestStream,
            0x07 => Self::RequestChannel,
            0x08 => Self::RequestN,
            0x09 => Self::Cancel,
            0x0A => Self::Payload,
            0x0B => Self::Error,
            0x0C => Self::MetadataPush,
            0x0D => Self::Resume,
            0x0E => Self::ResumeOk,
            0x3F => Self::Ext,
            other => Self::Unknown(other),
        }
    }

    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Setup => 0x01,
            Self::Lease => 0x02,
            Self::Keepalive => 0x03,
            Self::RequestResponse => 0x04,
            Self::RequestFireAndForget => 0x05,
            Self::RequestStream => 0x06,
            Self::RequestChannel => 0x07,
            Self::RequestN => 0x08,
            Self::Cancel => 0x09,
            Self::Payload => 0x0A,
            Self::Error => 0x0B,
            Self::MetadataPush => 0x0C,
            Self::Resume => 0x0D,
            Self::ResumeOk => 0x0E,
            Self::Ext => 0x3F,
            Self::Unknown(code) => code,
        }
    }

    /// Place in a table of [`FrameType::COUNT`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Ext => 0,
            Self::Unknown(_) => 15,
            Self::Setup
            | Self::Lease
            | Self::Keepalive
            | Self::RequestResponse
            | Self::RequestFireAndForget
            | Self::RequestStream
            | Self::RequestChannel
            | Self::RequestN
            | Self::Cancel
            | Self::Payload
            | Self::Error
            | Self::MetadataPush
            | Self::Resume
            | Self::ResumeOk => self.code() as usize,
        }
    }

    /// The protocol's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Setup => "SETUP",
            Self::Lease => "LEASE",
            Self::Keepalive => "KEEPALIVE",
            Self::RequestResponse => "REQUEST_RESPONSE",
            Self::RequestFireAndForget => "REQUEST_FNF",
            Self::RequestStream => "REQUEST_STREAM",
            Self::RequestChannel => "REQUEST_CHANNEL",
            Self::RequestN => "REQUEST_N",
            Self::Cancel => "CANCEL",
            Self::Payload => "PAYLOAD",
            Self::Error => "ERROR",
            Self::MetadataPush => "METADATA_PUSH",
            Self::Resume => "RESUME",
            Self::ResumeOk => "RESUME_OK",
            Self::Ext => "EXT",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// The flags of a PAYLOAD frame (conformance 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PayloadFlags {
    /// F: more fragments of this item follow.
    pub follows: bool,
    /// C: the sender's half is complete.
    pub complete: bool,
    /// N: it carries an item.
    pub next: bool,
}

impl PayloadFlags {
    pub(crate) const fn bits(self) -> u16 {
        let mut bits = 0;
        if self.follows {
            bits |= flags::FOLLOWS;
        }
        if self.complete {
            bits |= flags::COMPLETE;
        }
        if self.next {
            bits |= flags::NEXT;
        }
        bits
    }
}
