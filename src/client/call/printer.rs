//! Items as lines.

use std::io::Write;

use super::super::media::Encoding;
use super::failure::Failure;
use crate::wire::Payload;

/// Writes each item at once: a line when the output is piped, indented JSON on a terminal.
#[derive(Debug)]
pub(super) struct Printer<W> {
    out: W,
    encoding: Encoding,
    pretty: bool,
}

impl<W: Write> Printer<W> {
    pub(super) const fn new(out: W, encoding: Encoding, pretty: bool) -> Self {
        Self { out, encoding, pretty }
    }

    pub(super) fn item(&mut self, item: &Payload) -> Result<(), Failure> {
        let mut line = self.encoding.print(&item.data, self.pretty);
        line.push(b'\n');
        let written = self.out.write_all(&line).and_then(|()| self.out.flush());
        written.map_err(|error| Failure::output(&error))
    }
}
