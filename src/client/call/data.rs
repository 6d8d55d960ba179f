//! What `tidegate call` sends: the argument, a file, or standard input.

use std::io::Read;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use super::super::media::Encoding;
use super::super::{CallArgs, CallData, CallInteraction};
use super::failure::Failure;

/// Longest data of one item, bytes: what the responder's default takes.
const ITEM_BYTES_MAX: u64 = 16 << 20;

/// The items to send.
pub(super) enum Source {
    /// One item.
    Item(Bytes),
    /// One item per line, read as they are sent.
    Lines(Lines),
}

impl Source {
    pub(super) fn open(args: &CallArgs, encoding: Encoding) -> Result<Self, Failure> {
        let convert = |text: &[u8], origin: &str| {
            encoding.parse(text).map_err(|reason| {
                Failure::Usage(format!("{origin} is not JSON, as {} needs: {reason}", args.mime))
            })
        };
        match &args.data {
            None => Ok(Self::Item(Bytes::new())),
            Some(CallData::Text(text)) => convert(text.as_bytes(), "--data").map(Self::Item),
            Some(CallData::File(path)) => {
                let name = path.display().to_string();
                let unreadable = |error| Failure::Usage(format!("cannot read {name}: {error}"));
                let file = std::fs::File::open(path).map_err(unreadable)?;
                let text = read_all(file, &name)?;
                convert(&text, &name).map(Self::Item)
            }
            Some(CallData::Stdin) if args.interaction == CallInteraction::Channel => {
                Ok(Self::Lines(Lines::new(Box::new(tokio::io::stdin()), encoding)))
            }
            Some(CallData::Stdin) => {
                let text = read_all(std::io::stdin(), STDIN)?;
                convert(&text, STDIN).map(Self::Item)
            }
        }
    }
}

const STDIN: &str = "standard input";

fn read_all(from: impl Read, name: &str) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let mut limited = from.take(ITEM_BYTES_MAX + 1);
    let read = limited.read_to_end(&mut text);
    read.map_err(|error| Failure::Usage(format!("cannot read {name}: {error}")))?;
    if text.len() as u64 > ITEM_BYTES_MAX {
        return Err(too_long(name));
    }
    Ok(text)
}

fn too_long(name: &str) -> Failure {
    Failure::Usage(format!("{name} is longer than {ITEM_BYTES_MAX} bytes"))
}

/// Standard input line by line; empty lines are no items.
pub(super) struct Lines {
    input: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
    encoding: Encoding,
    number: u64,
}

impl Lines {
    pub(super) fn new(input: Box<dyn AsyncRead + Send + Unpin>, encoding: Encoding) -> Self {
        Self { input: BufReader::new(input), encoding, number: 0 }
    }

    /// The next item; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let mut line = Vec::new();
            self.number += 1;
            let name = format!("line {} of {STDIN}", self.number);
            let mut limited = (&mut self.input).take(ITEM_BYTES_MAX + 1);
            let read = limited.read_until(b'\n', &mut line).await;
            let len =
                read.map_err(|error| Failure::Usage(format!("cannot read {name}: {error}")))?;
            if len == 0 {
                return Ok(None);
            }
            if len as u64 > ITEM_BYTES_MAX {
                return Err(too_long(&name));
            }
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if text.is_empty() {
                continue;
            }
            let converted = self.encoding.parse(text);
            return converted
                .map(Some)
                .map_err(|reason| Failure::Usage(format!("{name} is not JSON: {reason}")));
        }
    }
}
