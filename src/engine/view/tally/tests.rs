//! Tests of the tally.
