/// Target `driver`.
pub fn driver(_: &[u8]) {}
